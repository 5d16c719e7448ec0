"""Keyboards of the link wizard. Each button names the chat it is about, which need not be the one it stands in."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from aiogram.filters.callback_data import CallbackData
from aiogram.types import (
    InlineKeyboardMarkup,
    KeyboardButton,
    KeyboardButtonRequestChat,
    ReplyKeyboardMarkup,
)

from services.notifier.bot.keyboards import Row, button, paged
from services.notifier.bot.rights import wanted_rights
from services.notifier.chats import Place
from services.notifier.places import Spot, Tree
from services.notifier.texts import Words, words
from services.notifier.views import short_path
from services.notifier.views.finding import LABEL, spot_label
from services.notifier.views.groups import Card

CHANNEL_ASKED, GROUP_ASKED = 1, 2
"""By which of the two keys somebody chose a chat."""


class Do(StrEnum):
    """What a button of the wizard does."""

    TREE = "t"
    FOLLOW = "f"
    CARD = "c"
    PIN = "p"
    LANGUAGE = "l"
    CHECK = "k"
    UNLINK = "u"
    DROP = "d"
    DONE = "x"


class Step(CallbackData, prefix="g"):
    """A button about the chat with the key `chat`; `site` is a place (0: none, the top, all), `page` one of a board."""

    do: Do
    chat: int
    site: int = 0
    page: int = 0


class Invited(CallbackData, prefix="gi"):
    """Yes to a place that only its invitation opens."""

    chat: int
    word: str


def choose_board(chat: int, spoken: Words) -> InlineKeyboardMarkup:
    """The one button under the first words in a chat."""
    return _board([[button(spoken.say("group-choose"), Step(do=Do.TREE, chat=chat))]])


def offer_board(chat: int, yes: CallbackData, spoken: Words) -> InlineKeyboardMarkup:
    """Take the place that a link named, or another."""
    other = button(spoken.say("group-other"), Step(do=Do.TREE, chat=chat))
    return _board([[button(spoken.say("group-yes"), yes)], [other]])


def link_tree_board(
    chat: int, tree: Tree, spot: Spot | None, page: int, spoken: Words, *, linked: bool
) -> InlineKeyboardMarkup | None:
    """What lies below a place (None: the top); `linked`: there is a card to go back to."""
    under, here = tree.under(spot.id if spot else None), spot.id if spot else 0
    rows: list[Row] = []
    if spot is not None:
        rows.append([button(spoken.say("follow-all"), Step(do=Do.FOLLOW, chat=chat, site=spot.id))])
    shown, turns = paged(under, page, spoken, lambda to: Step(do=Do.TREE, chat=chat, site=here, page=to))
    for child in shown:
        branches = bool(tree.under(child.id))
        press = Step(do=Do.TREE if branches else Do.FOLLOW, chat=chat, site=child.id)
        rows.append([button(spot_label(child, branches=branches), press)])
    rows += turns
    if spot is not None:
        rows.append([button(spoken.say("button-back"), Step(do=Do.TREE, chat=chat, site=spot.parent or 0))])
    elif linked:
        rows.append([button(spoken.say("button-back"), Step(do=Do.CARD, chat=chat))])
    return _board(rows) if rows else None


def card_board(chat: int, card: Card, spoken: Words, *, missing: bool) -> InlineKeyboardMarkup:
    """What may be done with a chat."""
    if not card.places:
        rows = [[button(spoken.say("group-choose"), Step(do=Do.TREE, chat=chat))]]
    else:
        pin = spoken.say("card-pin-on" if card.pinned else "card-pin-off")
        rows = [
            [button(spoken.say("card-add"), Step(do=Do.TREE, chat=chat))],
            [button(pin, Step(do=Do.PIN, chat=chat))],
            # Named in the language it is, so that those find it who read no other.
            [button(words(card.language).say("card-language"), Step(do=Do.LANGUAGE, chat=chat))],
            [button(spoken.say("card-unlink"), Step(do=Do.UNLINK, chat=chat))],
        ]
    if missing:
        rows.append([button(spoken.say("card-check"), Step(do=Do.CHECK, chat=chat))])
    if card.places:
        rows.append([button(spoken.say("card-done"), Step(do=Do.DONE, chat=chat))])
    return _board(rows)


def unlink_board(chat: int, places: Sequence[Place], page: int, spoken: Words) -> InlineKeyboardMarkup:
    """Which place to let go, or all of them."""
    shown, turns = paged(places, page, spoken, lambda to: Step(do=Do.UNLINK, chat=chat, page=to))
    rows: list[Row] = [
        [button(f"➖ {short_path(place.name, LABEL - 3)}", Step(do=Do.DROP, chat=chat, site=place.id))]
        for place in shown
    ]
    rows += turns
    if len(places) > 1:
        rows.append([button(spoken.say("unlink-all"), Step(do=Do.DROP, chat=chat))])
    rows.append([button(spoken.say("button-back"), Step(do=Do.CARD, chat=chat))])
    return _board(rows)


def ask_keyboard(spoken: Words) -> ReplyKeyboardMarkup:
    """Keys by which Telegram lets somebody choose a channel or group, and adds the bot to it."""
    keys = []
    for request, channel, label in ((CHANNEL_ASKED, True, "link-channel"), (GROUP_ASKED, False, "link-group")):
        rights = wanted_rights(channel=channel)
        asked = KeyboardButtonRequestChat(
            request_id=request,
            chat_is_channel=channel,
            user_administrator_rights=rights,
            bot_administrator_rights=rights,
        )
        keys.append([KeyboardButton(text=spoken.say(label), request_chat=asked)])
    return ReplyKeyboardMarkup(keyboard=keys, resize_keyboard=True, one_time_keyboard=True)


def _board(rows: list[Row]) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(inline_keyboard=rows)
