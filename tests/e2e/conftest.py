"""What the end-to-end tests share."""

from tests.support.umqtt import umqtt

__all__ = ["umqtt"]
