"""Finding a place and following it: links, the tree of public places, the chat's own list. And how places stand."""

from __future__ import annotations

from dataclasses import replace

from aiogram import Bot, F, Router
from aiogram.enums import ChatMemberStatus
from aiogram.filters import Command, CommandObject, CommandStart, ExceptionTypeFilter
from aiogram.types import CallbackQuery, ChatMemberUpdated, ErrorEvent, InlineKeyboardMarkup, Message, User

from services.notifier import chats, chats_told
from services.notifier.bot.context import Context
from services.notifier.bot.following import follow_place, let_go, list_places
from services.notifier.bot.keyboards import Act, Press, tree_board
from services.notifier.bot.meeting import is_private, meet, outdated, reader_of, show
from services.notifier.bot.menus import show_menu
from services.notifier.bot.permission import Permission
from services.notifier.chats import TELEGRAM
from services.notifier.sight import find_place, titles, tree_for, visible_sites
from services.notifier.texts import Words, language_of, words
from services.notifier.views import status_text
from services.notifier.views.finding import branch_text, hello_text
from svitlo.errors import DatabaseUnavailableError

COMMANDS = ("places", "status", "start", "help")
"""The menu, in order; `command-<name>` are the descriptions."""

GONE = (ChatMemberStatus.KICKED, ChatMemberStatus.LEFT)


def make(context: Context) -> Router:
    """A router of these handlers."""
    return Finding(context).router()


