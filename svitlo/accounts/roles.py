"""Who may do what at the broker: one table a kind of account, default deny.

User names of devices are their ids. Those of our services and of integrators contain a dot, which a device id
cannot, so no device can ever be created over them. An account of a device is bound to the one client id it may use:
otherwise one device could throw another off by connecting under its id.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from svitlo.contracts import DeviceChannel, SiteChannel, topics

ADMIN = "svitlo.admin"
CONTROL = "$CONTROL/dynamic-security/v1"
SERVICES = ("ingest", "detector", "notifier", "api")


class Right(StrEnum):
    """ACL types of the dynamic-security plugin."""

    PUBLISH = "publishClientSend"
    RECEIVE = "publishClientReceive"
    SUBSCRIBE = "subscribePattern"


@dataclass(frozen=True)
class Account:
    """A broker account as it should be."""

    username: str
    generation: int
    publish: tuple[str, ...] = ()
    subscribe: tuple[str, ...] = ()
    client_id: str | None = None

    @property
    def role(self) -> str:
        """The name of the account's own role (a role for each account works on every broker version)."""
        return f"role.{self.username}"

    def acls(self) -> list[dict[str, object]]:
        """The role's access list in the plugin's form."""
        rights = [(Right.PUBLISH, topic) for topic in self.publish]
        for topic in self.subscribe:
            rights += [(Right.SUBSCRIBE, topic), (Right.RECEIVE, topic)]
        return [{"acltype": right.value, "topic": topic, "allow": True, "priority": 0} for right, topic in rights]


_SAID = (DeviceChannel.HEARTBEAT, DeviceChannel.STATUS, DeviceChannel.JOURNAL)
_ORDERED = (DeviceChannel.COMMAND, DeviceChannel.UPDATE)


def device_account(device_id: str, generation: int) -> Account:
    """A board: says how it is and what became of its orders; reads its own status, orders and updates."""
    return Account(
        username=device_id,
        generation=generation,
        publish=tuple(topics.device(device_id, channel) for channel in (*_SAID, DeviceChannel.REPORT)),
        subscribe=tuple(topics.device(device_id, channel) for channel in (DeviceChannel.STATUS, *_ORDERED)),
        client_id=device_id,
    )


def integrator_account(name: str, generation: int) -> Account:
    """Somebody else's program: reads the sites, and whether a detector watches them; may say that it has started.

    It too is bound to one client id: under a board's it would throw that board off, and the broker would publish the
    board's will.
    """
    username = f"key.{name}"
    return Account(
        username,
        generation,
        publish=(topics.HOME_ASSISTANT_STATUS,),
        subscribe=("svitlo/sites/#", "homeassistant/#", topics.service("detector", "+")),
        client_id=username,
    )


_DEVICES = tuple(topics.device("+", channel) for channel in _SAID)

# For each service what it publishes, then what it subscribes to.
_SERVICE_RIGHTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "ingest": (
        tuple(topics.device("+", channel) for channel in _ORDERED),
        (*_DEVICES, topics.device("+", DeviceChannel.REPORT)),
    ),
    "detector": (
        (
            *(topics.site("+", channel) for channel in SiteChannel),
            topics.home_assistant_config("x").replace("svitlo_x", "+"),
            topics.echo("+"),
        ),
        (*_DEVICES, topics.echo("+"), topics.service("detector", "+"), topics.HOME_ASSISTANT_STATUS),
    ),
    "notifier": ((), (topics.site("+", SiteChannel.EVENT),)),
    "api": ((), ("svitlo/services/+/+",)),
}


def service_account(service: str) -> Account:
    """One of our own services: its work, and its own status topic."""
    publish, subscribe = _SERVICE_RIGHTS[service]
    return Account(f"svitlo.{service}", 1, publish=(*publish, topics.service(service, "+")), subscribe=subscribe)


def admin_account() -> Account:
    """Whoever keeps the accounts (ingest and the command line); may clear what a removed device retained."""
    return Account(
        ADMIN,
        1,
        publish=("$CONTROL/dynamic-security/#", "svitlo/devices/#", "svitlo/sites/#", "homeassistant/#"),
        subscribe=("$CONTROL/dynamic-security/#", "svitlo/#", "$SYS/#"),
    )
