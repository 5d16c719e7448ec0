"""Every MQTT topic of the system, built and parsed here and nowhere else."""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache

from svitlo.contracts.errors import Malformed, TopicError

ROOT = "svitlo"

SLUG_PATTERN = r"^[a-z0-9-]{1,48}$"
"""What a `device_id` and a site name on the wire may look like."""

HOME_ASSISTANT_STATUS = "homeassistant/status"
"""Where Home Assistant says that it has started (its birth message)."""

_SLUG = re.compile(r"[a-z0-9-]{1,48}")


class DeviceChannel(StrEnum):
    """The last level of a device's topic. `UPDATE` is binary, the others are JSON."""

    HEARTBEAT = "heartbeat"
    STATUS = "status"
    JOURNAL = "journal"
    REPORT = "report"
    COMMAND = "command"
    UPDATE = "update"


class SiteChannel(StrEnum):
    """The last level of a site's topic."""

    POWER = "power"
    STATE = "state"
    EVENT = "event"


_DEVICE_CHANNELS = {channel.value: channel for channel in DeviceChannel}
_DEVICE_PREFIX = f"{ROOT}/devices/"


def is_slug(text: str) -> bool:
    """Whether `text` may stand as a device id or site name in a topic."""
    return _SLUG.fullmatch(text) is not None


def device(device_id: str, channel: DeviceChannel) -> str:
    """`svitlo/devices/{device_id}/{channel}`; `+` is allowed for a subscription to all devices."""
    return f"{_DEVICE_PREFIX}{device_id}/{channel.value}"


def site(site_slug: str, channel: SiteChannel) -> str:
    """`svitlo/sites/{site}/{channel}`; `+` is allowed for a subscription to all sites."""
    return f"{ROOT}/sites/{site_slug}/{channel.value}"


def service(name: str, instance: str) -> str:
    """`svitlo/services/{service}/{instance}`: whether a process of ours is up (retained, with a will)."""
    return f"{ROOT}/services/{name}/{instance}"


def echo(instance: str) -> str:
    """Where a detector sends itself an echo to know that its link really carries messages."""
    return f"{ROOT}/services/detector/{instance}/echo"


def home_assistant_config(site_slug: str) -> str:
    """Home Assistant's device-based discovery topic of one site."""
    return f"homeassistant/device/svitlo_{site_slug}/config"


@lru_cache(maxsize=200_000)
def parse_device(topic: str) -> tuple[str, DeviceChannel]:
    """Split a device topic into device id and channel.

    Raises `TopicError` when the topic is not a device topic or its id is not a slug.
    """
    if not topic.startswith(_DEVICE_PREFIX):
        raise TopicError(Malformed.TOPIC, "not a device topic")
    device_id, _, rest = topic[len(_DEVICE_PREFIX) :].partition("/")
    channel = _DEVICE_CHANNELS.get(rest)
    if channel is None or _SLUG.fullmatch(device_id) is None:
        raise TopicError(Malformed.TOPIC, "not a device topic")
    return device_id, channel
