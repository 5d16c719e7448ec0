"""SQL of what a chat follows and by which rules. Within the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

KINDS = ("lost", "restored", "revised", "unstable")
"""Kinds of alert a chat can want, in the order they are offered."""

_RULES = text("""
SELECT s.id AS site, s.name AS place, p.name AS above, f.kinds, f.min_minutes, f.quiet_from, f.quiet_to, f.quiet_mode,
       f.muted_until, f.remind_minutes
FROM subscriptions f JOIN sites s ON s.id = f.site_id AND s.removed_at IS NULL
LEFT JOIN sites p ON p.id = s.parent_id AND p.public AND p.removed_at IS NULL
WHERE f.chat = :chat AND (CAST(:site AS int) IS NULL OR s.id = :site) ORDER BY s.name, s.id
""")

_KINDS = text("UPDATE subscriptions SET kinds = CAST(:kinds AS varchar(12)[]) WHERE chat = :chat AND site_id = :site")
_MIN = text("UPDATE subscriptions SET min_minutes = :minutes WHERE chat = :chat AND site_id = :site")
_QUIET = text("UPDATE subscriptions SET quiet_from = :start, quiet_to = :end WHERE chat = :chat AND site_id = :site")
_MODE = text("UPDATE subscriptions SET quiet_mode = :mode WHERE chat = :chat AND site_id = :site")
_REMIND = text("UPDATE subscriptions SET remind_minutes = :minutes WHERE chat = :chat AND site_id = :site")
_MUTE = text("UPDATE subscriptions SET muted_until = :until WHERE chat = :chat AND site_id = :site")


@dataclass(frozen=True, kw_only=True)
class Rules:
    """By which rules a chat follows a place: quiet hours in minutes of the chat's day, times in UTC.

    `above` is the public place it belongs to.
    """

    site: int
    place: str
    kinds: Sequence[str] = KINDS
    min_minutes: int = 0
    quiet_from: int | None = None
    quiet_to: int | None = None
    quiet_mode: str = "silent"
    muted_until: datetime | None = None
    remind_minutes: int = 0
    above: str | None = None

    @property
    def title(self) -> str:
        """What the place is called, with the one above it: `Секція 1` alone tells nothing."""
        return f"{self.above} › {self.place}" if self.above else self.place

    @property
    def quiet(self) -> tuple[int, int] | None:
        """The quiet hours; None without any."""
        if self.quiet_from is None or self.quiet_to is None:
            return None
        return self.quiet_from, self.quiet_to


async def followed(session: AsyncSession, chat: int) -> list[Rules]:
    """All that a chat follows, by name."""
    return await _read(session, chat, None)


async def rules_of(session: AsyncSession, chat: int, site: int) -> Rules | None:
    """By which rules a chat follows a place; None if it does not."""
    return next(iter(await _read(session, chat, site)), None)


async def set_kinds(session: AsyncSession, chat: int, site: int, kinds: Sequence[str]) -> None:
    """Want these kinds of alert only."""
    wanted = [kind for kind in KINDS if kind in kinds]
    await session.execute(_KINDS, {"chat": chat, "site": site, "kinds": wanted})


async def set_min_minutes(session: AsyncSession, chat: int, site: int, minutes: int) -> None:
    """Want outages only that are longer than this."""
    await session.execute(_MIN, {"chat": chat, "site": site, "minutes": minutes})


async def set_quiet(session: AsyncSession, chat: int, site: int, hours: tuple[int, int] | None) -> None:
    """Be quiet between these minutes of the chat's day; None: never."""
    start, end = hours or (None, None)
    await session.execute(_QUIET, {"chat": chat, "site": site, "start": start, "end": end})


async def set_quiet_mode(session: AsyncSession, chat: int, site: int, mode: str) -> None:
    """What quiet means: `silent` or `hold`."""
    await session.execute(_MODE, {"chat": chat, "site": site, "mode": mode})


async def set_remind(session: AsyncSession, chat: int, site: int, minutes: int) -> None:
    """Remind so often while the power is off; 0: never."""
    await session.execute(_REMIND, {"chat": chat, "site": site, "minutes": minutes})


async def mute(session: AsyncSession, chat: int, site: int, until: datetime | None) -> None:
    """Say nothing of this place until then; None: say everything again."""
    await session.execute(_MUTE, {"chat": chat, "site": site, "until": until})


async def _read(session: AsyncSession, chat: int, site: int | None) -> list[Rules]:
    rows = await session.execute(_RULES, {"chat": chat, "site": site})
    return [Rules(**{**row, "kinds": tuple(row["kinds"])}) for row in rows.mappings()]
