"""The rules of a target hold as those of a chat do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

from services.notifier import chats, chats_rules, targets
from services.notifier.targets import RuleChange, Wishes
from svitlo.contracts import EventKind
from tests.notifier.conftest import KYIV, World


async def told(world: World, *changes: RuleChange) -> list[str | None]:
    """Of a loss and a return at once, what a target with these rules is owed: why each is held back."""
    home = await world.site("home")
    async with world.database.transaction() as session:
        made = await targets.add_target(session, "json://localhost", "json", ["home"], name=None, language="en")
        wishes = Wishes(rules=changes, whole=[partial(chats.set_timezone, zone=KYIV.key)])
        await targets.change_target(session, made.number, wishes)
    await world.event(home)
    await world.event(home, EventKind.POWER_RESTORED)
    await world.plan()
    rows = await world.rows("SELECT held FROM deliveries WHERE state = 'pending' ORDER BY event_seq")
    return [row.held for row in rows]


async def test_without_rules_it_is_told_all(world: World) -> None:
    assert await told(world) == [None, None]


async def test_it_is_told_the_kinds_of_alert_it_wants(world: World) -> None:
    assert await told(world, partial(chats_rules.set_kinds, kinds=["restored"])) == [None]


async def test_it_is_told_of_long_outages_only(world: World) -> None:
    assert await told(world, partial(chats_rules.set_min_minutes, minutes=10)) == []


async def test_it_is_told_nothing_in_a_mute(world: World) -> None:
    until = datetime.now(UTC) + timedelta(hours=8)
    assert await told(world, partial(chats_rules.mute, until=until)) == ["mute", "mute"]


async def test_in_quiet_hours_of_its_own_clock_it_waits(world: World) -> None:
    now = datetime.now(KYIV)
    minute = now.hour * 60 + now.minute
    hours = (minute - 30) % 1440, (minute + 30) % 1440
    held = partial(chats_rules.set_quiet, hours=hours), partial(chats_rules.set_quiet_mode, mode="hold")
    assert await told(world, *held) == ["quiet", "quiet"]
