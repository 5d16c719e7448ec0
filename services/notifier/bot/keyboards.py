"""Inline keyboards: boards of places to follow or to leave, in pages."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from aiogram.filters.callback_data import CallbackData
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup

from services.notifier.chats import Place
from services.notifier.texts import Words
from services.notifier.views import short_name

PAGE = 8
NAME = 40


class Board(StrEnum):
    """What pressing a place on this board does."""

    FOLLOW = "f"
    LEAVE = "l"


class Press(CallbackData, prefix="p"):
    """A button: a place by its key (0: only turn to `page`). At most 30 of the 64 bytes Telegram allows."""

    board: Board
    site: int
    page: int


def board_of(board: Board, places: Sequence[Place], page: int, words: Words) -> InlineKeyboardMarkup | None:
    """One page of places, with buttons to turn the page; None if there are no places."""
    if not places:
        return None
    page = min(page, (len(places) - 1) // PAGE)
    rows = [[_place(board, place, page)] for place in places[page * PAGE : (page + 1) * PAGE]]
    turns = []
    if page > 0:
        turns.append(_button(words.say("page-back"), Press(board=board, site=0, page=page - 1)))
    if (page + 1) * PAGE < len(places):
        turns.append(_button(words.say("page-next"), Press(board=board, site=0, page=page + 1)))
    return InlineKeyboardMarkup(inline_keyboard=[*rows, turns] if turns else rows)


def _place(board: Board, place: Place, page: int) -> InlineKeyboardButton:
    mark = "✅ " if board is Board.FOLLOW and place.followed else ""
    return _button(mark + short_name(place.name, NAME), Press(board=board, site=place.id, page=page))


def _button(label: str, press: Press) -> InlineKeyboardButton:
    return InlineKeyboardButton(text=label, callback_data=press.pack())
