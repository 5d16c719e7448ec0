"""By which rules a target is told: what the options of `svitlo bot target` say, and the rules as people read them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from services.notifier import chats, chats_rules, typed
from services.notifier.chats_rules import KINDS, Rules
from services.notifier.targets import RuleChange, WholeChange, Wishes
from services.notifier.texts import LANGUAGES, words
from services.notifier.views import Reader
from services.notifier.views.settings import headline_text, rules_lines
from svitlo.cli.maintenance import parse_length, parse_moment
from svitlo.errors import UserError

HOUR = timedelta(hours=1)
REMIND_MOST = 24 * HOUR


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The options as they were typed; None: not given."""

    kinds: str | None = None
    min_minutes: int | None = None
    quiet: str | None = None
    quiet_mode: str | None = None
    mute: str | None = None
    remind: str | None = None
    zone: str | None = None
    language: str | None = None

    def __bool__(self) -> bool:
        return any(value is not None for value in vars(self).values())


def wishes(asked: Asked, clock: ZoneInfo, now: datetime) -> Wishes:
    """What was asked for. `clock` is the target's unless it gets another one now. Raises `UserError`."""
    rules: list[RuleChange] = []
    whole: list[WholeChange] = []
    if asked.zone is not None:
        zone = parse_zone(asked.zone)
        clock = clock if zone is None else ZoneInfo(zone)
        whole.append(partial(chats.set_timezone, zone=zone))
    if asked.language is not None:
        whole.append(partial(chats.set_language, language=parse_language(asked.language)))
    if asked.kinds is not None:
        rules.append(partial(chats_rules.set_kinds, kinds=parse_kinds(asked.kinds)))
    if asked.min_minutes is not None:
        rules.append(partial(chats_rules.set_min_minutes, minutes=asked.min_minutes))
    if asked.quiet is not None:
        rules.append(partial(chats_rules.set_quiet, hours=parse_quiet(asked.quiet)))
    # Apprise knows no message without a sound: quiet hours are worth asking for because they hold back.
    mode = asked.quiet_mode or ("hold" if asked.quiet is not None else None)
    if mode is not None:
        rules.append(partial(chats_rules.set_quiet_mode, mode=parse_mode(mode)))
    if asked.remind is not None:
        rules.append(partial(chats_rules.set_remind, minutes=parse_remind(asked.remind)))
    if asked.mute is not None:
        rules.append(partial(chats_rules.mute, until=parse_mute(asked.mute, clock, now)))
    return Wishes(
        rules=rules, whole=whole, said={name: str(value) for name, value in vars(asked).items() if value is not None}
    )


def shown(rules: Rules, clock: ZoneInfo, now: datetime) -> str:
    """The rules of one place, in English as all of the command line."""
    reader = Reader(words=words("en"), zone=clock, now=now, escape=str)
    return "\n  ".join([headline_text(rules, reader), *rules_lines(rules, reader)])


def parse_kinds(text: str) -> tuple[str, ...]:
    """Kinds of alert, separated by commas; `all`, `none`. Raises `UserError`."""
    asked = [word.strip().lower() for word in text.split(",")]
    if asked in (["all"], ["none"]):
        return KINDS if asked == ["all"] else ()
    for kind in asked:
        if kind not in KINDS:
            raise UserError(f"--kinds: there is no {kind!r}; write some of {','.join(KINDS)}, or: all, none")
    return tuple(asked)


def parse_quiet(text: str) -> tuple[int, int] | None:
    """Quiet hours in minutes of the day; None for `none`. Raises `UserError`."""
    if text.strip().lower() == "none":
        return None
    hours = typed.hours(text)
    if hours is None:
        raise UserError(f"--quiet: {text!r} are no hours; write such as 23:00-07:00, or: none")
    return hours


def parse_mode(text: str) -> str:
    """What quiet means. Raises `UserError`."""
    return _one_of("--quiet-mode", text, ("hold", "silent"))


def parse_remind(text: str) -> int:
    """Minutes between reminders; 0 for `none`. Raises `UserError`."""
    if text.strip().lower() == "none":
        return 0
    try:
        often = parse_length(text)
    except UserError as error:
        raise UserError(f"--remind: {error}, or: none") from error
    if not HOUR <= often <= REMIND_MOST or often % HOUR:
        raise UserError("--remind: whole hours from 1h to 24h, or: none")
    return often // HOUR * 60


def parse_mute(text: str, clock: ZoneInfo, now: datetime) -> datetime | None:
    """When a mute ends, in UTC; None for `off`. Raises `UserError`."""
    word = text.strip().lower()
    if word in ("off", "forever"):
        return None if word == "off" else typed.FOREVER
    try:
        until = now + parse_length(word)
    except UserError:
        try:
            until = parse_moment(text, clock, now)
        except UserError as error:
            raise UserError(f"--mute: {error}; or how long (8h, 2d), forever, off") from error
    if until <= now:
        raise UserError("--mute: that time is over already; off ends a mute")
    return until


def parse_zone(text: str) -> str | None:
    """An IANA zone; None for `default`. Raises `UserError`."""
    if text.strip().lower() == "default":
        return None
    zone = typed.zone(text)
    if zone is None:
        raise UserError(f"--zone: {text!r} is no time zone; write one such as Europe/Warsaw, or: default")
    return zone


def parse_language(text: str) -> str:
    """A language that is spoken. Raises `UserError`."""
    return _one_of("--language", text, LANGUAGES)


def _one_of(option: str, text: str, choices: tuple[str, ...]) -> str:
    if text not in choices:
        raise UserError(f"{option}: there are {' and '.join(choices)}, no {text!r}")
    return text
