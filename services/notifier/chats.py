"""SQL of people's side: chats, what they follow, and the sites they may see. All within the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier.chats_status import statuses as statuses

CONSOLE = "console"
TELEGRAM = "telegram"

_DROP = text("""
UPDATE deliveries SET state = 'dropped', claimed_until = NULL, error = :error WHERE chat = :chat AND state = 'pending'
""")

# Whoever follows a place is told of those below it, so leaving it ends that too, but for what is followed still.
_DROP_SITE = text("""
WITH RECURSIVE below AS (
  SELECT CAST(:site AS int) AS id
  UNION
  SELECT s.id FROM below b JOIN sites s ON s.parent_id = b.id
    AND NOT EXISTS (SELECT 1 FROM subscriptions f WHERE f.chat = :chat AND f.site_id = s.id)
), above AS (
  SELECT parent_id AS id FROM sites WHERE id = :site
  UNION
  SELECT s.parent_id FROM above a JOIN sites s ON s.id = a.id
)
UPDATE deliveries d SET state = 'dropped', claimed_until = NULL, error = 'unsubscribed'
FROM power_events e JOIN below b ON b.id = e.site_id
WHERE e.seq = d.event_seq AND d.chat = :chat AND d.state = 'pending'
  AND NOT EXISTS (SELECT 1 FROM above a JOIN subscriptions f ON f.chat = :chat AND f.site_id = a.id)
""")

_MEET = text("""
INSERT INTO chats (platform, chat_id, topic_id, kind, title, language)
VALUES (:platform, :chat_id, :topic_id, coalesce(CAST(:kind AS text), 'private'), :title, :language)
ON CONFLICT (platform, chat_id, topic_id) DO UPDATE
SET kind = coalesce(CAST(:kind AS text), chats.kind), title = coalesce(excluded.title, chats.title)
RETURNING id, chat_id, topic_id, kind, language, timezone, muted_until, active
""")

_KNOWN = text("""
SELECT id, chat_id, topic_id, kind, language, timezone, muted_until, active
FROM chats WHERE platform = :platform AND chat_id = :chat_id AND topic_id = :topic_id
""")

_DEACTIVATE = text("UPDATE chats SET active = false, inactive_reason = :reason WHERE id = :chat")

_ACTIVATE = text("UPDATE chats SET active = true, inactive_reason = NULL WHERE id = :chat")

_MERGE = (
    # What the old chat chose holds, unless the new one has begun a life of its own.
    text("""
UPDATE chats n SET language = o.language, timezone = o.timezone, weekly = o.weekly, muted_until = o.muted_until
FROM chats o WHERE n.id = :into AND o.id = :chat AND NOT EXISTS (SELECT 1 FROM subscriptions WHERE chat = n.id)
"""),
    text("""
UPDATE subscriptions s SET chat = :into WHERE s.chat = :chat
  AND NOT EXISTS (SELECT 1 FROM subscriptions o WHERE o.chat = :into AND o.site_id = s.site_id)
"""),
    # What the new chat was denied while the bot was not in it does not stand in the way of what the old one is owed.
    text("""
DELETE FROM deliveries o USING deliveries d WHERE o.chat = :into AND o.state IN ('dropped', 'failed')
  AND d.chat = :chat AND d.state = 'pending' AND (o.event_seq = d.event_seq OR o.dedupe_key = d.dedupe_key)
"""),
    text("""
UPDATE deliveries d SET chat = :into, claimed_until = NULL WHERE d.chat = :chat
  AND NOT EXISTS (SELECT 1 FROM deliveries o
    WHERE o.chat = :into AND (o.event_seq = d.event_seq OR o.dedupe_key = d.dedupe_key))
"""),
    text("""
UPDATE pins p SET chat = :into, message_id = NULL, digest = NULL WHERE p.chat = :chat
  AND NOT EXISTS (SELECT 1 FROM pins o WHERE o.chat = :into AND o.kind = p.kind)
