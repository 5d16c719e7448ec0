"""What is past its time is deleted, and nothing that may still be needed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from services.notifier import broadcasts, retention
from services.notifier.retention import Part, Retention
from svitlo import registry
from svitlo.contracts import Cause, Change, EventKind
from tests.notifier.conftest import World

LOST, RESTORED, REVISED = EventKind.POWER_LOST, EventKind.POWER_RESTORED, EventKind.OUTAGE_REVISED
OLD = timedelta(days=91)


def sweeping(world: World, part: int = 1000) -> Retention:
    return Retention(world.database, part=part, pause_s=0)


async def told(world: World, site: registry.SiteRow, days: float, *, open_: bool = False) -> UUID:
    """An outage of that many days ago, an hour long, of which everybody was told."""
    ago = timedelta(days=days)
    began = datetime.now(UTC) - ago
    await world.event(site, LOST, ago=ago)
    if not open_:
        await world.event(site, RESTORED, ago=ago)
    outage = world.outages[site.slug]
    await world.run(
        "INSERT INTO outages (id, site_id, rev, cause, started_lo, started_hi, detected_at, ended_lo, ended_hi) "
        "VALUES (:id, :site, 1, 'power', :began, :began, :began, :ended, :ended)",
        id=outage,
        site=site.id,
        began=began,
        ended=None if open_ else began + timedelta(hours=1),
    )
    await world.plan()
    await world.run(
        "UPDATE deliveries d SET created_at = e.detected_at, next_attempt_at = e.detected_at, state = 'sent', "
        "sent_at = e.detected_at, text = 'said' FROM power_events e WHERE e.seq = d.event_seq AND d.state = 'pending'"
    )
    return outage


async def count(world: World) -> int:
    [row] = await world.rows("SELECT count(*) AS n FROM deliveries")
    return int(row.n)


async def test_what_was_told_long_ago_goes_and_what_was_lately_stays(world: World) -> None:
    house = await world.site("house")
    for chat in (1, 2):
        await world.chat(chat, house)
    await told(world, house, 91)
    await told(world, house, 89)
    assert await count(world) == 8
    assert await sweeping(world).sweep() == 4
    rows = await world.rows("SELECT created_at > now() - interval '90 days' AS young FROM deliveries")
    assert [row.young for row in rows] == [True] * 4
    assert await sweeping(world).sweep() == 0


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ("state = 'failed', sent_at = NULL", False),
        ("state = 'dropped', sent_at = NULL", False),
        ("state = 'merged', sent_at = NULL", False),
        ("state = 'pending', sent_at = NULL", True),
        ("state = 'pending', sent_at = NULL, not_before = now() + interval '1 day', held = 'mute'", True),
        ("sent_at = now() - interval '1 day'", True),  # it was muted all the time
    ],
)
async def test_whatever_is_not_done_with_stays(world: World, change: str, kept: bool) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await told(world, house, 91)
    await world.run(f"UPDATE deliveries SET {change}")
    await sweeping(world).sweep()
    assert await count(world) == (2 if kept else 0)


async def test_the_end_of_a_very_long_outage_and_its_correction_reach_who_was_told_of_it(world: World) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await world.run("UPDATE subscriptions SET min_minutes = 10")
    outage = await told(world, house, 100, open_=True)
    assert await sweeping(world).sweep() == 0
    # It ends now: what was told of its beginning is needed for 90 days more.
    await world.event(house, RESTORED)
    await world.run("UPDATE outages SET ended_lo = now(), ended_hi = now() WHERE id = :id", id=outage)
    await world.plan()
    assert await sweeping(world).sweep() == 0
    await world.event(house, REVISED, cause=Cause.NETWORK, change=Change.RETRACTED)
    await world.plan()
    assert len(await world.states(1)) == 3


async def test_what_was_taken_back_is_needed_no_more(world: World) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    outage = await told(world, house, 91, open_=True)
    await world.run("UPDATE outages SET retracted_at = now() WHERE id = :id", id=outage)
    assert await sweeping(world).sweep() == 1


async def test_it_goes_in_small_parts_and_no_further_than_the_first_young_one(world: World) -> None:
    house = await world.site("house")
    for chat in range(1, 6):
        await world.chat(chat, house)
    await told(world, house, 91)  # ten deliveries
    await told(world, house, 1)
    await world.run("UPDATE deliveries SET state = 'pending' WHERE id = (SELECT min(id) FROM deliveries)")
    keys = [row.id for row in await world.rows("SELECT id FROM deliveries ORDER BY id")]
    parts = []
    async with world.database.transaction() as session:
        after, more = 0, True
        while more:
            parts.append(await retention.delete_deliveries(session, after, 4))
            after, more = parts[-1].last, parts[-1].more
    assert parts == [Part(3, keys[3], True), Part(4, keys[7], True), Part(2, keys[11], False)]
    assert await sweeping(world, part=4).sweep() == 0


async def test_the_part_that_ends_with_the_table_is_the_last(world: World) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await told(world, house, 91)
    assert await sweeping(world, part=2).sweep() == 2
    assert await sweeping(world, part=2).sweep() == 0


async def test_what_another_holds_is_waited_for_by_nobody(world: World) -> None:
    house = await world.site("house")
    for chat in (1, 2):
        await world.chat(chat, house)
    await told(world, house, 91)
    async with world.database.transaction() as holder:
        await holder.execute(text("SELECT 1 FROM deliveries ORDER BY id LIMIT 1 FOR UPDATE"))
        assert await sweeping(world).sweep() == 3
    assert await sweeping(world).sweep() == 1


async def test_a_broadcast_goes_with_its_last_message(world: World) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    async with world.database.transaction() as session:
        sent = await broadcasts.draft(session, 1, None, "text", datetime.now(UTC))
        await broadcasts.send(session, sent, None, actor="cli")
    await world.run("UPDATE broadcasts SET created_at = now() - interval '91 days'")
    await world.run("UPDATE deliveries SET created_at = now() - interval '91 days'")
    await sweeping(world).sweep()
    assert len(await world.rows("SELECT 1 FROM broadcasts")) == 1  # it is still being sent
    await world.run("UPDATE deliveries SET state = 'sent', sent_at = created_at")
    await sweeping(world).sweep()
    assert await world.rows("SELECT 1 FROM broadcasts") == []


async def test_what_nobody_came_back_for_goes(world: World) -> None:
    chat = await world.chat(1)

    async def add(ago: timedelta, key: int) -> None:
        values: dict[str, Any] = {"at": datetime.now(UTC) - ago, "key": str(key)}
        await world.run("INSERT INTO notifier_workers (instance, seen_at) VALUES (:key, :at)", **values)
        await world.run(
            "INSERT INTO invitations (hash, role, made_by, expires_at) VALUES (:key, 'viewer', 'cli', :at)", **values
        )
        await world.run(
            "INSERT INTO chores (kind, chat, message_id, due_at, ends_at) VALUES ('delete', :chat, 1, :at, :at)",
            chat=chat.id,
            at=values["at"] - (retention.KEPT if key else timedelta(0)),
        )

    await add(timedelta(hours=1), 0)
    await add(timedelta(days=2), 1)
    await world.run(
        "INSERT INTO conversations (chat, kind, expires_at) VALUES (:chat, 'site', now() - interval '2 days')",
        chat=chat.id,
    )
    await sweeping(world).sweep()
    for table, left in (("notifier_workers", 1), ("invitations", 1), ("chores", 1), ("conversations", 0)):
        assert len(await world.rows(f"SELECT 1 FROM {table}")) == left, table
