"""What people read: pure functions from facts to text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from services.notifier.texts import Words
from svitlo.contracts import Cause, EventKind, Flapping, PowerState, SiteStateWord

LATE_AFTER = timedelta(minutes=2)
"""An alert sent longer than this after detection says so."""

HEADLINE_NAME = 22
"""Characters of a name in the first line: place and state must fit the 40 a notification shows."""

STATUS_ROOM = 3500
"""Characters of a status, below Telegram's 4096 with room for markup."""

DATED = (SiteStateWord.ON, SiteStateWord.OFF, SiteStateWord.UNKNOWN)
"""States that began when the power became what it is; of the others nobody kept since when."""

RETRACTED = {Cause.NETWORK: "alert-retracted-network", Cause.DEVICE: "alert-retracted-device"}
"""Causes that mean the power never went, and what to say then."""

Escape = Callable[[str], str]


@dataclass(frozen=True, kw_only=True)
class Alert:
    """An event and what is known around it; times are UTC."""

    kind: EventKind
    cause: Cause
    place: str
    occurred_lo: datetime
    occurred_hi: datetime
    detected_at: datetime
    outage_started: datetime | None = None
    outage_ended: datetime | None = None
    power_since: datetime | None = None
    reconstructed: bool = False
    flapping: Flapping | None = None


@dataclass(frozen=True, kw_only=True)
class SiteStatus:
    """How a site stands now: since when its power is what it is, the cause while it is off, and of the `children`
    directly under it how many are off."""

    place: str
    state: SiteStateWord
    since: datetime | None
    cause: Cause | None
    power: PowerState = PowerState.UNKNOWN
    children: int = 0
    children_off: int = 0


@dataclass(frozen=True, kw_only=True)
class Reader:
    """For whom a text is made: language, time zone, the moment of reading, and how the channel escapes."""

    words: Words
    zone: ZoneInfo
    now: datetime
    escape: Escape

    def time(self, moment: datetime) -> str:
        """A moment as the reader's clock shows it."""
        return self.words.time(moment, self.zone, self.now)


def alert_text(alert: Alert, reader: Reader) -> str:
    """The text of an alert: place and state first, then what else is known."""
    headline, detail = _ALERTS[alert.kind](alert, reader)
    if reader.now - alert.detected_at > LATE_AFTER:
        headline = f"{headline} {reader.words.say('alert-late')}"
    full_name = reader.escape(alert.place) if len(alert.place) > HEADLINE_NAME else ""
    return "\n".join(line for line in (headline, full_name, detail) if line)


def status_text(sites: Sequence[SiteStatus], reader: Reader) -> str:
    """One paragraph a site, cut where a message would grow too long."""
    paragraphs: list[str] = []
    room = STATUS_ROOM
    for index, site in enumerate(sites):
        paragraph = _site_status(site, reader)
        room -= len(paragraph) + 2
        if room < 0:
            paragraphs.append(reader.words.say("status-more", count=len(sites) - index))
            break
        paragraphs.append(paragraph)
    return "\n\n".join(paragraphs)


def short_name(name: str, limit: int = HEADLINE_NAME) -> str:
    """A name cut to `limit` characters."""
    return name if len(name) <= limit else name[: limit - 1].rstrip() + "…"


def _site_status(site: SiteStatus, reader: Reader) -> str:
    words = reader.words
    since = ""
    if site.since is not None:
        span = words.duration(reader.now - site.since)
        since = " " + words.say("state-since", time=reader.time(site.since), duration=span)
    lines = [words.say(f"state-{site.state.value}", place=reader.escape(site.place))]
    if site.state in DATED:
        lines[0] += since
    elif site.state is SiteStateWord.MAINTENANCE and site.power is not PowerState.UNKNOWN:
        lines.append(words.say(f"power-{site.power.value}") + since)
    if site.children_off:
        lines.append(words.say("state-children", off=site.children_off, total=site.children))
    if site.cause is not None:
        lines.append(words.say(f"cause-{site.cause.value}"))
    return "\n".join(lines)


def _lost(alert: Alert, reader: Reader) -> tuple[str, str]:
    words = reader.words
    headline = words.say("alert-lost", place=_place(alert, reader), time=reader.time(alert.occurred_lo))
    if alert.power_since is None:
        return headline, ""
    return headline, words.say("alert-lost-before", duration=words.duration(alert.occurred_lo - alert.power_since))


def _restored(alert: Alert, reader: Reader) -> tuple[str, str]:
    words = reader.words
    if alert.reconstructed and alert.outage_started is not None:
        start, end = alert.outage_started, alert.occurred_hi
        place = _place(alert, reader)
        return (
            words.say("alert-missed", place=place, start=reader.time(start), end=reader.time(end)),
            words.say("alert-missed-after", duration=words.duration(end - start)),
        )
    headline = words.say("alert-restored", place=_place(alert, reader), time=reader.time(alert.occurred_hi))
    if alert.outage_started is None:
        return headline, ""
    return headline, words.say(
        "alert-restored-after", duration=words.duration(alert.occurred_hi - alert.outage_started)
    )


def _revised(alert: Alert, reader: Reader) -> tuple[str, str]:
    words, place = reader.words, _place(alert, reader)
    started = alert.outage_started or alert.occurred_lo
    if alert.cause in RETRACTED:
        return words.say("alert-retracted", place=place), words.say(RETRACTED[alert.cause], time=reader.time(started))
    if alert.outage_ended is None:
        return words.say("alert-refined", place=place, time=reader.time(started)), ""
    return (
        words.say("alert-refined-over", place=place, time=reader.time(started), end=reader.time(alert.outage_ended)),
        words.say("alert-refined-after", duration=words.duration(alert.outage_ended - started)),
    )


def _unstable(alert: Alert, reader: Reader) -> tuple[str, str]:
    words = reader.words
    # Where every loss so far was taken back, it is the board's connection that comes and goes.
    key = "alert-unstable-network" if alert.cause in RETRACTED else "alert-unstable"
    headline = words.say(key, place=_place(alert, reader), time=reader.time(alert.occurred_lo))
    if alert.flapping is None:
        return headline, ""
    return headline, words.say("alert-unstable-so-far", count=alert.flapping.changes)


def _stable(alert: Alert, reader: Reader) -> tuple[str, str]:
    words, flapping = reader.words, alert.flapping
    power = flapping.power if flapping is not None else PowerState.UNKNOWN
    turned = {PowerState.ON: alert.outage_ended, PowerState.OFF: alert.outage_started}.get(power)
    end = turned or alert.occurred_hi
    headline = words.say(f"alert-stable-{power.value}", place=_place(alert, reader), time=reader.time(end))
    if flapping is None:
        return headline, ""
    start, off = reader.time(flapping.since), timedelta(seconds=flapping.off_s)
    detail = words.say("alert-stable-before", count=flapping.changes, start=start, end=reader.time(end))
    if off >= timedelta(seconds=1):
        detail = f"{detail}, {words.say('alert-stable-off-for', duration=words.duration(off))}"
    return headline, detail


def _place(alert: Alert, reader: Reader) -> str:
    return reader.escape(short_name(alert.place))


_ALERTS: dict[EventKind, Callable[[Alert, Reader], tuple[str, str]]] = {
    EventKind.POWER_LOST: _lost,
    EventKind.POWER_RESTORED: _restored,
    EventKind.OUTAGE_REVISED: _revised,
    EventKind.UNSTABLE: _unstable,
    EventKind.STABLE: _stable,
}

ALERT_KINDS = tuple(_ALERTS)
"""The kinds of events there are words for."""
