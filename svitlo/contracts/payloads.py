"""The payloads of the wire contract: frozen models, encoded and decoded here.

JSON objects in UTF-8 with `"v": 1`, at most `MAX_PAYLOAD` bytes from a device. Unknown fields are ignored, so
a newer firmware may say more than an older server understands; an unknown version is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from svitlo.contracts.errors import Malformed, PayloadError
from svitlo.contracts.topics import DeviceChannel

MAX_PAYLOAD = 1024
"""Bytes a device's payload may have."""
CHUNK_BYTES = 960
"""Bytes of a bundle in one message; with its head and topic it is one segment of TCP."""

Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
BigCount = Annotated[int, Meta(ge=0, le=2**53)]
# \Z and not $, which would let a newline pass at the end.
Boot = Annotated[str, Meta(pattern=r"^[0-9a-zA-Z-]{1,32}\Z", max_length=32)]
Seconds = Annotated[int, Meta(ge=1, le=86_400)]
Word = Annotated[str, Meta(max_length=32, pattern=r"^[^\x00-\x1f]*\Z")]
OrderId = Annotated[str, Meta(pattern=r"^[0-9a-z-]{1,36}\Z", max_length=36)]
Hex32 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z", max_length=64)]
Uptime = Annotated[int, Meta(ge=0, le=20 * 366 * 86_400)]


class ResetCause(StrEnum):
    """Why a board started, as far as it can tell."""

    POWER_ON = "power_on"
    BROWNOUT = "brownout"
    WATCHDOG = "watchdog"
    HARD = "hard"
    SOFT = "soft"
    DEEPSLEEP = "deepsleep"
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> ResetCause:
        # A word a newer firmware may add is no reason to lose its heartbeat.
        return cls.UNKNOWN


class DeviceState(StrEnum):
    """The word in a device's status."""

    ONLINE = "online"
    OFFLINE = "offline"


class OfflineReason(StrEnum):
    """Who says offline, and why: the broker (`lwt`), or the device itself."""

    LWT = "lwt"
    BYE = "bye"
    MAINS_LOST = "mains_lost"


class JournalKind(StrEnum):
    """What a device notes while it cannot reach us."""

    BOOT = "boot"
    MAINS_LOST = "mains_lost"
    MAINS_BACK = "mains_back"
    NET_LOST = "net_lost"
    NET_BACK = "net_back"


class PowerState(StrEnum):
    """The bare word on a site's `power` topic."""

    ON = "on"
    OFF = "off"
    UNKNOWN = "unknown"


class SiteStateWord(StrEnum):
    """The state of a site everywhere a person or a program reads it."""

    ON = "on"
    OFF = "off"
    PARTIAL = "partial"
    LATE = "late"
    BACKUP = "backup"
    UNKNOWN = "unknown"
    MAINTENANCE = "maintenance"


class Cause(StrEnum):
    """What took the site away, decided after the fact; `presumed` until evidence says more."""

    PRESUMED = "presumed"
    POWER = "power"
    NETWORK = "network"
    DEVICE = "device"


class EventKind(StrEnum):
    """What an entry of the event log says.

    `momentary` is an interruption too short to miss a deadline; `unstable` and `stable` frame a time in which the
    power came and went so often that single events are not told.
    """

    POWER_LOST = "power_lost"
    POWER_RESTORED = "power_restored"
    OUTAGE_REVISED = "outage_revised"
    MOMENTARY = "momentary"
    UNSTABLE = "unstable"
    STABLE = "stable"


class Change(StrEnum):
    """What a revision changed: the cause is confirmed, the outage never was, or its times are better known."""

    CONFIRMED = "confirmed"
    RETRACTED = "retracted"
    REFINED = "refined"


class EvidenceKind(StrEnum):
    """What a claim about power rests on."""

    LWT = "lwt"
    TIMEOUT = "timeout"
    MAINS = "mains"
    HEARTBEAT = "heartbeat"
    BIRTH = "birth"
    BOOT = "boot"
    JOURNAL = "journal"


class CommandWord(StrEnum):
    """What a device can be asked to do."""

    IDENTIFY = "identify"
    REBOOT = "reboot"
    UPDATE = "update"
    ROTATE = "rotate"


class ReportState(StrEnum):
    """How far a board has come with an order; the last three are its last word on it."""

    ACCEPTED = "accepted"
    LOADING = "loading"
    STORED = "stored"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


