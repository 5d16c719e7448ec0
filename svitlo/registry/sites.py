"""Sites: the places whose power is watched, the tree they form, and the rule by which their devices tell."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from enum import Enum
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from svitlo.errors import AlreadyExistsError, NotFoundError, UserError
from svitlo.ids import random_word
from svitlo.registry.trail import audit, check_slug

RULES = ("any", "all", "majority", "k")
"""How a site's devices tell its power: one that lives is enough, all must, more than half, or weight `k` of them."""

MOST_K = 10_000
LONGEST_CONFIRM_S = 86_400


class Keep(Enum):
    """The type of `KEEP`, which leaves a field as it is where None means something."""

    KEEP = "keep"


KEEP: Final = Keep.KEEP


@dataclass(frozen=True)
class SiteRow:
    """A site as the registry knows it.

    `devices` are the ids of the boards that stand for it, `weights` their weights in the same order. Where
    `confirm_off_s` or `confirm_on_s` is None, the setting of all sites counts.
    """

    id: int
    slug: str
    name: str
    parent: str | None
    public: bool
    invite: str
    rule: str
    k: int | None
    confirm_off_s: float | None
    confirm_on_s: float | None
    created_at: datetime
    devices: tuple[str, ...]
    weights: tuple[int, ...]


# A `real` becomes the number that was written (0.1, not 0.10000000149) by way of `numeric`.
_SITES = """
SELECT s.id, s.slug, s.name, p.slug AS parent, s.public, s.invite, s.rule, s.k,
       CAST(CAST(s.confirm_off_s AS numeric) AS float8) AS confirm_off_s,
       CAST(CAST(s.confirm_on_s AS numeric) AS float8) AS confirm_on_s, s.created_at,
       coalesce(array_agg(d.id ORDER BY d.id) FILTER (WHERE d.id IS NOT NULL), '{}') AS devices,
       coalesce(array_agg(sd.weight ORDER BY d.id) FILTER (WHERE d.id IS NOT NULL), '{}') AS weights
FROM sites s
LEFT JOIN sites p ON p.id = s.parent_id
LEFT JOIN site_devices sd ON sd.site_id = s.id
LEFT JOIN devices d ON d.id = sd.device_id AND d.removed_at IS NULL
WHERE s.removed_at IS NULL AND (CAST(:slug AS text) IS NULL OR s.slug = :slug)
GROUP BY s.id, p.slug ORDER BY s.slug
"""

_ABOVE = """
WITH RECURSIVE above AS (
  SELECT id, parent_id FROM sites WHERE id = :id
  UNION
  SELECT s.id, s.parent_id FROM above a JOIN sites s ON s.id = a.parent_id
)
SELECT id FROM above
"""


async def list_sites(session: AsyncSession, slug: str | None = None) -> list[SiteRow]:
    """All sites (or the one named), by slug."""
    rows = await session.execute(text(_SITES), {"slug": slug})
    return [
        SiteRow(**{**row, "devices": tuple(row["devices"]), "weights": tuple(row["weights"])})
        for row in rows.mappings()
    ]


async def get_site(session: AsyncSession, slug: str) -> SiteRow:
    """One site. Raises `NotFoundError`."""
    found = await list_sites(session, slug)
    if not found:
        raise NotFoundError(f"there is no site {slug!r}; svitlo site list shows what there is")
    return found[0]


async def add_site(
    session: AsyncSession,
    slug: str,
    name: str,
    *,
    parent: str | None = None,
    public: bool = False,
    rule: str = "any",
    k: int | None = None,
    confirm_off_s: float | None = None,
    confirm_on_s: float | None = None,
    actor: str = "cli",
) -> SiteRow:
    """Add a site. Raises `UserError` for what it cannot be, `AlreadyExistsError`, `NotFoundError` (the parent)."""
    check_slug(slug, "site")
    values = {
        "name": _checked_name(name),
        "public": public,
        "rule": rule,
        "k": _checked_k(rule, k),
        "confirm_off_s": _checked_confirm(confirm_off_s),
        "confirm_on_s": _checked_confirm(confirm_on_s),
    }
    await _take_turns(session)
    parent_id = (await get_site(session, parent)).id if parent is not None else None
    await _check_free(session, slug)
    await session.execute(
        text(
            "INSERT INTO sites (slug, name, parent_id, public, invite, rule, k, confirm_off_s, confirm_on_s) "
            "VALUES (:slug, :name, :parent_id, :public, :invite, :rule, :k, :confirm_off_s, :confirm_on_s)"
        ),
        {**values, "slug": slug, "parent_id": parent_id, "invite": random_word(16)},
    )
    await session.execute(text("DELETE FROM former_slugs WHERE slug = :slug"), {"slug": slug})
    await audit(session, actor, "site.add", slug, parent=parent, **values)
    return await get_site(session, slug)


