"""Two detectors, one of them killed, frozen or cut off: one turn at a time, no false word and none twice."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import pytest
from sqlalchemy import text

from services.detector.turn import ACTIVE_LOCK
from tests.support.boards import Board, now
from tests.support.detector import ROUNDS, DetectorProcess
from tests.support.scene import Scene, living
from tests.support.wait import eventually_async

TAKES_OVER_S = 10.0
GIVE_UP = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = :key"
WAITING = "SELECT count(*) FROM pg_locks WHERE relation = CAST('outages' AS regclass) AND NOT granted"
STANDING_BY = "another detector is active; standing by"


async def stands_by(detector: DetectorProcess, times: int = 1) -> None:
    await eventually_async(lambda: detector.said().count(STANDING_BY) >= times, 20, "the other detector stands by")


async def taken_over(scene: Scene, instance: str) -> None:
    """The other detector works within its time."""
    began = time.monotonic()
    await eventually_async(lambda: scene.integrator.online(instance), TAKES_OVER_S + 1, f"{instance} takes over")
    assert time.monotonic() - began < TAKES_OVER_S


async def return_and_tell(scene: Scene, *dead: Board) -> None:
    """These boards have power again, and all is told."""
    for board in dead:
        board.boot()
        await board.start()
    await scene.all_are("on")
    for board in dead:
        await scene.told(2, board.name.removesuffix("-1"))


async def told_once(scene: Scene, *sites: str) -> None:
    """Each of these sites had one outage with its end, and no other had any."""
    log = await scene.record.log()
    counted = Counter((event.site, event.kind.value) for event in log if event.kind != "outage_revised")
    assert counted == {(site, kind): 1 for site in sites for kind in ("power_lost", "power_restored")}
    rows = await scene.record.outages()
    assert sorted(row.slug for row in rows) == sorted(sites)
    assert all(row.ended_hi is not None and row.retracted_at is None for row in rows)
    await scene.stream_tells_the_log()


async def test_a_killed_detector_is_replaced_within_ten_seconds_and_its_outage_is_told_once(scene: Scene) -> None:
    """Each is killed once with an outage in progress: one just found, one not noticed yet."""
    found = await scene.furnish("found", "unnoticed", "steady")
    with scene.detector("a") as first, scene.detector("b") as second:
        second.stop()
        await scene.sees("a")
        second.start()
        await stands_by(second)
        async with living(found.values()):
            await scene.all_are("on")
            await eventually_async(lambda: scene.record.knows(len(found)))
            await found["found-1"].die()
            await scene.all_are("off", ["found"])
            first.kill()
            await taken_over(scene, "b")
            await scene.told(1, "found")
            first.start()
            await stands_by(first)

            await found["unnoticed-1"].die(silently=True)
            second.kill()
            await taken_over(scene, "a")
            second.start()
            await scene.all_are("off", ["found", "unnoticed"])
            assert scene.integrator.power("steady") == "on"  # whose silence counts by now too
            await return_and_tell(scene, found["found-1"], found["unnoticed-1"])
        await told_once(scene, "found", "unnoticed")
        gaps = await scene.record.gaps()
        assert [reason for reason in gaps if reason == "start"] == ["start", "start"]


async def test_a_frozen_detector_keeps_its_turn_and_wakes_without_a_false_word_though_the_broker_restarted(
    scene: Scene,
) -> None:
    """The lock goes with the process or its connection; a process that only stands still keeps both.

    So nobody takes over, and retained topics and log stand still with it. On waking it counts the time as blind: boards
    that are well are not reported, and one that died meanwhile is found.
    """
    found = await scene.furnish("dead", "steady")
    with scene.detector("a") as first, scene.detector("b") as second:
        second.stop()
        await scene.sees("a")
        second.start()
        await stands_by(second)
        async with living(found.values()):
            await scene.all_are("on")
            first.freeze()
            frozen_at = now()
            await found["dead-1"].die()
            scene.broker.terminate()
            scene.broker.start()
            await asyncio.sleep(5.5)  # longer than a board may be silent, and than a take-over takes
            assert not scene.integrator.online("b")
            assert scene.integrator.power("dead") == "on"
            first.thaw()
            await scene.sees("a")
            await scene.all_are("off", ["dead"])
            (lost,) = await scene.told(1)
            assert lost.occurred_lo <= frozen_at <= lost.occurred_hi
            assert scene.integrator.power("steady") == "on"
            await return_and_tell(scene, found["dead-1"])
        await told_once(scene, "dead")
        assert not scene.integrator.online("b")


async def test_a_detector_that_froze_in_writing_and_lost_its_turn_has_no_word_left_when_it_wakes(scene: Scene) -> None:
    """The database gave up the connection of its turn alone. What it saw last is told by the other, and once."""
    found = await scene.furnish("last-seen", "later", "steady")
    with scene.detector("a") as first, scene.detector("b") as second:
        second.stop()
        await scene.sees("a")
        second.start()
        await stands_by(second)
        async with living(found.values()):
            await scene.all_are("on")
            await eventually_async(lambda: scene.record.knows(len(found)))
            async with scene.database.transaction() as session:
                await session.execute(text("LOCK TABLE outages"))
                await found["last-seen-1"].die()
                await scene.all_are("off", ["last-seen"])
                await eventually_async(lambda: scene.record.scalar(WAITING))
                first.freeze()
            await scene.record.rows(GIVE_UP, key=ACTIVE_LOCK)
            await taken_over(scene, "b")
            await scene.all_are("off", ["last-seen"])
            await found["later-1"].die()
            first.thaw()
            await stands_by(first)
            await scene.all_are("off", ["last-seen", "later"])
            assert scene.integrator.power("steady") == "on"
            await return_and_tell(scene, found["last-seen-1"], found["later-1"])
        await told_once(scene, "last-seen", "later")
        assert scene.integrator.online("b")
        assert not scene.integrator.online("a")


@pytest.mark.skipif(ROUNDS == 1, reason="takes a minute; SVITLO_TEST_ROUNDS=2 runs it")
async def test_a_detector_that_stays_frozen_is_replaced_within_a_minute(scene: Scene) -> None:
    found = await scene.furnish("dead", "steady")
    with scene.detector("a") as first, scene.detector("b") as second:
        second.stop()
        await scene.sees("a")
        second.start()
        await stands_by(second)
        async with living(found.values()):
            await scene.all_are("on")
            await eventually_async(lambda: scene.record.knows(len(found)))
            first.freeze()
            await found["dead-1"].die()
            await eventually_async(lambda: scene.integrator.online("b"), 60, "b takes over")
            await scene.all_are("off", ["dead"])
            first.thaw()
            await stands_by(first)
            await return_and_tell(scene, found["dead-1"])
        await told_once(scene, "dead")
