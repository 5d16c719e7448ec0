"""How Home Assistant finds the sites by itself: one retained message describes each as a device with its entities.

The form is Home Assistant's own (2024.12 and newer):
https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload

Entities are known by the number of the site and not by its slug: renamed, a site keeps its history there. They are
available as long as the detector is. A board's own will would make them so: "unavailable" exactly when the answer is
"off".
"""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, Struct, UnsetType, field, json
from msgspec.structs import replace

from svitlo.contracts import EventKind, SiteChannel, SiteStateWord, topics

BIRTH = b"online"
"""What Home Assistant says on `topics.HOME_ASSISTANT_STATUS` when it has started."""

Platform = Literal["binary_sensor", "sensor", "event"]


class Device(Struct, frozen=True, kw_only=True):
    """A site, as Home Assistant's list of devices shows it."""

    identifiers: tuple[str, ...]
    name: str
    manufacturer: str = "Svitlo"
    model: str = "Site"


class Origin(Struct, frozen=True, kw_only=True):
    """Who made the message."""

    name: str = "Svitlo"
    sw: str


class Component(Struct, frozen=True, kw_only=True):
    """One entity. Without a name of its own (null) it bears the device's."""

    platform: Platform = field(name="p")
    name: str | None = None
    unique_id: str = ""
    state_topic: str = ""
    value_template: str
    device_class: str | UnsetType = UNSET
    entity_category: Literal["diagnostic"] | UnsetType = UNSET
    event_types: tuple[str, ...] | UnsetType = UNSET
    icon: str | UnsetType = UNSET
    options: tuple[str, ...] | UnsetType = UNSET
    payload_off: str | UnsetType = UNSET
    payload_on: str | UnsetType = UNSET
    qos: int = 1
    state_class: str | UnsetType = UNSET


class Discovery(Struct, frozen=True, kw_only=True):
    """The message: who, from whom, what, and when any of it can be believed."""

    device: Device = field(name="dev")
    origin: Origin = field(name="o")
    components: dict[str, Component] = field(name="cmps")
    availability_topic: str
    availability_template: str = "{{ value_json.state }}"
    payload_available: str = "online"
    payload_not_available: str = "offline"


# "None" is Home Assistant's word for "not known".
COMPONENTS: dict[str, tuple[SiteChannel, Component]] = {
    "power": (
        SiteChannel.POWER,
        Component(
            platform="binary_sensor",
            device_class="power",
            payload_on="on",
            payload_off="off",
            value_template="{{ 'None' if value == 'unknown' else value }}",
        ),
    ),
    "state": (
        SiteChannel.STATE,
        Component(
            platform="sensor",
            device_class="enum",
            icon="mdi:transmission-tower",
            options=tuple(word.value for word in SiteStateWord),
            value_template="{{ value_json.state }}",
        ),
    ),
    "since": (
        SiteChannel.STATE,
        Component(platform="sensor", device_class="timestamp", value_template="{{ value_json.since }}"),
    ),
    "boards": (
        SiteChannel.STATE,
        Component(
            platform="sensor",
            entity_category="diagnostic",
            icon="mdi:developer-board",
            state_class="measurement",
            value_template="{{ value_json.devices.alive }}",
        ),
    ),
    "event": (
        SiteChannel.EVENT,
        Component(
            platform="event",
            event_types=tuple(kind.value for kind in EventKind),
            icon="mdi:history",
            value_template=(
                "{{ {'event_type': value_json.kind, 'id': value_json.id, 'rev': value_json.rev, "
                "'cause': value_json.cause, 'occurred_lo': value_json.occurred_lo, "
                "'occurred_hi': value_json.occurred_hi, 'detected_at': value_json.detected_at} | tojson }}"
            ),
        ),
    ),
}
"""Every entity of a site: what it reads, and the part of it that is the same for all sites."""

NAMES: dict[str, dict[str, str | None]] = {
    "en": {"power": None, "state": "State", "since": "Since", "boards": "Boards online", "event": "Event"},
    "uk": {"power": None, "state": "Стан", "since": "Відколи", "boards": "Плат на зв'язку", "event": "Подія"},
}


def discovery(site: str, site_id: int, name: str, *, instance: str, language: str, version: str) -> bytes:
    """The payload for `topics.home_assistant_config(site)`; `instance` is the detector that watches the site now."""
    identity = f"svitlo_{site_id}"
    return json.encode(
        Discovery(
            device=Device(identifiers=(identity,), name=name),
            origin=Origin(sw=version),
            components={
                key: replace(
                    component,
                    name=NAMES[language][key],
                    unique_id=f"{identity}_{key}",
                    state_topic=topics.site(site, channel),
                )
                for key, (channel, component) in COMPONENTS.items()
            },
            availability_topic=topics.service("detector", instance),
        )
    )
