"""What every change of the registry does: check the name, note who did what."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from svitlo.contracts import is_slug
from svitlo.errors import UserError


async def audit(session: AsyncSession, actor: str, action: str, target: str, **details: Any) -> None:
    """Note who did what."""
    await session.execute(
        text(
            "INSERT INTO audit_log (actor, action, target, details) "
            "VALUES (:actor, :action, :target, CAST(:details AS jsonb))"
        ),
        {"actor": actor, "action": action, "target": target, "details": json.dumps(details, ensure_ascii=False)},
    )


def check_slug(slug: str, what: str) -> None:
    """Raises `UserError` when this cannot be the id of a site, device or key."""
    if not is_slug(slug):
        raise UserError(f"{slug!r} cannot be a {what}'s id: use 1 to 48 of a-z, 0-9 and -")
