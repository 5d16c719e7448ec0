"""Groups and channels: being let in and thrown out, `/link`, `/unlink`, and the wizard's buttons."""

from __future__ import annotations

import asyncio
import logging

from aiogram import Bot, F, Router
from aiogram.enums import ChatMemberStatus
from aiogram.exceptions import AiogramError, TelegramBadRequest, TelegramForbiddenError
from aiogram.filters import Command, CommandObject, CommandStart
from aiogram.filters.callback_data import CallbackData
from aiogram.types import CallbackQuery, ChatFullInfo, ChatMemberUpdated, Message, ReplyKeyboardRemove, User
from aiogram.types import (
    Chat as TelegramChat,
)
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier import chats, pins_store
from services.notifier.bot.context import Context
from services.notifier.bot.groups_boards import Do, Invited, Step, ask_keyboard, choose_board, offer_board
from services.notifier.bot.groups_desk import Desk, Page, reopen_topics
from services.notifier.bot.meeting import meet, outdated, reader_of, show
from services.notifier.bot.permission import Permission
from services.notifier.bot.rights import bot_rights, granted
from services.notifier.chats import TELEGRAM, Chat
from services.notifier.texts import language_of
from services.notifier.views import Reader
from services.notifier.views.groups import unlinked_text
from svitlo.errors import DatabaseUnavailableError

log = logging.getLogger(__name__)

COMMANDS = ("link",)

GONE = (ChatMemberStatus.KICKED, ChatMemberStatus.LEFT)
GROUPS = ("group", "supergroup")
PAUSE_S = 1.0
"""Before the first words in a chat: it may be an old one that moved, or a link may name the place at once."""


def make(context: Context) -> Router:
    """A router of these handlers."""
    return Groups(context).router()


