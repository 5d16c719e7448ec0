"""Inline keyboards of finding a place: the tree, what was found, the chat's own places. The parts others use too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import TypeVar

from aiogram.filters.callback_data import CallbackData
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup

from services.notifier.chats_rules import Rules
from services.notifier.places import Spot, Tree
from services.notifier.texts import Words
from services.notifier.views import short_path
from services.notifier.views.finding import LABEL, found_label, spot_label

PAGE = 8
AT_ONCE = 50
"""A place with more than this below it is not offered to be followed all at once: that would be a flood of alerts."""

Row = list[InlineKeyboardButton]
_Item = TypeVar("_Item")


class Act(StrEnum):
    """What a button of finding does."""

    FOLLOW = "f"
    OPEN = "o"
    LIST = "l"


class Press(CallbackData, prefix="p"):
    """Follow the place with this key, open it in the tree (0: the top) at `page`, or list the chat's own places."""

    act: Act
    site: int
    page: int


class Rule(CallbackData, prefix="s"):
    """A button of a place's settings: what it does (see `settings`), the key of the place, and a number."""

    do: str
    site: int
    value: int = 0


def tree_board(tree: Tree, spot: Spot | None, page: int, words: Words) -> InlineKeyboardMarkup | None:
    """What lies below a place (None: the top), in pages, with ways to follow all of it and to go back up."""
    under = tree.under(spot.id if spot else None)
    rows: list[Row] = []
    here = spot.id if spot else 0
    if spot is not None and spot.followed:
        rows.append([settings_button(spot.id, words)])
    elif spot is not None and len(tree.below(spot.id)) <= AT_ONCE:
        label = words.say("follow-all" if under else "follow-one")
        rows.append([button(label, Press(act=Act.FOLLOW, site=spot.id, page=0))])
    shown, turns = paged(under, page, words, lambda to: Press(act=Act.OPEN, site=here, page=to))
    for child in shown:
        branches = bool(tree.under(child.id))
        press = Press(act=Act.OPEN if branches else Act.FOLLOW, site=child.id, page=0)
        rows.append([button(spot_label(child, branches=branches), press)])
    rows += turns
    if spot is not None:
        rows.append([button(words.say("button-back"), _upwards(tree, spot))])
    return InlineKeyboardMarkup(inline_keyboard=rows) if rows else None


def found_board(tree: Tree, spots: Sequence[Spot], words: Words) -> InlineKeyboardMarkup | None:
    """What a search brought, and the way to the whole list; None where there is nothing to choose from."""
    if not len(tree):
        return None
    rows: list[Row] = []
    for spot in spots:
        press = Press(act=Act.OPEN if tree.under(spot.id) else Act.FOLLOW, site=spot.id, page=0)
        rows.append([button(found_label(spot, tree), press)])
    rows.append([button(words.say("button-all"), Press(act=Act.OPEN, site=0, page=0))])
    return InlineKeyboardMarkup(inline_keyboard=rows)


def after_board(site: int | None, words: Words) -> InlineKeyboardMarkup:
    """What may come next once a place is followed, or several are (None)."""
    mine = button(words.say("button-mine"), Press(act=Act.LIST, site=0, page=0))
    first = settings_button(site, words) if site is not None else mine
    return InlineKeyboardMarkup(inline_keyboard=[[first], [add_button(words)]])


def places_board(places: Sequence[Rules], page: int, words: Words) -> InlineKeyboardMarkup:
    """The chat's own places: each opens its settings."""
    shown, turns = paged(places, page, words, lambda to: Press(act=Act.LIST, site=0, page=to))
    rows = [[button(f"⚙️ {short_path(rules.title, LABEL - 3)}", Rule(do="c", site=rules.site))] for rules in shown]
    return InlineKeyboardMarkup(inline_keyboard=[*rows, *turns, [add_button(words)]])


def paged(
    items: Sequence[_Item], page: int, words: Words, turn: Callable[[int], CallbackData]
) -> tuple[Sequence[_Item], list[Row]]:
    """What is on the page (the last one if there are fewer by now), and a row of buttons to turn it, or none."""
    page = _within(items, page)
    turns = []
    if page > 0:
        turns.append(button(words.say("page-back"), turn(page - 1)))
    if (page + 1) * PAGE < len(items):
        turns.append(button(words.say("page-next"), turn(page + 1)))
    return on_page(items, page), [turns] if turns else []


def on_page(items: Sequence[_Item], page: int) -> Sequence[_Item]:
    """The items of a page, the last one if there are fewer pages by now."""
    page = _within(items, page)
    return items[page * PAGE : (page + 1) * PAGE]


def settings_button(site: int, words: Words) -> InlineKeyboardButton:
    """Opens the settings of a place."""
    return button(words.say("button-settings"), Rule(do="c", site=site))


def add_button(words: Words) -> InlineKeyboardButton:
    """Opens the tree."""
    return button(words.say("button-add"), Press(act=Act.OPEN, site=0, page=0))


def _upwards(tree: Tree, spot: Spot) -> Press:
    """To the page above on which the place itself stands."""
    siblings = [other.id for other in tree.under(spot.parent)]
    page = siblings.index(spot.id) // PAGE if spot.id in siblings else 0
    return Press(act=Act.OPEN, site=spot.parent or 0, page=page)


def _within(items: Sequence[_Item], page: int) -> int:
    return max(0, min(page, (len(items) - 1) // PAGE))


def button(label: str, press: CallbackData) -> InlineKeyboardButton:
    """A button that sends `press` back."""
    return InlineKeyboardButton(text=label, callback_data=press.pack())
