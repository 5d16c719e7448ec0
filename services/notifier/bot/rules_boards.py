"""Inline keyboards of settings: those of a place, and the choices behind each of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from aiogram.filters.callback_data import CallbackData
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup

from services.notifier.bot.keyboards import Act, Press, Row, Rule, button
from services.notifier.chats_rules import KINDS, Rules
from services.notifier.typed import morning
from services.notifier.views import Reader
from services.notifier.views.settings import hours_text

LENGTHS = (0, 5, 10, 30, 60)
QUIET = ((22 * 60, 7 * 60), (23 * 60, 7 * 60), (0, 8 * 60))
REMINDERS = (0, 60, 180, 360, 720)
MUTES = (60, 480)
"""All in minutes."""

MODES = ("silent", "hold")
MORNING, FOREVER, UNMUTE = -1, -2, 0
"""Numbers of a mute that are no minutes."""


class Do(StrEnum):
    """What a button of a place's settings does; the capital ones change something."""

    CARD = "c"
    KINDS = "k"
    SET_KIND = "K"
    LENGTH = "n"
    SET_LENGTH = "N"
    QUIET = "q"
    SET_QUIET = "Q"
    SET_MODE = "W"
    TYPE_QUIET = "t"
    REMIND = "r"
    SET_REMIND = "R"
    MUTE = "u"
    SET_MUTE = "U"
    LEAVE = "l"
    SET_LEAVE = "L"


class Whole(CallbackData, prefix="sw"):
    """A button of the whole chat's settings: `mute`, `language`, `zone` or `forget`, and what was chosen."""

    what: str
    value: str


def card_board(rules: Rules, reader: Reader) -> InlineKeyboardMarkup:
    """What can be set of a place."""
    muted = rules.muted_until is not None and rules.muted_until > reader.now
    mute = (Do.SET_MUTE, "set-unmute") if muted else (Do.MUTE, "set-mute")
    rows = [
        [(Do.KINDS, "set-kinds"), (Do.LENGTH, "set-length")],
        [(Do.QUIET, "set-quiet"), (Do.REMIND, "set-remind")],
        [mute, (Do.LEAVE, "set-leave")],
    ]
    say = reader.words.say
    places = button(say("button-places"), Press(act=Act.LIST, site=0, page=0))
    return _markup([*([button(say(key), _rule(do, rules)) for do, key in row] for row in rows), [places]])


def kinds_board(rules: Rules, reader: Reader) -> InlineKeyboardMarkup:
    """Each kind of alert, to be switched on or off."""
    rows = [
        [_choice(reader.words.say(f"pick-kind-{kind}"), kind in rules.kinds, _rule(Do.SET_KIND, rules, index))]
        for index, kind in enumerate(KINDS)
    ]
    return _markup([*rows, _back(rules, reader)])


def length_board(rules: Rules, reader: Reader) -> InlineKeyboardMarkup:
    """How long an outage must last to be told."""
    choices = [
        _choice(
            _minutes("pick-length", minutes, reader, "-any"),
            minutes == rules.min_minutes,
            _rule(Do.SET_LENGTH, rules, minutes),
        )
        for minutes in LENGTHS
    ]
    return _markup([*_pairs(choices), _back(rules, reader)])


def quiet_board(rules: Rules, reader: Reader) -> InlineKeyboardMarkup:
    """Usual quiet hours or one's own, and what quiet means."""
    say = reader.words.say
    none = _choice(say("pick-quiet-none"), rules.quiet is None, _rule(Do.SET_QUIET, rules, -1))
    usual = [
        _choice(hours_text(hours), hours == rules.quiet, _rule(Do.SET_QUIET, rules, packed(hours))) for hours in QUIET
    ]
    own = _choice(say("pick-quiet-own"), rules.quiet not in (None, *QUIET), _rule(Do.TYPE_QUIET, rules))
    rows = [[none], *_pairs([*usual, own])]
    if rules.quiet is not None:
        rows.append(
            [
                _choice(say(f"pick-{mode}"), mode == rules.quiet_mode, _rule(Do.SET_MODE, rules, index))
                for index, mode in enumerate(MODES)
            ]
        )
    return _markup([*rows, _back(rules, reader)])