class Finding:
    """The handlers; each change of theirs is one transaction, committed before the answer."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._database = context.database
        self._permission = Permission()

    def router(self) -> Router:
        """A router of these handlers."""
        router = Router(name="finding")
        router.message.register(self.start, CommandStart())
        router.message.register(self.subscribe, Command("subscribe"))
        router.message.register(self.unsubscribe, Command("unsubscribe"))
        for observer in (router.message, router.channel_post):
            observer.register(self.places, Command("places"))
        router.message.register(self.status, Command("status"))
        router.message.register(self.help, Command("help"))
        router.message.register(self.moved, F.migrate_to_chat_id)
        router.callback_query.register(self.open, Press.filter(F.act == Act.OPEN))
        router.callback_query.register(self.follow, Press.filter(F.act == Act.FOLLOW))
        router.callback_query.register(self.list, Press.filter(F.act == Act.LIST))
        router.my_chat_member.register(self.membership)
        router.error.register(self.database_away, ExceptionTypeFilter(DatabaseUnavailableError))
        return router

    async def start(self, message: Message, command: CommandObject) -> None:
        """`/start`, `/start s_<slug>` (a site one may see), `/start i_<invite>` (any site)."""
        kind, _, word = (command.args or "").strip().partition("_")
        if word and kind in ("s", "i"):
            if kind == "s" and await self._open_named(message, word):
                return
            await self._follow_named(message, slug=word if kind == "s" else None, invite=word if kind == "i" else None)
            return
        async with self._database.transaction() as session:
            chat = await meet(session, self._context, message, message.from_user)
            tree = await tree_for(session, chat)
        reader = reader_of(self._context, chat)
        text = hello_text(reader, tree, typing=is_private(message))
        await message.answer(text, reply_markup=tree_board(tree, None, 0, reader.words))

    async def subscribe(self, message: Message, command: CommandObject) -> None:
        """`/subscribe <slug or invite>`; alone it is `/places`."""
        word = (command.args or "").strip()
        if word:
            await self._follow_named(message, slug=word.lower(), invite=word)
        else:
            await self.places(message)

    async def unsubscribe(self, message: Message, command: CommandObject) -> None:
        """`/unsubscribe <slug>`; alone it is `/places`."""
        word = (command.args or "").strip().lower()
        if not word:
            await self.places(message)
            return
        allowed = await self._permission.of(message)
        async with self._database.transaction() as session:
            chat = await meet(session, self._context, message, message.from_user)
            reader = reader_of(self._context, chat)
            if not allowed:
                text = reader.words.say("group-admins-only")
            else:
                followed = await chats.followed_sites(session, chat.id)
                place = next((place for place in followed if place.slug == word), None)
                if place is None:
                    text = reader.words.say("not-followed")
                else:
                    text = await let_go(session, chat, place.id, place.name, reader)
        await message.answer(text)

    async def places(self, message: Message) -> None:
        """`/places`: what the chat follows; each opens its settings."""
        async with self._database.transaction() as session:
            chat = await meet(session, self._context, message, message.from_user)
            text, markup = await list_places(session, chat, 0, reader_of(self._context, chat))
        await message.answer(text, reply_markup=markup)

    async def status(self, message: Message) -> None:
        """`/status`: the sites the chat is told of, or else those it may follow."""
        async with self._database.transaction() as session:
            chat = await meet(session, self._context, message, message.from_user)
            followed = await chats_told.told_sites(session, chat.id)
            places = followed or await visible_sites(session, chat)
            known = await chats.statuses(session, [place.id for place in places])  # in the same order: by name
            titled = await titles(session, places)
        sites = [replace(status, place=place.name) for status, place in zip(known, titled, strict=True)]
        reader = reader_of(self._context, chat)
        if not sites:
            await message.answer(reader.words.say("status-none"))
            return
        key = "status-public" if all(place.public for place in places) else "status-visible"
        intro = "" if followed else reader.words.say(key) + "\n\n"
        await message.answer(intro + status_text(sites, reader))

    async def help(self, message: Message) -> None:
        """`/help`."""
        async with self._database.transaction() as session:
            chat = await meet(session, self._context, message, message.from_user)
        key = "help" if is_private(message) else "help-group"
        await message.answer(words(chat.language).say(key))

    async def open(self, query: CallbackQuery, callback_data: Press) -> None:
        """A button of the tree: show what lies there."""
        if not isinstance(query.message, Message):
            await outdated(query, self._context)
            return
        async with self._database.transaction() as session:
            chat = await meet(session, self._context, query.message, query.from_user)
            tree = await tree_for(session, chat)
            spot = tree.get(callback_data.site)
            sites = await chats.statuses(session, [spot.id]) if spot else []
        reader = reader_of(self._context, chat)
        notice = reader.words.say("follow-gone") if callback_data.site and spot is None else ""
        typing = is_private(query.message)
        if len(tree):
            text = branch_text(tree.path(spot) if spot else (), sites[0] if sites else None, reader, typing=typing)
        else:
            text = hello_text(reader, tree, typing=typing)
        await show(query, text, tree_board(tree, spot, callback_data.page, reader.words), notice)

    async def follow(self, query: CallbackQuery, callback_data: Press) -> None:
        """A button of a place: follow it, and tell how it stands."""
        if not isinstance(query.message, Message):
            await outdated(query, self._context)
            return
        allowed = await self._permission.of(query)
        async with self._database.transaction() as session:
            chat = await meet(session, self._context, query.message, query.from_user)
            reader = reader_of(self._context, chat)
            place = await find_place(session, chat, site_id=callback_data.site) if allowed else None
            text, markup = await follow_place(session, chat, place, reader) if place else ("", None)
        if place is None:
            key = "follow-gone" if allowed else "group-admins-only"
            await query.answer(reader.words.say(key), show_alert=True)
            return
        await show(query, text, markup)

    async def list(self, query: CallbackQuery, callback_data: Press) -> None:
        """Another page of the chat's own places."""
        if not isinstance(query.message, Message):
            await outdated(query, self._context)
            return
        async with self._database.transaction() as session:
            chat = await meet(session, self._context, query.message, query.from_user)
            text, markup = await list_places(session, chat, callback_data.page, reader_of(self._context, chat))
        await show(query, text, markup)

    async def membership(self, event: ChatMemberUpdated) -> None:
        """Blocked or thrown out: nothing more goes there, nor to its topics. Let in (again): the chat is active."""
        language = language_of(event.from_user.language_code, self._context.language)
        async with self._database.transaction() as session:
            if event.new_chat_member.status not in GONE:
                await chats.meet(
                    session, TELEGRAM, event.chat.id, language, kind=event.chat.type, title=event.chat.title
                )
                return
            for chat in await chats.chat_keys(session, TELEGRAM, event.chat.id):
                await chats.close_chat(session, chat, f"the bot is {event.new_chat_member.status} there")

    async def moved(self, message: Message, bot: Bot) -> None:
        """A group became a supergroup, which has another id, and no menu of its own yet."""
        to = message.migrate_to_chat_id
        if to is None:
            return
        async with self._database.transaction() as session:
            for key in await chats.chat_keys(session, TELEGRAM, message.chat.id):
                await chats.move_chat(session, key, to)
            chat = await chats.known(session, TELEGRAM, to)
        if chat is not None:
            await show_menu(bot, self._context, chat)

    async def database_away(self, event: ErrorEvent) -> None:
        """Say that it is us, not them."""
        if event.update.message is not None:
            await event.update.message.answer(self._words(event.update.message.from_user).say("later"))
        elif event.update.callback_query is not None:
            query = event.update.callback_query
            await query.answer(self._words(query.from_user).say("later"))

    async def _open_named(self, message: Message, slug: str) -> bool:
        """A link to a place with others below it, as a poster in its hall has one, asks which; False for any other."""
        async with self._database.transaction() as session:
            chat = await meet(session, self._context, message, message.from_user)
            tree = await tree_for(session, chat)
            spot = tree.named(slug)
            if spot is None or not tree.under(spot.id):
                return False
            status = (await chats.statuses(session, [spot.id]))[0]
        reader = reader_of(self._context, chat)
        text = branch_text(tree.path(spot), status, reader, typing=is_private(message))
        await message.answer(text, reply_markup=tree_board(tree, spot, 0, reader.words))
        return True

    async def _follow_named(self, message: Message, *, slug: str | None, invite: str | None) -> None:
        allowed = await self._permission.of(message)
        async with self._database.transaction() as session:
            chat = await meet(session, self._context, message, message.from_user)
            reader = reader_of(self._context, chat)
            place = await find_place(session, chat, slug=slug, invite=invite) if allowed else None
            markup: InlineKeyboardMarkup | None = None
            if place is None:
                text = reader.words.say("not-found" if allowed else "group-admins-only")
            else:
                text, markup = await follow_place(session, chat, place, reader)
        await message.answer(text, reply_markup=markup)

    def _words(self, user: User | None) -> Words:
        return words(language_of(user.language_code if user else None, self._context.language))