class Groups:
    """The handlers. In a group only its admins may press or link; in private only those of the chat it is about."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._database = context.database
        self._desk = Desk(context)
        self._permission = Permission()
        self._greetings: dict[int, asyncio.Task[None]] = {}

    def router(self) -> Router:
        """A router of these handlers."""
        router = Router(name="groups")
        crowd = F.chat.type.in_(GROUPS)
        router.my_chat_member.register(self.membership, F.chat.type.in_((*GROUPS, "channel")))
        router.message.register(self.start, crowd, CommandStart(deep_link=True))
        router.message.register(self.link_private, F.chat.type == "private", Command("link"))
        router.message.register(self.chosen, F.chat.type == "private", F.chat_shared)
        router.message.register(self.link, crowd, Command("link"))
        router.message.register(self.unlink, crowd, Command("unlink"))
        router.channel_post.register(self.link, Command("link"))
        router.channel_post.register(self.unlink, Command("unlink"))
        router.callback_query.register(self.press, Step.filter())
        router.callback_query.register(self.accept, Invited.filter())
        return router

    async def membership(self, event: ChatMemberUpdated, bot: Bot) -> None:
        """Let in: say hello, once. Thrown out: nothing more goes there. Given a right, to write or to pin: go on."""
        before, after = event.old_chat_member.status, event.new_chat_member
        async with self._database.transaction() as session:
            if after.status in GONE:
                for key in await chats.chat_keys(session, TELEGRAM, event.chat.id):
                    await chats.close_chat(session, key, f"the bot is {after.status} there")
                return
            chat = await self._meet(session, event.chat, event.from_user)
            rights = granted(after, event.chat.type)
            if rights.send:
                await reopen_topics(session, chat.chat_id, chat.language)
            if rights.pin:
                await pins_store.resume(session, event.chat.id)
        if before in GONE and event.chat.id not in self._greetings:
            task = asyncio.create_task(self._greet_later(bot, chat, event), name=f"greeting {chat.id}")
            self._greetings[event.chat.id] = task
            task.add_done_callback(lambda _: self._greetings.pop(event.chat.id, None))

    async def start(self, message: Message, command: CommandObject, bot: Bot) -> None:
        """`/start s_<slug>` or `i_<invite>` by a `startgroup` link: an admin's is followed, any other's is offered."""
        kind, _, word = (command.args or "").strip().partition("_")
        slug, invite = word if kind == "s" else None, word if kind == "i" else None
        allowed = await self._permission.of(message)
        async with self._database.transaction() as session:
            chat = await meet(session, self._context, message, message.from_user)
            place = await chats.find_site(session, slug=slug, invite=invite)
        reader = reader_of(self._context, chat)
        if place is None:
            page: Page = reader.words.say("not-found"), choose_board(chat.id, reader.words)
        elif allowed:
            await self._desk.follow(chat, slug=slug, invite=invite)
            page = await self._card(bot, chat, None, message, reader)
        else:
            yes: CallbackData = Step(do=Do.FOLLOW, chat=chat.id, site=place.id)
            if not place.public:
                yes = Invited(chat=chat.id, word=word)
            said = reader.words.say("group-offer", place=reader.escape(place.name))
            page = said, offer_board(chat.id, yes, reader.words)
        await self._say(message, page)

    async def link(self, message: Message, command: CommandObject, bot: Bot) -> None:
        """`/link`, `/link <slug or invite>` in a group, a topic or a channel."""
        word = (command.args or "").strip()
        allowed = await self._permission.of(message)
        async with self._database.transaction() as session:
            chat = await meet(session, self._context, message, message.from_user)
            linked = bool(await chats.followed_sites(session, chat.id))
        reader = reader_of(self._context, chat)
        if not allowed:
            await message.answer(reader.words.say("link-admins-only"))
        elif word and not await self._desk.follow(chat, slug=word.lower(), invite=word):
            await message.answer(reader.words.say("not-found"))
        else:
            page = (
                self._card(bot, chat, None, message, reader) if word or linked else self._desk.tree(chat, 0, 0, reader)
            )
            await self._say(message, await page)

    async def unlink(self, message: Message) -> None:
        """`/unlink` in a group, a topic or a channel."""
        allowed = await self._permission.of(message)
        async with self._database.transaction() as session:
            chat = await meet(session, self._context, message, message.from_user)
        reader = reader_of(self._context, chat)
        if not allowed:
            await message.answer(reader.words.say("link-admins-only"))
        else:
            await self._say(message, await self._desk.places(chat, 0, reader))

    async def link_private(self, message: Message, command: CommandObject, bot: Bot) -> None:
        """`/link`, `/link @channel` in a private chat."""
        async with self._database.transaction() as session:
            mine = await meet(session, self._context, message, message.from_user)
        reader = reader_of(self._context, mine)
        name = (command.args or "").strip()
        if not name:
            await message.answer(reader.words.say("link-private"), reply_markup=ask_keyboard(reader.words))
            return
        name = name.removeprefix("https://").removeprefix("t.me/")
        await self._verify(message, bot, name if name.startswith("@") else f"@{name}", reader)

    async def chosen(self, message: Message, bot: Bot) -> None:
        """A chat was chosen by a key of `/link`."""
        if message.chat_shared is None:
            return
        async with self._database.transaction() as session:
            mine = await meet(session, self._context, message, message.from_user)
        reader = reader_of(self._context, mine)
        await message.answer(reader.words.say("link-chosen"), reply_markup=ReplyKeyboardRemove())
        await self._verify(message, bot, message.chat_shared.chat_id, reader)

    async def press(self, query: CallbackQuery, callback_data: Step, bot: Bot) -> None:
        """A button of the wizard."""
        found = await self._allowed(query, callback_data.chat, bot)
        if found is None or not isinstance(query.message, Message):
            return
        chat, title, reader = found
        desk, notice = self._desk, ""
        match callback_data.do:
            case Do.TREE:
                await show(query, *await desk.tree(chat, callback_data.site, callback_data.page, reader))
                return
            case Do.UNLINK:
                await show(query, *await desk.places(chat, callback_data.page, reader))
                return
            case Do.FOLLOW:
                gone = not await desk.follow(chat, site_id=callback_data.site)
                notice = reader.words.say("follow-gone") if gone else ""
            case Do.PIN:
                await desk.pin(bot, chat)
            case Do.LANGUAGE:
                chat = await desk.next_language(bot, chat)
                reader = await desk.reader(chat, query.message, query.from_user)
            case Do.CHECK:
                rights = await desk.check(bot, chat)
                notice = reader.words.say("rights-fine") if rights.send and rights.pin else ""
            case Do.DROP:
                if await desk.drop(bot, chat, callback_data.site):
                    await show(query, unlinked_text(title, reader), None)
                    return
            case Do.DONE:
                await self._close(query, query.message)
                return
        await show(query, *await self._card(bot, chat, title, query.message, reader), notice)

    async def accept(self, query: CallbackQuery, callback_data: Invited, bot: Bot) -> None:
        """Yes to a private place that an invitation opens."""
        found = await self._allowed(query, callback_data.chat, bot)
        if found is None or not isinstance(query.message, Message):
            return
        chat, title, reader = found
        gone = not await self._desk.follow(chat, invite=callback_data.word)
        notice = reader.words.say("follow-gone") if gone else ""
        await show(query, *await self._card(bot, chat, title, query.message, reader), notice)

    async def _allowed(self, query: CallbackQuery, key: int, bot: Bot) -> tuple[Chat, str | None, Reader] | None:
        """The chat a button is about, its title unless it stands there, and its reader; else who pressed is told."""
        found = await self._desk.find(key)
        if found is None or not isinstance(query.message, Message):
            await outdated(query, self._context)
            return None
        chat, title = found
        reader = await self._desk.reader(chat, query.message, query.from_user)
        if not await self._desk.may(bot, chat, query.message, query.from_user):
            await query.answer(reader.words.say("link-admins-only"), show_alert=True)
            return None
        return chat, None if query.message.chat.id == chat.chat_id else title, reader

    async def _verify(self, message: Message, bot: Bot, wanted: int | str, reader: Reader) -> None:
        """Open the wizard for another chat if both the bot and the person are admins there."""
        say, user = reader.words.say, message.from_user
        if user is None:
            return
        try:
            there = await bot.get_chat(wanted)
        except TelegramForbiddenError:
            await message.answer(say("link-bot-not-there"))
            return
        except TelegramBadRequest:
            await message.answer(say("link-not-found" if isinstance(wanted, str) else "link-bot-not-there"))
            return
        if there.type == "private":
            await message.answer(say("link-not-found"))
        elif not (await bot_rights(bot, there.id, there.type)).joined:
            await message.answer(say("link-bot-not-there"))
        elif not await self._permission.is_admin(bot, there.id, user.id):
            await message.answer(say("link-not-admin"))
        else:
            async with self._database.transaction() as session:
                chat = await self._meet(session, there, user)
                linked = bool(await chats.followed_sites(session, chat.id))
            title = there.title or ""
            page = self._desk.card(bot, chat, title, reader) if linked else self._desk.tree(chat, 0, 0, reader)
            await self._say(message, await page)

    async def _greet_later(self, bot: Bot, chat: Chat, event: ChatMemberUpdated) -> None:
        """Say the first words, unless the chat knows us already: as a group that became a supergroup does."""
        await asyncio.sleep(PAUSE_S)
        try:
            async with self._database.transaction() as session:
                keys = await chats.chat_keys(session, TELEGRAM, event.chat.id)
                known = [key for key in keys if await chats.followed_sites(session, key)]
            if not known:
                await self._greet(bot, chat, event)
        except (AiogramError, TimeoutError, DatabaseUnavailableError) as error:
            log.info("chat %d was not greeted: %s", chat.id, type(error).__name__)

    async def _greet(self, bot: Bot, chat: Chat, event: ChatMemberUpdated) -> None:
        """In a group there; about a channel in private, or there if that person is unknown to us."""
        reader = reader_of(self._context, chat)
        say, board = reader.words.say, choose_board(chat.id, reader.words)
        if event.chat.type != "channel":
            hello = say("group-hello-forum" if event.chat.is_forum else "group-hello")
            await bot.send_message(chat.chat_id, hello, reply_markup=board)
            return
        said = say("channel-hello", title=reader.escape(event.chat.title or ""))
        try:
            await bot.send_message(event.from_user.id, said, reply_markup=board)
        except (TelegramForbiddenError, TelegramBadRequest):
            await bot.send_message(chat.chat_id, say("group-hello"), reply_markup=board, disable_notification=True)

    async def _meet(self, session: AsyncSession, there: TelegramChat | ChatFullInfo, user: User | None) -> Chat:
        language = language_of(user.language_code if user else None, self._context.language)
        return await chats.meet(session, TELEGRAM, there.id, language, kind=there.type, title=there.title)

    async def _card(self, bot: Bot, chat: Chat, title: str | None, message: Message, reader: Reader) -> Page:
        forum = bool(message.chat.is_forum) and not chat.topic_id and message.chat.id == chat.chat_id
        return await self._desk.card(bot, chat, title, reader, forum=forum)

    async def _close(self, query: CallbackQuery, message: Message) -> None:
        """The wizard ends; in a channel nothing of it stays for everybody to read."""
        await query.answer()
        if message.chat.type == "channel":
            await message.delete()
        else:
            await message.edit_reply_markup(reply_markup=None)

    async def _say(self, message: Message, page: Page) -> None:
        if greeting := self._greetings.get(message.chat.id):
            greeting.cancel()
        said, markup = page
        await message.answer(said, reply_markup=markup)