"""),
    text("DELETE FROM chats WHERE id = :chat"),
    text("UPDATE chats SET active = true, inactive_reason = NULL WHERE id = :into"),
)

# The messages of the old group cannot be edited any more, and their numbers may be other messages in the new one.
_UNPIN = text("UPDATE pins SET message_id = NULL, digest = NULL WHERE chat = :chat")

# A private site is found by its invitation only.
_FIND = text("""
SELECT id, slug, name, public, invite = :invite AS invited FROM sites
WHERE removed_at IS NULL AND ((public AND (slug = :slug OR id = :id)) OR invite = :invite)
ORDER BY invite = :invite DESC LIMIT 1
""")

_FOLLOWED = text("""
SELECT s.id, s.slug, s.name, s.public, true AS followed
FROM subscriptions f JOIN sites s ON s.id = f.site_id AND s.removed_at IS NULL
WHERE f.chat = :chat ORDER BY s.name, s.id
""")


@dataclass(frozen=True)
class Chat:
    """A chat we know: our key, the platform's id and topic, its language and time zone (None: the installation's),
    until when it wants no alerts at all, and whether it can be reached."""

    id: int
    chat_id: int
    language: str
    active: bool
    topic_id: int = 0
    kind: str = "private"
    timezone: str | None = None
    muted_until: datetime | None = None


@dataclass(frozen=True)
class Place:
    """A site as a chat may see it; `invited`: found by its invitation."""

    id: int
    slug: str
    name: str
    public: bool
    followed: bool = False
    invited: bool = False


async def meet(
    session: AsyncSession,
    platform: str,
    chat_id: int,
    language: str,
    *,
    topic_id: int = 0,
    kind: str | None = None,
    title: str | None = None,
) -> Chat:
    """The chat (or topic) with this id, made if it is new, and active: whoever speaks to us can be reached.

    What was owed while the chat was unreachable stays unsaid. A `title` is that of a group, never a person's name.
    """
    values = {
        "platform": platform,
        "chat_id": chat_id,
        "topic_id": topic_id,
        "kind": kind,
        "title": title[:200] if title else None,
        "language": language,
    }
    chat = Chat(**(await session.execute(_MEET, values)).mappings().one())
    if not chat.active:
        await session.execute(_DROP, {"chat": chat.id, "error": "the chat was inactive"})
        await session.execute(_ACTIVATE, {"chat": chat.id})
    return chat


async def open_console(session: AsyncSession, language: str) -> None:
    """Let the console have every alert, in `language`."""
    chat = await meet(session, CONSOLE, 0, language)
    await set_language(session, chat.id, language)


async def close_console(session: AsyncSession, reason: str) -> None:
    """Let the console have none."""
    chat = await find_chat(session, CONSOLE, 0)
    if chat is not None:
        await close_chat(session, chat, reason)


async def close_chat(session: AsyncSession, chat: int, reason: str) -> None:
    """Make a chat inactive and drop what it is owed."""
    await session.execute(_DEACTIVATE, {"chat": chat, "reason": reason[:200]})
    await session.execute(_DROP, {"chat": chat, "error": reason[:300]})


async def move_chat(session: AsyncSession, chat: int, chat_id: int) -> None:
    """Rewrite a chat's id; if that id is a chat already, everything moves there."""
    # Locked, so that nothing new is owed to the old row between the move and its end.
    rows = await session.execute(
        text("""
SELECT id FROM chats WHERE id = :chat OR (platform = :platform AND chat_id = :to
  AND topic_id = (SELECT topic_id FROM chats WHERE id = :chat)) ORDER BY id FOR UPDATE
"""),
        {"chat": chat, "platform": TELEGRAM, "to": chat_id},
    )
    others = [row.id for row in rows if row.id != chat]
    if not others:
        try:
            async with session.begin_nested():
                await session.execute(
                    text("UPDATE chats SET chat_id = :to WHERE id = :chat"), {"chat": chat, "to": chat_id}
                )
        except IntegrityError:  # the new chat was met in this very moment, and can be seen now
            await move_chat(session, chat, chat_id)
            return
        await session.execute(
            text("UPDATE deliveries SET claimed_until = NULL WHERE chat = :chat AND state = 'pending'"), {"chat": chat}
        )
        await session.execute(_UNPIN, {"chat": chat})
        return
    for statement in _MERGE:
        await session.execute(statement, {"into": others[0], "chat": chat})


