"""How places stand now, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.notifier.views.reader import Reader
from svitlo.contracts import Cause, PowerState, SiteStateWord

STATUS_ROOM = 3500
"""Characters of a status, below Telegram's 4096 with room for markup."""

DATED = (SiteStateWord.ON, SiteStateWord.OFF, SiteStateWord.UNKNOWN)
"""States that began when the power became what it is; of the others nobody kept since when."""


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