def remind_board(rules: Rules, reader: Reader) -> InlineKeyboardMarkup:
    """How often to remind."""
    choices = [
        _choice(
            _minutes("pick-remind", minutes, reader, "-never"),
            minutes == rules.remind_minutes,
            _rule(Do.SET_REMIND, rules, minutes),
        )
        for minutes in REMINDERS
    ]
    return _markup([choices[:1], *_pairs(choices[1:]), _back(rules, reader)])


def mute_board(rules: Rules, reader: Reader) -> InlineKeyboardMarkup:
    """How long to say nothing of a place."""
    rows = _pairs([button(label, _rule(Do.SET_MUTE, rules, value)) for value, label in _mutes(reader)])
    return _markup([*rows, _back(rules, reader)])


def leave_board(rules: Rules, reader: Reader) -> InlineKeyboardMarkup:
    """Whether to stop following, once more."""
    say = reader.words.say
    return _markup(
        [[button(say("pick-leave"), _rule(Do.SET_LEAVE, rules))], [button(say("pick-stay"), _rule(Do.CARD, rules))]]
    )


def back_board(rules: Rules, reader: Reader, do: Do = Do.CARD) -> InlineKeyboardMarkup:
    """Only the way back."""
    return _markup([[button(reader.words.say("button-back"), _rule(do, rules))]])


def mute_all_board(reader: Reader, *, muted: bool) -> InlineKeyboardMarkup:
    """How long to say nothing at all; to speak again if it is `muted`."""
    choices = [(str(value), label) for value, label in _mutes(reader)]
    again = [(str(UNMUTE), reader.words.say("set-unmute"))] if muted else []
    return whole_board("mute", [*choices, *again])


def whole_board(what: str, choices: Iterable[tuple[str, str]], chosen: str = "") -> InlineKeyboardMarkup:
    """Choices for the whole chat, by value and label."""
    made = [_choice(label, value == chosen, Whole(what=what, value=value)) for value, label in choices]
    return _markup(_pairs(made))


def packed(hours: tuple[int, int]) -> int:
    """Quiet hours as one number."""
    return hours[0] * 1440 + hours[1]


def unpacked(number: int) -> tuple[int, int] | None:
    """Quiet hours out of one number; None if it holds none."""
    start, end = divmod(number, 1440)
    return (start, end) if 0 <= start < 1440 and start != end else None


def muted_until(value: int, now: datetime, zone: ZoneInfo, forever: datetime) -> datetime | None:
    """The end of the mute a button asks for; None: speak again."""
    if value == MORNING:
        return morning(now, zone)
    return {UNMUTE: None, FOREVER: forever}.get(value, now + timedelta(minutes=value))


def _mutes(reader: Reader) -> list[tuple[int, str]]:
    say = reader.words.say
    return [
        *((minutes, _minutes("pick-mute", minutes, reader)) for minutes in MUTES),
        (MORNING, say("pick-mute-until", time=reader.time(morning(reader.now, reader.zone)))),
        (FOREVER, say("pick-mute-forever")),
    ]


def _minutes(key: str, minutes: int, reader: Reader, without: str = "") -> str:
    if not minutes:
        return reader.words.say(key + without)
    return reader.words.say(key, duration=reader.words.duration(timedelta(minutes=minutes)), hours=minutes // 60)


def _choice(label: str, chosen: bool, press: CallbackData) -> InlineKeyboardButton:
    return button(f"✅ {label}" if chosen else label, press)


def _rule(do: Do, rules: Rules, value: int = 0) -> Rule:
    return Rule(do=do.value, site=rules.site, value=value)


def _back(rules: Rules, reader: Reader) -> Row:
    return [button(reader.words.say("button-back"), _rule(Do.CARD, rules))]


def _pairs(buttons: Sequence[InlineKeyboardButton]) -> list[Row]:
    return [list(buttons[at : at + 2]) for at in range(0, len(buttons), 2)]


def _markup(rows: Sequence[Row]) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(inline_keyboard=list(rows))
