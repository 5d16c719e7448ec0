"""What people read while they say by which rules they want to be told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from services.notifier.chats_forget import Kept
from services.notifier.chats_rules import KINDS, Rules
from services.notifier.typed import FOREVER
from services.notifier.views.finding import muted_line, state_line
from services.notifier.views.reader import Reader, short_name
from services.notifier.views.status import SiteStatus

NAMED = 5
"""How many of the silent places are named."""


def card_text(rules: Rules, status: SiteStatus, chat_muted: datetime | None, reader: Reader) -> str:
    """By which rules a place is followed, and how it stands: first whether it speaks at all."""
    lines = [headline_text(rules, reader), state_line(status, reader), ""]
    if chat_muted is not None and chat_muted > reader.now:
        lines.append(muted_line("places-muted", chat_muted, reader))
    return "\n".join([*lines, *rules_lines(rules, reader)])


def headline_text(rules: Rules, reader: Reader) -> str:
    """A place that is followed, and whether it speaks at all."""
    say, place = reader.words.say, reader.escape(rules.title)
    if muted_now(rules, reader):
        key = "card-muted-forever" if rules.muted_until == FOREVER else "card-muted"
        return say(key, place=place, time=reader.time(rules.muted_until or reader.now))
    return say("card" if rules.kinds else "card-silent", place=place)


def muted_now(rules: Rules, reader: Reader) -> bool:
    """Whether nothing is told of a place now because somebody asked for silence."""
    return rules.muted_until is not None and rules.muted_until > reader.now


def rules_lines(rules: Rules, reader: Reader) -> list[str]:
    """The rules of a place one by one."""
    say = reader.words.say
    return [
        say("card-kinds", kinds=kinds_text(rules, reader)),
        say("card-length", length=length_text(rules.min_minutes, reader)),
        say("card-quiet", hours=quiet_text(rules, reader)),
        say("card-remind", often=remind_text(rules.remind_minutes, reader)),
    ]


def kinds_text(rules: Rules, reader: Reader) -> str:
    """The kinds of alert that are wanted."""
    wanted = [kind for kind in KINDS if kind in rules.kinds]
    if len(wanted) == len(KINDS):
        return reader.words.say("kinds-all")
    return ", ".join(reader.words.say(f"kind-{kind}") for kind in wanted) or reader.words.say("kinds-none")


def length_text(minutes: int, reader: Reader) -> str:
    """Which outages are wanted by their length."""
    if not minutes:
        return reader.words.say("length-any")
    return reader.words.say("length-over", duration=reader.words.duration(timedelta(minutes=minutes)))


def quiet_text(rules: Rules, reader: Reader) -> str:
    """The quiet hours and what they mean."""
    if rules.quiet is None:
        return reader.words.say("quiet-none")
    return f"{hours_text(rules.quiet)}, {reader.words.say(f'mode-{rules.quiet_mode}')}"


def hours_text(hours: tuple[int, int]) -> str:
    """Minutes of the day as a clock shows them: `22:00–07:00`."""
    return "–".join(f"{minute // 60:02}:{minute % 60:02}" for minute in hours)


def remind_text(minutes: int, reader: Reader) -> str:
    """How often it reminds."""
    if not minutes:
        return reader.words.say("remind-never")
    duration = reader.words.duration(timedelta(minutes=minutes))
    return reader.words.say("remind-every", duration=duration, hours=minutes // 60)


def muted_text(until: datetime | None, reader: Reader) -> str:
    """The whole chat is muted, or speaks again."""
    if until is None:
        return reader.words.say("unmuted")
    return muted_line("muted", until, reader)


def unmuted_text(silent: Sequence[str], reader: Reader, *, whole: bool) -> str:
    """The `whole` chat speaks again, or else the places that were `silent`; those stay so beside a whole chat."""
    say = reader.words.say
    names = ", ".join(reader.escape(short_name(name)) for name in silent[:NAMED]) + "…" * (len(silent) > NAMED)
    if not whole:
        return say("unmuted-places", places=names) if silent else say("unmuted-already")
    return "\n".join([say("unmuted"), *([say("unmuted-still", places=names)] if silent else [])])


def zone_text(name: str, reader: Reader, *, chosen: bool, private: bool = True) -> str:
    """A chat's time zone and what its clock shows; with a question unless it was `chosen` just now."""
    key = "zone-set" if chosen else "zone-now" if private else "zone-now-group"
    return reader.words.say(key, zone=name, time=reader.time(reader.now))


def forget_text(kept: Kept, reader: Reader, *, group: bool, done: bool, last_owner: bool = False) -> str:
    """What would be deleted, or was; `last_owner`: and what it means that nobody is left to give roles."""
    say = reader.words.say
    counts = {"forget-places": kept.places, "forget-messages": kept.messages, "forget-roles": kept.roles}
    what = ", ".join(say(key, count=count) for key, count in counts.items() if count) or say("forget-settings")
    where = "group" if group else "chat"
    text = say("forgotten" if done else f"forget-ask-{where}", what=what)
    if not last_owner:
        return text
    return f"{text}\n\n{say('forgotten-last-owner' if done else 'forget-last-owner')}"