async def change_site(
    session: AsyncSession,
    slug: str,
    *,
    name: str | None = None,
    parent: str | Keep | None = KEEP,
    public: bool | None = None,
    rule: str | None = None,
    k: int | None = None,
    confirm_off_s: float | Keep | None = KEEP,
    confirm_on_s: float | Keep | None = KEEP,
    actor: str = "cli",
) -> SiteRow:
    """Change what is given. A parent of None makes it a top site, a confirmation of None takes the setting of all.

    Raises `NotFoundError`, and `UserError` for what cannot be, such as a parent that stands below the site.
    """
    await _take_turns(session)
    site = await get_site(session, slug)
    above = site.parent if parent is KEEP else parent
    wanted = {
        "name": site.name if name is None else _checked_name(name),
        "parent": above,
        "public": site.public if public is None else public,
        "rule": site.rule if rule is None else rule,
        "k": _checked_k(site.rule if rule is None else rule, k, site.k),
        "confirm_off_s": site.confirm_off_s if confirm_off_s is KEEP else _checked_confirm(confirm_off_s),
        "confirm_on_s": site.confirm_on_s if confirm_on_s is KEEP else _checked_confirm(confirm_on_s),
    }
    before = asdict(site)
    changed = {field: value for field, value in wanted.items() if value != before[field]}
    if not changed:
        return site
    parent_id = await _parent_of(session, site, above)
    await session.execute(
        text(
            "UPDATE sites SET name = :name, parent_id = :parent_id, public = :public, rule = :rule, k = :k, "
            "confirm_off_s = :confirm_off_s, confirm_on_s = :confirm_on_s WHERE id = :id"
        ),
        {**wanted, "parent_id": parent_id, "id": site.id},
    )
    await audit(session, actor, "site.change", slug, **changed)
    return await get_site(session, slug)


async def rename_site(session: AsyncSession, slug: str, new_slug: str, *, actor: str = "cli") -> SiteRow:
    """Give a site another slug; its history, devices and followers stay. Raises as `add_site`."""
    check_slug(new_slug, "site")
    await _take_turns(session)
    site = await get_site(session, slug)
    if new_slug == slug:
        raise UserError(f"the site is called {slug!r} already")
    await _check_free(session, new_slug)
    await session.execute(text("UPDATE sites SET slug = :slug WHERE id = :id"), {"slug": new_slug, "id": site.id})
    await session.execute(text("DELETE FROM former_slugs WHERE slug = :slug"), {"slug": new_slug})
    await session.execute(
        text("INSERT INTO former_slugs (slug) VALUES (:slug) ON CONFLICT (slug) DO UPDATE SET renamed_at = now()"),
        {"slug": slug},
    )
    await audit(session, actor, "site.rename", slug, to=new_slug)
    return await get_site(session, new_slug)


async def remove_site(session: AsyncSession, slug: str, *, actor: str = "cli") -> None:
    """Remove a site from sight; its history stays. Raises `NotFoundError`, `UserError` if it has children."""
    await _take_turns(session)
    site = await get_site(session, slug)
    children = await session.execute(
        text("SELECT slug FROM sites WHERE parent_id = :id AND removed_at IS NULL ORDER BY slug"), {"id": site.id}
    )
    if names := [row.slug for row in children]:
        raise UserError(f"{slug!r} has sites under it ({', '.join(names)}); remove those first")
    await session.execute(text("DELETE FROM site_devices WHERE site_id = :id"), {"id": site.id})
    await session.execute(text("DELETE FROM subscriptions WHERE site_id = :id"), {"id": site.id})
    await session.execute(
        text("UPDATE maintenance_windows SET cancelled_at = now() WHERE site_id = :id AND cancelled_at IS NULL"),
        {"id": site.id},
    )
    await session.execute(text("UPDATE sites SET removed_at = now() WHERE id = :id"), {"id": site.id})
    await audit(session, actor, "site.remove", slug)


async def _take_turns(session: AsyncSession) -> None:
    """One change of the tree at a time: each alone is sound, two at once could close a circle or share a slug."""
    await session.execute(text("LOCK TABLE sites IN SHARE ROW EXCLUSIVE MODE"))


async def _check_free(session: AsyncSession, slug: str) -> None:
    if await list_sites(session, slug):
        raise AlreadyExistsError(f"there is a site {slug!r} already")


async def _parent_of(session: AsyncSession, site: SiteRow, parent: str | None) -> int | None:
    """The parent's id. Raises `NotFoundError`, and `UserError` if it is the site or stands below it."""
    if parent is None:
        return None
    if parent == site.slug:
        raise UserError(f"{site.slug!r} cannot be its own parent")
    found = await get_site(session, parent)
    above = await session.execute(text(_ABOVE), {"id": found.id})
    if site.id in above.scalars():
        raise UserError(f"{parent!r} stands below {site.slug!r} and cannot be its parent; move {parent!r} first")
    return found.id


def _checked_name(name: str) -> str:
    if not name.strip() or len(name) > 120 or not name.isprintable():
        raise UserError("a site's name must be 1 to 120 printable characters")
    return name.strip()


def _checked_k(rule: str, k: int | None, known: int | None = None) -> int | None:
    """The `k` that goes with the rule; the one `known` so far if none is given. Raises `UserError`."""
    if rule not in RULES:
        raise UserError(f"{rule!r} is no rule; the rules are {', '.join(RULES)}")
    if rule != "k":
        if k is not None:
            raise UserError(f"k goes with the rule k alone, and here the rule is {rule}; leave k out or choose rule k")
        return None
    wanted = known if k is None else k
    if wanted is None:
        raise UserError("the rule k needs k: how much weight of its devices must live for the site to have power")
    if not 1 <= wanted <= MOST_K:
        raise UserError(f"k is a whole number from 1 to {MOST_K}")
    return wanted


def _checked_confirm(seconds: float | None) -> float | None:
    if seconds is not None and not 0 <= seconds <= LONGEST_CONFIRM_S:
        raise UserError(f"a confirmation takes 0 to {LONGEST_CONFIRM_S} seconds")
    return seconds
