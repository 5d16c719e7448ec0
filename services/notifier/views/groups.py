"""What groups and channels read: the pinned message, the wizard and what it finds missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from services.notifier.views.reader import Reader
from services.notifier.views.status import DATED, STATUS_ROOM, SiteStatus
from svitlo.contracts import SiteStateWord

PIN_VERSION = "1"
"""Counts up with each change of `pin_text`, so that what is pinned already shows it."""

PLACES = 10
"""How many of its places a chat's card names."""


def pin_text(sites: Sequence[SiteStatus], reader: Reader) -> str:
    """How all places of a chat stand. Its first line says the most: it is what shows above the chat.

    It tells no spans, so that within a year it changes only when the facts do.
    """
    words = reader.words
    if not sites:
        return words.say("pin-empty")
    lines = [_line(site, reader) for site in sites]
    kept: list[str] = []
    room = STATUS_ROOM
    for index, line in enumerate(lines):
        room -= len(line) + 1
        if room < 0:
            kept.append(words.say("status-more", count=len(lines) - index))
            break
        kept.append(line)
    summary = _summary(sites, reader) if len(sites) > 1 else ""
    head = [summary, ""] if summary else []
    return "\n".join([*head, *kept, "", f"<i>{words.say('pin-live')}</i>"])


def _summary(sites: Sequence[SiteStatus], reader: Reader) -> str:
    """All of them in a line; empty where nothing can be said of any."""
    on = sum(site.state is SiteStateWord.ON for site in sites)
    off = sum(site.state is SiteStateWord.OFF for site in sites)
    if on == len(sites):
        return reader.words.say("pin-all-on")
    if off == len(sites):
        return reader.words.say("pin-all-off")
    if on:
        return reader.words.say("pin-some-on", on=on, total=len(sites))
    return reader.words.say("pin-some-off", off=off, total=len(sites)) if off else ""


def _line(site: SiteStatus, reader: Reader) -> str:
    words = reader.words
    line = words.say(f"state-{site.state.value}", place=reader.escape(site.place))
    if site.state in DATED and site.since is not None:
        # With the date, always: nobody knows on which day this is read.
        time = words.time(site.since, reader.zone, reader.now + timedelta(days=1))
        line += " " + words.say("pin-since", time=time)
    if site.children_off:
        line += "\n" + words.say("state-children", off=site.children_off, total=site.children)
    return line


@dataclass(frozen=True, kw_only=True)
class Card:
    """A group, topic or channel as its admin sees it.

    `kind` is Telegram's word; `title` is None where the card stands in the chat itself. `pinned`: it wants a pinned
    message. `may_send`, `may_pin`: what the bot is allowed to. `other_topics`: there is more to choose from.
    """

    kind: str
    title: str | None
    places: Sequence[str]
    language: str
    pinned: bool
    may_send: bool
    may_pin: bool
    topic: bool = False
    other_topics: bool = False


def card_text(card: Card, reader: Reader) -> str:
    """What a chat gets, what is missing for it, and how to grant that."""
    say = reader.words.say
    where = f"card-{_kind(card.kind)}" if not card.topic else "card-topic"
    title = f"<b>{reader.escape(card.title)}</b>\n" if card.title else ""
    parts = [title + say(where if card.places else f"{where}-empty")]
    if card.places:
        parts.append("\n".join(f"• {reader.escape(name)}" for name in card.places[:PLACES]))
        if len(card.places) > PLACES:
            parts[-1] += "\n" + say("status-more", count=len(card.places) - PLACES)
    if missing := rights_text(card, reader):
        parts.append(missing)
    if card.other_topics:
        parts.append(say("card-topics"))
    return "\n\n".join(parts)


def rights_text(card: Card, reader: Reader) -> str:
    """Exactly what the bot may not do yet though it was asked to, and how to let it; empty if nothing is missing."""
    say, kind = reader.words.say, _kind(card.kind)
    missing = []
    if not card.may_send:
        missing.append(say(f"missing-send-{kind}"))
    if card.pinned and not card.may_pin:
        missing.append(say(f"missing-pin-{kind}"))
    if not missing:
        return ""
    return "\n".join([say("missing"), *missing, say(f"missing-how-{kind}")])


def no_pin_text(kind: str, reader: Reader) -> str:
    """Said once in a chat whose admins took the right to pin away."""
    say = reader.words.say
    return f"{say('pin-stopped')}\n{say(f'missing-how-{_kind(kind)}')}\n{say('pin-stopped-else')}"


def _kind(kind: str) -> str:
    return "channel" if kind == "channel" else "group"


def unlinked_text(title: str | None, reader: Reader) -> str:
    """Nothing is told any more: here, or (from elsewhere) in the chat of that title."""
    if title is None:
        return reader.words.say("unlink-done")
    return reader.words.say("unlink-done-there", title=reader.escape(title))
