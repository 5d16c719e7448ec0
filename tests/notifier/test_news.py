"""What of the log people are told, and who of them."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.notifier import chats
from services.notifier.channels.console import ConsoleChannel
from services.notifier.news import is_news
from services.notifier.pacing import UNLIMITED
from services.notifier.views import ALERT_KINDS
from svitlo.contracts import Cause, Change, EventKind, Flapping, PowerEvent, PowerState
from svitlo.ids import uuid7
from tests.notifier.conftest import World, all_sent, sending, until

LOST, RESTORED, REVISED = EventKind.POWER_LOST, EventKind.POWER_RESTORED, EventKind.OUTAGE_REVISED
MOMENTARY, UNSTABLE, STABLE = EventKind.MOMENTARY, EventKind.UNSTABLE, EventKind.STABLE
PRESUMED, POWER, NETWORK, DEVICE = Cause
NOW = datetime(2026, 11, 20, 18, 10, tzinfo=UTC)
RETRACTION: dict[str, Any] = {"cause": NETWORK, "change": Change.RETRACTED}


def event(kind: EventKind, cause: Cause, **details: Any) -> PowerEvent:
    return PowerEvent(
        id=uuid7(NOW),
        rev=1,
        site="home",
        kind=kind,
        outage_id=uuid7(NOW),
        occurred_lo=NOW,
        occurred_hi=NOW,
        detected_at=NOW,
        cause=cause,
        evidence=[],
        **details,
    )


@pytest.mark.parametrize(
    ("kind", "cause", "details", "told"),
    [
        (LOST, PRESUMED, {}, True),
        (LOST, POWER, {}, True),
        (LOST, POWER, {"reconstructed": True}, False),
        (RESTORED, PRESUMED, {}, True),
        (RESTORED, POWER, {}, True),
        (RESTORED, NETWORK, {}, False),
        (RESTORED, DEVICE, {}, False),
        (RESTORED, POWER, {"reconstructed": True}, True),
        (REVISED, POWER, {"change": Change.CONFIRMED}, False),
        (REVISED, NETWORK, {"change": Change.RETRACTED}, True),
        (REVISED, DEVICE, {"change": Change.RETRACTED}, True),
        (REVISED, PRESUMED, {"change": Change.REFINED}, True),
        (REVISED, PRESUMED, {}, True),  # as an older detector wrote it
        (MOMENTARY, POWER, {}, False),
        (UNSTABLE, PRESUMED, {}, True),
        (STABLE, PRESUMED, {}, True),
    ],
)
def test_what_is_told_follows_from_the_event_and_quiet_silences_all(
    kind: EventKind, cause: Cause, details: dict[str, Any], told: bool
) -> None:
    assert is_news(event(kind, cause, **details)) is told
    assert is_news(event(kind, cause, quiet=False, **details)) is told
    assert not is_news(event(kind, cause, quiet=True, **details))


def test_whatever_is_told_has_words() -> None:
    assert {kind for kind in EventKind if is_news(event(kind, PRESUMED))} == set(ALERT_KINDS)


async def owed(world: World, chat_id: int) -> list[tuple[str, str]]:
    """Kind and cause of the events a chat is owed, in the order it gets them."""
    rows = await world.rows(
        "SELECT e.kind, e.cause FROM deliveries d JOIN power_events e ON e.seq = d.event_seq "
        "JOIN chats c ON c.id = d.chat WHERE c.chat_id = :chat AND d.state = 'pending' ORDER BY d.id",
        chat=chat_id,
    )
    return [(row.kind, row.cause) for row in rows]


@pytest.mark.parametrize("together", [True, False], ids=["planned together", "planned one by one"])
async def test_an_outage_that_never_was_takes_two_messages_and_a_confirmed_one_no_third(
    world: World, together: bool
) -> None:
    house = await world.site("house")
    await world.chat(1, house)

    async def log(kind: EventKind, **details: Any) -> None:
        await world.event(house, kind, **details)
        if not together:
            await world.plan()

    await log(LOST)
    await log(RESTORED, cause=NETWORK)
    await log(REVISED, **RETRACTION)
    await log(LOST)
    await log(RESTORED)
    await log(REVISED, cause=POWER, change=Change.CONFIRMED)
    await log(REVISED, cause=POWER, change=Change.REFINED)
    await log(REVISED, cause=POWER, change=Change.REFINED, quiet=True)
    await world.plan()
    assert await owed(world, 1) == [
        ("power_lost", "presumed"),
        ("outage_revised", "network"),
        ("power_lost", "presumed"),
        ("power_restored", "presumed"),
        ("outage_revised", "power"),
    ]


async def test_a_correction_goes_to_those_only_who_were_told_of_the_outage(world: World) -> None:
    house, other = await world.site("house"), await world.site("other")
    await world.chat(1, house)
    await world.event(house)
    await world.plan()
    await world.chat(2, other)
    await world.event(other)
    await world.plan()
    await world.event(house, RESTORED, cause=NETWORK)
    await world.chat(2, house)
    await world.event(house, REVISED, **RETRACTION)
    await world.event(other, REVISED, **RETRACTION)
    await world.plan()
    assert await owed(world, 1) == [("power_lost", "presumed"), ("outage_revised", "network")]
    # Of the house it knows nothing; that its own other place is on after all it learns.
    assert await owed(world, 2) == [("power_lost", "presumed"), ("outage_revised", "network")]
    [row] = await world.rows(
        "SELECT site_id FROM deliveries d JOIN power_events e ON e.seq = d.event_seq "
        "JOIN chats c ON c.id = d.chat WHERE c.chat_id = 2 AND e.kind = 'outage_revised'"
    )
    assert row.site_id == other.id


async def test_whoever_was_told_of_the_return_alone_is_told_its_correction(world: World) -> None:
    house = await world.site("house")
    await world.event(house)
    await world.plan()
    await world.chat(1, house)
    await world.event(house, RESTORED)
    await world.event(house, REVISED, **RETRACTION)
    await world.plan()
    assert await owed(world, 1) == [("power_restored", "presumed"), ("outage_revised", "network")]


@pytest.mark.parametrize(("state", "told"), [("sent", True), ("dropped", False), ("failed", False)])
async def test_a_loss_that_never_arrived_is_not_corrected(world: World, state: str, told: bool) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await world.event(house)
    await world.plan()
    await world.run("UPDATE deliveries SET state = :state", state=state)
    await world.event(house, REVISED, **RETRACTION)
    await world.plan()
    assert await owed(world, 1) == ([("outage_revised", "network")] if told else [])


async def test_corrections_planned_again_make_no_second_row(world: World) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    first = await world.event(house)
    await world.event(house, REVISED, **RETRACTION)
    for _ in range(2):
        await world.run("UPDATE consumer_offsets SET seq = :seq WHERE consumer = 'notifier'", seq=first - 1)
        await world.plan()
    assert await world.states(1) == ["pending", "pending"]


async def test_the_console_gets_each_story_as_people_do(world: World) -> None:
    async with world.database.transaction() as session:
        await chats.open_console(session, "en")
    early, house = await world.site("early"), await world.site("house")
    await world.run("UPDATE chats SET active = false")
    await world.event(early)
    await world.plan()
    async with world.database.transaction() as session:
        await chats.open_console(session, "en")

    now = datetime.now(UTC)
    flapping = Flapping(since=now - timedelta(minutes=20), changes=5, off_s=65.0, power=PowerState.ON)
    await world.event(early, REVISED, **RETRACTION)
    await world.event(house, UNSTABLE, flapping=flapping)
    await world.event(house, LOST, quiet=True)
    await world.event(house, RESTORED, quiet=True)
    await world.event(house, STABLE, flapping=flapping)
    await world.event(house, MOMENTARY)
    await world.event(house, LOST, cause=POWER, reconstructed=True)
    await world.event(house, RESTORED, cause=POWER, reconstructed=True)
    await world.event(house, LOST)
    await world.event(house, RESTORED, cause=DEVICE)
    await world.event(house, REVISED, cause=DEVICE, change=Change.RETRACTED)
    await world.plan()
    output = io.StringIO()
    async with sending(world, ConsoleChannel(output), rates=UNLIMITED):
        await until(lambda: all_sent(world, 0))
    printed = output.getvalue()
    assert [line.split(" since ")[0].split(" from ")[0] for line in printed.splitlines() if "—" in line] == [
        "⚡ House — on and off",
        "💡 House — power on",
        "💡 House — power on; it was off",
        "🔌 House — power off",
        "↩️ House — power was on after all",
    ]
    assert "5 changes so far." in printed
    assert "off for 1 min in all" in printed
    assert "Svitlo was not watching then." in printed


async def test_an_interruption_nobody_was_told_of_does_not_shorten_the_time_before(world: World) -> None:
    house = await world.site("house")
    async with world.database.transaction() as session:
        await chats.open_console(session, "en")
    await world.run(
        "INSERT INTO outages (id, site_id, rev, cause, started_lo, started_hi, detected_at, ended_lo, ended_hi, "
        "momentary) SELECT id, :site, 1, 'power', at, at, at, at, at, momentary FROM (VALUES "
        "(CAST(:long AS uuid), now() - interval '3 h 1 min', false), "
        "(CAST(:short AS uuid), now() - interval '5 min', true)) AS given (id, at, momentary)",
        site=house.id,
        long=uuid7(NOW),
        short=uuid7(NOW),
    )
    await world.event(house)
    await world.plan()
    output = io.StringIO()
    async with sending(world, ConsoleChannel(output), rates=UNLIMITED):
        await until(lambda: all_sent(world, 0))
    assert "Before that it was on for 3 h" in output.getvalue()