class Heartbeat(Struct, frozen=True, kw_only=True, gc=False):
    """Proof of life. `uptime_s` seconds since boot; `ts` Unix seconds, null until the clock is set."""

    v: Literal[1]
    boot: Boot
    boots: Count = 0
    conn: Count
    seq: BigCount
    uptime_s: Uptime
    interval_s: Seconds
    reset: ResetCause = ResetCause.UNKNOWN
    mains: bool | None = None
    volts: Annotated[float, Meta(ge=0, le=1000)] | None = None
    rssi: Annotated[int, Meta(ge=-200, le=100)] | None = None
    heap: Count | None = None
    fw: Word | None = None
    ts: Annotated[int, Meta(ge=0, le=2**33)] | None = None


class DeviceStatus(Struct, frozen=True, kw_only=True, gc=False):
    """Birth, will, goodbye and last gasp: one topic, one shape."""

    v: Literal[1]
    state: DeviceState
    boot: Boot
    conn: Count
    keepalive_s: Seconds
    interval_s: Seconds
    reason: OfflineReason | None = None


class JournalEntry(Struct, frozen=True, kw_only=True):
    """One remembered happening, `t_s` seconds before sending (0 or negative)."""

    t_s: Annotated[float, Meta(ge=-31_536_000, le=0)]
    kind: JournalKind


class Journal(Struct, frozen=True, kw_only=True):
    """What happened while the device could not reach us."""

    v: Literal[1]
    boot: Boot
    entries: Annotated[list[JournalEntry], Meta(max_length=64)]


class Command(Struct, frozen=True, kw_only=True):
    """An order to a device.

    `order` is what its reports refer to, `serial` Unix milliseconds. `size` and `sha256` are of the bundle that the
    device shall load, `mac` is made by `svitlo.firmware.sign`.
    """

    v: Literal[1] = 1
    command: CommandWord
    order: OrderId | msgspec.UnsetType = msgspec.UNSET
    serial: BigCount | msgspec.UnsetType = msgspec.UNSET
    version: Word | msgspec.UnsetType = msgspec.UNSET
    size: Count | msgspec.UnsetType = msgspec.UNSET
    sha256: Hex32 | msgspec.UnsetType = msgspec.UNSET
    password: Annotated[str, Meta(max_length=64)] | msgspec.UnsetType = msgspec.UNSET
    mac: Hex32 | msgspec.UnsetType = msgspec.UNSET


class Report(Struct, frozen=True, kw_only=True):
    """What became of an order; `offset` is that of the next bytes the device wants, with `loading`."""

    v: Literal[1]
    boot: Boot
    order: OrderId
    state: ReportState
    offset: Count | None = None
    text: Annotated[str, Meta(max_length=120, pattern=r"^[^\x00-\x1f]*\Z")] | None = None


class DeviceTally(Struct, frozen=True, kw_only=True):
    """How many devices stand for a site, and how many of them are alive."""

    total: int
    alive: int


class ChildTally(Struct, frozen=True, kw_only=True):
    """How many sites stand directly under a site, and how many are on, partly on (of their own), off or unknown."""

    total: int
    on: int
    partial: int
    off: int
    unknown: int


class Planned(Struct, frozen=True, kw_only=True):
    """Maintenance that is going on; times are UTC."""

    starts_at: datetime
    ends_at: datetime


class OutageRef(Struct, frozen=True, kw_only=True):
    """The open outage of a site: its id and the bounds of its start (UTC)."""

    id: UUID
    started_lo: datetime
    started_hi: datetime


class SiteState(Struct, frozen=True, kw_only=True):
    """The retained `state` of a site; times are UTC."""

    v: Literal[1] = 1
    site: str
    name: str
    state: SiteStateWord
    since: datetime | None
    cause: Cause | None
    devices: DeviceTally
    outage: OutageRef | None
    planned: Planned | None = None
    updated_at: datetime
    children: ChildTally | msgspec.UnsetType = msgspec.UNSET
    unstable: bool | msgspec.UnsetType = msgspec.UNSET


class Evidence(Struct, frozen=True, kw_only=True):
    """One fact behind an event: which device, what was seen, when it reached us (UTC)."""

    device: str
    kind: EvidenceKind
    at: datetime


class Area(Struct, frozen=True, kw_only=True):
    """Many boards vanished together: events with the same `id` are one happening; `sites` of them so far."""

    id: UUID
    sites: int


class Flapping(Struct, frozen=True, kw_only=True):
    """Power that came and went `changes` times since `since` (UTC), `off_s` seconds of it off; `power` is it now."""

    since: datetime
    changes: int
    off_s: float
    power: PowerState


