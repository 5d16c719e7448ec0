"""What the bot may do in a group or channel, as Telegram tells it."""

from __future__ import annotations

from dataclasses import dataclass

from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest, TelegramForbiddenError, TelegramNotFound
from aiogram.types import (
    ChatAdministratorRights,
    ChatMemberAdministrator,
    ChatMemberMember,
    ChatMemberRestricted,
    ResultChatMemberUnion,
)

CHANNEL = "channel"


@dataclass(frozen=True)
class Rights:
    """Whether the bot is there (in a channel: among its admins), may send, and may pin."""

    joined: bool = False
    send: bool = False
    pin: bool = False


async def bot_rights(bot: Bot, chat_id: int, kind: str) -> Rights:
    """Ask Telegram. `kind` is its word for the chat. Raises aiogram's errors of the network."""
    if kind == "private":
        return Rights(joined=True, send=True, pin=True)
    try:
        member = await bot.get_chat_member(chat_id, bot.id)
        if isinstance(member, ChatMemberMember) and kind != CHANNEL:
            permissions = (await bot.get_chat(chat_id)).permissions
            if permissions is None:
                return Rights(joined=True, send=True)
            return Rights(True, bool(permissions.can_send_messages), bool(permissions.can_pin_messages))
    except (TelegramForbiddenError, TelegramBadRequest, TelegramNotFound):
        return Rights()
    return granted(member, kind)


def granted(member: ResultChatMemberUnion, kind: str) -> Rights:
    """What a membership itself grants; an ordinary member's rights are those of the chat, which it does not tell."""
    if isinstance(member, ChatMemberAdministrator):
        if kind == CHANNEL:
            # In a channel whoever may edit may pin.
            return Rights(True, bool(member.can_post_messages), bool(member.can_edit_messages))
        return Rights(True, True, bool(member.can_pin_messages))
    if isinstance(member, ChatMemberRestricted):
        return Rights(member.is_member, member.can_send_messages, member.can_pin_messages)
    return Rights(joined=isinstance(member, ChatMemberMember) and kind != CHANNEL, send=kind != CHANNEL)


def wanted_rights(*, channel: bool) -> ChatAdministratorRights:
    """The rights the bot asks for, and no others."""
    return ChatAdministratorRights(
        is_anonymous=False,
        can_manage_chat=True,
        can_delete_messages=False,
        can_manage_video_chats=False,
        can_restrict_members=False,
        can_promote_members=False,
        can_change_info=False,
        can_invite_users=False,
        can_post_stories=False,
        can_edit_stories=False,
        can_delete_stories=False,
        can_send_welcome_messages=False,
        can_post_messages=True if channel else None,
        can_edit_messages=True if channel else None,
        can_pin_messages=None if channel else True,
    )