async def known(session: AsyncSession, platform: str, chat_id: int, topic_id: int = 0) -> Chat | None:
    """The chat with this id, if we know it; nothing changes by that."""
    row = await session.execute(_KNOWN, {"platform": platform, "chat_id": chat_id, "topic_id": topic_id})
    found = row.mappings().one_or_none()
    return None if found is None else Chat(**found)


async def find_chat(session: AsyncSession, platform: str, chat_id: int, topic_id: int = 0) -> int | None:
    """Our key of a chat, if we know it."""
    chat = await known(session, platform, chat_id, topic_id)
    return None if chat is None else chat.id


async def chat_keys(session: AsyncSession, platform: str, chat_id: int) -> list[int]:
    """Our keys of a chat and of all its topics."""
    keys = await session.execute(
        text("SELECT id FROM chats WHERE platform = :platform AND chat_id = :chat_id ORDER BY id"),
        {"platform": platform, "chat_id": chat_id},
    )
    return list(keys.scalars())


async def set_language(session: AsyncSession, chat: int, language: str) -> None:
    """Speak this language to a chat from now on."""
    await session.execute(
        text("UPDATE chats SET language = :language WHERE id = :chat"), {"language": language, "chat": chat}
    )


async def set_timezone(session: AsyncSession, chat: int, zone: str | None) -> None:
    """Let a chat's clock be that of an IANA zone; None: the installation's."""
    await session.execute(text("UPDATE chats SET timezone = :zone WHERE id = :chat"), {"zone": zone, "chat": chat})


async def mute_chat(session: AsyncSession, chat: int, until: datetime | None) -> None:
    """Tell a chat nothing until then; None: tell it everything again."""
    await session.execute(
        text("UPDATE chats SET muted_until = :until WHERE id = :chat"), {"until": until, "chat": chat}
    )


async def find_site(
    session: AsyncSession, *, slug: str | None = None, invite: str | None = None, site_id: int | None = None
) -> Place | None:
    """A public site by slug or key, or any site by its invitation."""
    values = {"slug": slug or "", "invite": invite or "", "id": site_id or 0}
    row = (await session.execute(_FIND, values)).mappings().one_or_none()
    return None if row is None else Place(**row)


async def followed_sites(session: AsyncSession, chat: int) -> list[Place]:
    """The sites a chat follows, by name."""
    return [Place(**row) for row in (await session.execute(_FOLLOWED, {"chat": chat})).mappings()]


async def subscribe(session: AsyncSession, chat: int, site_id: int) -> bool:
    """Let a chat follow a site; False if it did already."""
    result = await session.execute(
        text("INSERT INTO subscriptions (chat, site_id) VALUES (:chat, :site) ON CONFLICT DO NOTHING"),
        {"chat": chat, "site": site_id},
    )
    return _count(result) > 0


async def unsubscribe(session: AsyncSession, chat: int, site_id: int) -> bool:
    """End it, with what is still owed from that site; False if the chat did not follow it."""
    values = {"chat": chat, "site": site_id}
    result = await session.execute(text("DELETE FROM subscriptions WHERE chat = :chat AND site_id = :site"), values)
    await session.execute(_DROP_SITE, values)
    return _count(result) > 0


def _count(result: Any) -> int:
    """How many rows a statement changed."""
    count: int = result.rowcount
    return count
