"""SQL of roles: who may do what by the bot. All within the caller's transaction; every change is audited.

An owner may do everything; an admin changes what lies in a subtree, a viewer sees it, private places too. A person
may bear several roles, one for each subtree. A place none means all of them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from svitlo.errors import NotFoundError, UserError
from svitlo.ids import random_word
from svitlo.registry.trail import audit

INVITED_FOR = timedelta(hours=24)
WORD = 20
"""Letters of a one-time word, 5 bits each."""

ACTOR = "telegram:"
"""What stands before a person's number in the audit log."""


class Role(StrEnum):
    """What a person may do: each may what the next may."""

    OWNER = "owner"
    ADMIN = "admin"
    VIEWER = "viewer"


@dataclass(frozen=True)
class Grant:
    """A role of a person in the subtree of a place, or everywhere; `created_at` is UTC."""

    id: int
    user_id: int
    role: Role
    site_id: int | None
    site: str | None
    place: str | None
    granted_by: str
    created_at: datetime


@dataclass(frozen=True)
class Realm:
    """A place within somebody's reach; `path` names those above it as far as they are within reach too.

    `parent` is the key of the one above it, whether that is within reach or not.
    """

    id: int
    slug: str
    name: str
    path: str
    public: bool
    parent: int | None = None


@dataclass(frozen=True)
class Powers:
    """What one person may do: `admin` and `seen` are keys of sites, of removed ones never."""

    user_id: int
    owner: bool
    everywhere: bool
    """Whether it is an owner or an admin of all places."""
    admin: frozenset[int]
    seen: frozenset[int]

    @property
    def any(self) -> bool:
        """Whether there is a role at all."""
        return self.owner or self.everywhere or bool(self.seen)

    @property
    def changes(self) -> bool:
        """Whether the person may change something."""
        return self.owner or self.everywhere or bool(self.admin)


NOBODY = Powers(0, False, False, frozenset(), frozenset())

_GRANTS = """
SELECT p.id, p.user_id, p.role, p.site_id, s.slug AS site, s.name AS place, p.granted_by, p.created_at
FROM people p LEFT JOIN sites s ON s.id = p.site_id
WHERE (CAST(:user_id AS bigint) IS NULL OR p.user_id = :user_id) AND (p.site_id IS NULL OR s.removed_at IS NULL)
ORDER BY array_position(ARRAY['owner', 'admin', 'viewer'], CAST(p.role AS text)), s.name NULLS FIRST, p.id
"""

_POWERS = text("""
WITH RECURSIVE reach (id, role) AS (
  SELECT s.id, p.role FROM people p JOIN sites s ON s.removed_at IS NULL AND (p.site_id IS NULL OR s.id = p.site_id)
  WHERE p.user_id = :user_id
  UNION
  SELECT s.id, r.role FROM reach r JOIN sites s ON s.parent_id = r.id AND s.removed_at IS NULL
)
SELECT coalesce((SELECT bool_or(role = 'owner') FROM people WHERE user_id = :user_id), false) AS owner,
  coalesce((SELECT bool_or(role <> 'viewer' AND site_id IS NULL) FROM people WHERE user_id = :user_id), false)
    AS everywhere,
  coalesce((SELECT array_agg(DISTINCT id) FROM reach WHERE role <> 'viewer'), '{}') AS admin,
  coalesce((SELECT array_agg(DISTINCT id) FROM reach), '{}') AS seen
""")

_REALMS = text("""
WITH RECURSIVE tree (id, slug, name, path, public, parent) AS (
  SELECT id, slug, name, CAST(name AS text), public, parent_id FROM sites
  WHERE id = ANY(CAST(:ids AS int[])) AND removed_at IS NULL
    AND (parent_id IS NULL OR parent_id <> ALL(CAST(:ids AS int[])))
  UNION ALL
  SELECT s.id, s.slug, s.name, t.path || ' › ' || s.name, s.public, s.parent_id
  FROM tree t JOIN sites s ON s.parent_id = t.id AND s.removed_at IS NULL AND s.id = ANY(CAST(:ids AS int[]))
)
SELECT id, slug, name, path, public, parent FROM tree ORDER BY path, id
""")

_GRANT = text("""
INSERT INTO people (user_id, role, site_id, granted_by) VALUES (:user_id, :role, :site_id, :by)
ON CONFLICT (user_id, site_id) DO UPDATE SET role = excluded.role, granted_by = excluded.granted_by
RETURNING id
""")

_INVITE = text("""
INSERT INTO invitations (hash, role, site_id, made_by, expires_at)
VALUES (:hash, :role, :site_id, :by, CAST(:now AS timestamptz) + :lasts)
""")

_INVITATION = text("""
SELECT role, site_id, made_by FROM invitations
WHERE hash = :hash AND expires_at > :now AND (role = 'owner' OR NOT :owner_only) FOR UPDATE
""")


async def powers(session: AsyncSession, user_id: int) -> Powers:
    """What a person may do now."""
    row = (await session.execute(_POWERS, {"user_id": user_id})).one()
    return Powers(user_id, row.owner, row.everywhere, frozenset(row.admin), frozenset(row.seen))


