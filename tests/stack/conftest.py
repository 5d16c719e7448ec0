"""What the tests of the embedded stack share."""

from tests.support.umqtt import umqtt

__all__ = ["umqtt"]
