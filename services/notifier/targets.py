"""SQL of the targets that are no chats: addresses of Apprise. All within the caller's transaction, and audited.

An address is never told: neither in the audit log nor in an error.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from svitlo.errors import NotFoundError, UserError
from svitlo.registry import get_site
from svitlo.registry.trail import audit

PLATFORM = "apprise"

SERVICES = {
    "discord": "Discord",
    "form": "form webhook",
    "gotify": "Gotify",
    "json": "JSON webhook",
    "mailto": "e-mail",
    "matrix": "Matrix",
    "msteams": "Microsoft Teams",
    "ntfy": "ntfy",
    "pover": "Pushover",
    "signal": "Signal",
    "slack": "Slack",
    "tgram": "Telegram",
    "xml": "XML webhook",
}
"""What the usual kinds of address are called; with TLS most of them end in another s."""

_TARGETS = """
SELECT c.id, c.chat_id AS number, c.title AS name, c.kind, c.target, c.language, c.timezone, c.active,
  c.inactive_reason,
  coalesce(array_agg(s.slug ORDER BY s.slug) FILTER (WHERE s.id IS NOT NULL), '{}') AS sites
FROM chats c
LEFT JOIN subscriptions f ON f.chat = c.id
LEFT JOIN sites s ON s.id = f.site_id AND s.removed_at IS NULL
WHERE c.platform = :platform AND (CAST(:number AS bigint) IS NULL OR c.chat_id = :number)
GROUP BY c.id ORDER BY c.chat_id
"""

_ADD = text("""
INSERT INTO chats (platform, chat_id, kind, title, target, language, weekly)
SELECT CAST(:platform AS text), coalesce(max(chat_id), 0) + 1, CAST(:kind AS text), CAST(:name AS text),
  CAST(:target AS text), CAST(:language AS text), false
FROM chats WHERE platform = :platform
RETURNING id, chat_id
""")


# Owed in the moment in which it was switched off.
_DROP = text("""
UPDATE deliveries d SET state = 'dropped', claimed_until = NULL, error = 'the target was inactive'
FROM chats c WHERE c.platform = :platform AND c.chat_id = :number AND NOT c.active
  AND d.chat = c.id AND d.state = 'pending'
""")


@dataclass(frozen=True)
class Target:
    """An address and what it follows; `target` is secret."""

    id: int
    number: int
    name: str | None
    kind: str
    target: str
    language: str
    timezone: str | None
    active: bool
    inactive_reason: str | None
    sites: tuple[str, ...]


RuleChange = Callable[[AsyncSession, int, int], Awaitable[None]]
"""Changes by which rule a chat follows a place, of both keys."""

WholeChange = Callable[[AsyncSession, int], Awaitable[None]]
"""Changes what holds for all of a chat."""


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What to change: `rules` of each place, what holds for the `whole` target; and how it was `said`, by option."""

    rules: Sequence[RuleChange] = ()
    whole: Sequence[WholeChange] = ()
    said: Mapping[str, str] = field(default_factory=dict)


def kind_of(address: str, found: str) -> str:
    """The kind of an address: the word it begins with, but `found` where that is a web page's (hooks.slack.com)."""
    own = address.partition("://")[0].lower()
    return own if own in (found, found.removesuffix("s")) else found


def service_of(kind: str) -> str:
    """What a kind of address is called among people: `JSON webhook` for json and jsons."""
    return SERVICES.get(kind) or SERVICES.get(kind.removesuffix("s")) or kind


async def list_targets(session: AsyncSession, number: int | None = None) -> list[Target]:
    """All targets, or the one with this number."""
    rows = await session.execute(text(_TARGETS), {"platform": PLATFORM, "number": number})
    return [Target(**{**row, "sites": tuple(row["sites"])}) for row in rows.mappings()]


async def get_target(session: AsyncSession, number: int) -> Target:
    """One target. Raises `NotFoundError`."""
    found = await list_targets(session, number)
    if not found:
        raise NotFoundError(f"there is no target {number}; svitlo bot target list shows what there is")
    return found[0]


async def add_target(
    session: AsyncSession,
    address: str,
    kind: str,
    sites: list[str],
    *,
    name: str | None,
    language: str,
    actor: str = "cli",
) -> Target:
    """Let an address follow sites. Raises `NotFoundError` for a site."""
    places = [await get_site(session, slug) for slug in sites]
    values = {"platform": PLATFORM, "kind": kind[:12], "name": name, "target": address, "language": language}
    row = (await session.execute(_ADD, values)).one()
    for place in places:
        await session.execute(
            text("INSERT INTO subscriptions (chat, site_id) VALUES (:chat, :site) ON CONFLICT DO NOTHING"),
            {"chat": row.id, "site": place.id},
        )
    await audit(session, actor, "target.add", str(row.chat_id), kind=kind, name=name, sites=sites)
    return await get_target(session, row.chat_id)


async def change_target(
    session: AsyncSession, number: int, wishes: Wishes, sites: Sequence[str] = (), *, actor: str = "cli"
) -> Target:
    """Let a target have other rules for `sites`, or all it follows. Raises `NotFoundError`, `UserError` for a site that
    it does not follow."""
    found = await get_target(session, number)
    places = [await get_site(session, slug) for slug in sites or found.sites]
    for place in places:
        if place.slug not in found.sites:
            raise UserError(f"target {number} does not follow {place.slug!r}; it follows {', '.join(found.sites)}")
        for change in wishes.rules:
            await change(session, found.id, place.id)
    for of_all in wishes.whole:
        await of_all(session, found.id)
    names = [place.slug for place in places]
    await audit(session, actor, "target.set", str(number), sites=names, **wishes.said)
    return await get_target(session, number)


async def remove_target(session: AsyncSession, number: int, *, actor: str = "cli") -> Target:
    """Forget an address, with all it is owed. Raises `NotFoundError`."""
    found = await get_target(session, number)
    await session.execute(text("DELETE FROM chats WHERE id = :id"), {"id": found.id})
    await audit(session, actor, "target.remove", str(number), kind=found.kind, name=found.name)
    return found


async def enable_target(session: AsyncSession, number: int) -> None:
    """It works again; what it was owed while it did not stays unsaid."""
    await session.execute(_DROP, {"platform": PLATFORM, "number": number})
    await session.execute(
        text("UPDATE chats SET active = true, inactive_reason = NULL WHERE platform = :platform AND chat_id = :number"),
        {"platform": PLATFORM, "number": number},
    )
