"""Alerts: one event in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.notifier.views.reader import Reader, longer, title
from svitlo.contracts import Cause, EventKind, Flapping, PowerState

LATE_AFTER = timedelta(minutes=2)
"""An alert sent longer than this after detection says so."""

RETRACTED = {Cause.NETWORK: "alert-retracted-network", Cause.DEVICE: "alert-retracted-device"}
"""Causes that mean the power never went, and what to say then."""


@dataclass(frozen=True, kw_only=True)
class Alert:
    """An event and what is known around it; times are UTC. `above` is the name of the place it belongs to; of so many
    `others` there we know how the power is.

    Of a correction, `off_since`: the power is off now, in another outage than the corrected one.

    `area_sites`: so many places vanished together with this one. `held_until`: it was kept back by the chat's own
    rules, and is not late for that.
    """

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
    area_sites: int = 0
    held_until: datetime | None = None
    above: str | None = None
    others: int = 0
    others_off: int = 0
    off_since: datetime | None = None

    @property
    def news_at(self) -> datetime:
        """From when on it could be told."""
        return max(self.detected_at, self.held_until or self.detected_at)

    @property
    def retracted(self) -> bool:
        """Whether it says that an outage never was."""
        return self.kind is EventKind.OUTAGE_REVISED and self.cause in RETRACTED


def alert_text(alert: Alert, reader: Reader) -> str:
    """The text of an alert: place and state first, then what else is known."""
    headline, detail = _ALERTS[alert.kind](alert, reader)
    if reader.now - alert.news_at > LATE_AFTER:
        headline = f"{headline} {reader.words.say('alert-late')}"
    return "\n".join(line for line in (headline, reader.escape(longer(alert.place, alert.above)), detail) if line)


def headline_of(alert: Alert, reader: Reader) -> str:
    """The first line of an alert alone, for lists."""
    return _ALERTS[alert.kind](alert, reader)[0]


def around_line(alert: Alert, reader: Reader) -> str:
    """Whether it is this place alone, or more of what it belongs to; nothing where all is well or nobody knows."""
    own = {EventKind.POWER_LOST: 1, EventKind.POWER_RESTORED: 0}.get(alert.kind)
    if own is None or alert.above is None or not alert.others or not alert.others_off + own:
        return ""
    off, total = alert.others_off + own, alert.others + 1
    key = "alert-around-all" if off == total else "alert-around"
    return reader.words.say(key, place=reader.escape(alert.above), off=off, count=total)


def correction_lines(alert: Alert, reader: Reader) -> list[str]:
    """A correction beside news of the same place: what was wrong, without the place's name."""
    words, started = reader.words, reader.time(alert.outage_started or alert.occurred_lo)
    if alert.cause in RETRACTED:
        return [f"↩️ {words.say(RETRACTED[alert.cause], time=started)}"]
    if alert.outage_ended is None:
        return [words.say("storm-corrected", time=started)]
    return [words.say("storm-corrected-over", time=started, end=reader.time(alert.outage_ended))]


def _lost(alert: Alert, reader: Reader) -> tuple[str, str]:
    words = reader.words
    headline = words.say("alert-lost", place=_place(alert, reader), time=reader.time(alert.occurred_lo))
    details = []
    if alert.power_since is not None:
        before = words.duration(alert.occurred_lo - alert.power_since)
        details.append(words.say("alert-lost-before", duration=before))
    if alert.area_sites > 1:
        details.append(words.say("alert-lost-area", count=alert.area_sites - 1))
    return headline, "\n".join(details)


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
    # Whoever reads no further must not think that it is on.
    now = f"\n{words.say('alert-off-now', time=reader.time(alert.off_since))}" if alert.off_since else ""
    if alert.cause in RETRACTED:
        detail = words.say(RETRACTED[alert.cause], time=reader.time(started))
        return words.say("alert-retracted", place=place), detail + now
    if alert.outage_ended is None:
        return words.say("alert-refined", place=place, time=reader.time(started)), ""
    return (
        words.say("alert-refined-over", place=place, time=reader.time(started), end=reader.time(alert.outage_ended)),
        words.say("alert-refined-after", duration=words.duration(alert.outage_ended - started)) + now,
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
    return reader.escape(title(alert.place, alert.above))


_ALERTS: dict[EventKind, Callable[[Alert, Reader], tuple[str, str]]] = {
    EventKind.POWER_LOST: _lost,
    EventKind.POWER_RESTORED: _restored,
    EventKind.OUTAGE_REVISED: _revised,
    EventKind.UNSTABLE: _unstable,
    EventKind.STABLE: _stable,
}

ALERT_KINDS = tuple(_ALERTS)
"""The kinds of events there are words for."""