class PowerEvent(Struct, frozen=True, kw_only=True):
    """One entry of the event log; `occurred_lo <= the true moment <= occurred_hi` (UTC).

    A revision bears the `id` of the event it revises and a higher `rev`. `change` is there in revisions;
    `reconstructed` marks what happened while nobody watched; `quiet` what another event tells already.
    """

    v: Literal[1] = 1
    id: UUID
    rev: int
    site: str
    kind: EventKind
    outage_id: UUID
    occurred_lo: datetime
    occurred_hi: datetime
    detected_at: datetime
    cause: Cause
    evidence: list[Evidence]
    change: Change | msgspec.UnsetType = msgspec.UNSET
    reconstructed: bool | msgspec.UnsetType = msgspec.UNSET
    quiet: bool | msgspec.UnsetType = msgspec.UNSET
    area: Area | msgspec.UnsetType = msgspec.UNSET
    flapping: Flapping | msgspec.UnsetType = msgspec.UNSET


class ServiceStatus(Struct, frozen=True, kw_only=True):
    """Whether one of our own processes is up."""

    v: Literal[1] = 1
    state: Literal["online", "offline"]
    version: str


class _Versioned(Struct):
    v: Any = None


DevicePayload = Heartbeat | DeviceStatus | Journal | Report | Command
T = TypeVar("T")

_encoder = msgspec.json.Encoder()
_version_decoder = msgspec.json.Decoder(_Versioned)


def _decoder_of(model: type[T]) -> Callable[[bytes], T]:
    decode: Callable[[bytes], T] = msgspec.json.Decoder(model).decode
    return decode


decode_heartbeat_unchecked = _decoder_of(Heartbeat)
_DEVICE_DECODERS: dict[DeviceChannel, Callable[[bytes], DevicePayload]] = {
    DeviceChannel.HEARTBEAT: decode_heartbeat_unchecked,
    DeviceChannel.STATUS: _decoder_of(DeviceStatus),
    DeviceChannel.JOURNAL: _decoder_of(Journal),
    DeviceChannel.REPORT: _decoder_of(Report),
    DeviceChannel.COMMAND: _decoder_of(Command),
}
"""`update` is not among them: it carries bytes."""


def encode(payload: Struct) -> bytes:
    """The UTF-8 JSON of a payload."""
    return _encoder.encode(payload)


def decode_device(channel: DeviceChannel, payload: bytes) -> DevicePayload:
    """Decode what arrived on a device's topic.

    Raises `PayloadError` with the reason; never anything else, whatever the bytes are.
    """
    if len(payload) > MAX_PAYLOAD:
        raise PayloadError(Malformed.OVERSIZE, f"{len(payload)} bytes, at most {MAX_PAYLOAD}")
    decode = _DEVICE_DECODERS.get(channel)
    if decode is None:
        raise PayloadError(Malformed.CONTENT, f"{channel.value} carries bytes, not a payload to decode")
    return _decode(decode, payload)


def update_chunk(data: bytes, offset: int) -> bytes:
    """One message on `update`: the offset (4 bytes, big endian), then up to `CHUNK_BYTES` of `data` from there."""
    return offset.to_bytes(4, "big") + data[offset : offset + CHUNK_BYTES]


def decode_as(model: type[T], payload: bytes) -> T:
    """Decode a payload of our own making (state, event, service status). Raises `PayloadError`."""
    return _decode(_decoder_of(model), payload)


def _decode(decode: Callable[[bytes], T], payload: bytes) -> T:
    try:
        return decode(payload)
    except msgspec.ValidationError as error:
        raise _invalid(payload, error) from error
    except msgspec.DecodeError as error:
        raise _broken(payload, error) from error
    except (UnicodeDecodeError, RecursionError, ValueError) as error:
        raise _broken(payload, error) from error


def _invalid(payload: bytes, error: Exception) -> PayloadError:
    """Tell an unknown version, whose other fields we cannot judge, from a wrong field of ours."""
    try:
        version = _version_decoder.decode(payload).v
    except (msgspec.DecodeError, ValueError, RecursionError):
        version = None
    if type(version) is int and version != 1:
        return PayloadError(Malformed.VERSION, f"v is {version}, this server knows 1")
    return PayloadError(Malformed.CONTENT, str(error)[:200])


def _broken(payload: bytes, error: Exception) -> PayloadError:
    try:
        payload.decode()
    except UnicodeDecodeError:
        return PayloadError(Malformed.ENCODING, "not UTF-8")
    return PayloadError(Malformed.SYNTAX, str(error)[:200] or type(error).__name__)