async def list_people(session: AsyncSession, user_id: int | None = None) -> list[Grant]:
    """All roles, or those of one person: owners first."""
    rows = await session.execute(text(_GRANTS), {"user_id": user_id})
    return [Grant(**{**row, "role": Role(row["role"])}) for row in rows.mappings()]


async def realms(session: AsyncSession, ids: frozenset[int]) -> list[Realm]:
    """The places with these keys, each below the one it belongs to."""
    return [Realm(**row) for row in (await session.execute(_REALMS, {"ids": list(ids)})).mappings()]


async def grant(session: AsyncSession, user_id: int, role: Role, site_id: int | None, *, actor: str) -> Grant:
    """Give a role; one for the same subtree is replaced. Raises `UserError` for the last owner, and for an owner of
    a part."""
    if user_id <= 0:
        raise UserError("a person's id is a positive number")
    if role is Role.OWNER and site_id is not None:
        raise UserError("an owner owns everything; for a part there are admins")
    await _take_turns(session)
    if role is not Role.OWNER and site_id is None:
        await _keep_an_owner(session, user_id)
    row = await session.execute(_GRANT, {"user_id": user_id, "role": role.value, "site_id": site_id, "by": actor[:64]})
    key = row.scalar_one()
    found = next(known for known in await list_people(session, user_id) if known.id == key)
    await audit(session, actor, "person.grant", str(user_id), role=role.value, site=found.site)
    return found


async def revoke(session: AsyncSession, grant_id: int, *, actor: str) -> Grant:
    """Take a role away. Raises `NotFoundError`, and `UserError` for the last owner."""
    await _take_turns(session)
    found = next((known for known in await list_people(session) if known.id == grant_id), None)
    if found is None:
        raise NotFoundError("there is no such role any more")
    if found.role is Role.OWNER:
        await _keep_an_owner(session, found.user_id)
    await session.execute(text("DELETE FROM people WHERE id = :id"), {"id": grant_id})
    await audit(session, actor, "person.revoke", str(found.user_id), role=found.role.value, site=found.site)
    return found


async def invite(session: AsyncSession, role: Role, site_id: int | None, now: datetime, *, actor: str) -> str:
    """A word that gives a role to whoever says it first within 24 hours. Raises `UserError` for an owner of a part."""
    if role is Role.OWNER and site_id is not None:
        raise UserError("an owner owns everything; for a part there are admins")
    word = random_word(WORD)
    values = {"hash": _hash(word), "role": role.value, "site_id": site_id, "by": actor[:64], "now": now}
    await session.execute(text("DELETE FROM invitations WHERE expires_at <= :now"), {"now": now})
    await session.execute(_INVITE, values | {"lasts": INVITED_FOR})
    await audit(session, actor, "person.invite", role.value, site_id=site_id)
    return word


async def accept(
    session: AsyncSession, user_id: int, word: str, now: datetime, *, owner_only: bool = False
) -> Grant | None:
    """Give the person the role of an invitation, which is used up; None if there is none (any more).

    A word never takes away: whoever may as much there already keeps that role, and the word stays good. One made by an
    owner who is none any more is worth nothing.
    """
    values = {"hash": _hash(word), "now": now, "owner_only": owner_only}
    row = (await session.execute(_INVITATION, values)).one_or_none()
    if row is None or not await _may_still_invite(session, row.made_by):
        return None
    role = Role(row.role)
    for held in await list_people(session, user_id):
        if held.role is Role.OWNER or (held.site_id == row.site_id and _as_much(held.role, role)):
            return held
    await session.execute(text("DELETE FROM invitations WHERE hash = :hash"), values)
    return await grant(session, user_id, role, row.site_id, actor=row.made_by)


def _as_much(held: Role, given: Role) -> bool:
    ranks = list(Role)
    return ranks.index(held) <= ranks.index(given)


async def _may_still_invite(session: AsyncSession, made_by: str) -> bool:
    """Whether who made a word is an owner still; whoever has the command line always may."""
    if not made_by.startswith(ACTOR):
        return True
    return (await powers(session, int(made_by.removeprefix(ACTOR)))).owner


async def is_last_owner(session: AsyncSession, user_id: int, *, settled: bool = False) -> bool:
    """Whether the person is the only owner; `settled`: and nobody's role changes until the transaction ends."""
    if settled:
        await _take_turns(session)
    return {known.user_id for known in await list_people(session) if known.role is Role.OWNER} == {user_id}


async def _keep_an_owner(session: AsyncSession, user_id: int) -> None:
    """Raises `UserError` if the person is the only owner."""
    if await is_last_owner(session, user_id):
        raise UserError("this is the last owner; make somebody else an owner first")


async def _take_turns(session: AsyncSession) -> None:
    """Two owners that revoke one another at once must not leave none."""
    await session.execute(text("LOCK TABLE people IN SHARE ROW EXCLUSIVE MODE"))


def _hash(word: str) -> str:
    return hashlib.sha256(f"svitlo invitation v1\n{word}".encode()).hexdigest()
