"""The detector killed outright: what had begun is told once, what happened meanwhile is reconstructed."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from datetime import datetime, timedelta

import pytest

from tests.support.boards import Board, now
from tests.support.detector import ROUNDS
from tests.support.scene import Scene, living
from tests.support.wait import eventually_async

SITES = [f"site-{number}" for number in range(1, 9)]


async def befall(board: Board, after_s: float, *, dies: bool) -> None:
    """A board loses its power, or has it again, a while from now."""
    await asyncio.sleep(after_s)
    if dies:
        await board.die(silently=after_s % 0.2 < 0.05)
    else:
        board.boot()
        await board.start()


async def some_told(scene: Scene, power: str, count: int) -> None:
    """A moment round the writing of the change that is so many-th to show on the retained topics."""
    await eventually_async(lambda: sum(scene.integrator.power(site) == power for site in SITES) >= count)
    await asyncio.sleep(random.uniform(0, 0.02))


@pytest.mark.timeout(60 + 60 * ROUNDS)
async def test_killed_at_any_moment_it_tells_each_outage_and_each_return_exactly_once(scene: Scene) -> None:
    """Eight sites change within three seconds, before, at and after the kill: held, written or told by then."""
    found = await scene.furnish(*SITES)
    with scene.detector() as detector:
        await scene.sees()
        async with living(found.values()):
            await scene.all_are("on")
            await eventually_async(lambda: scene.record.knows(len(found)))
            for number in range(1, ROUNDS + 1):
                for power in ("off", "on"):
                    await scene.sees()
                    moments = [random.uniform(0, 3) for _ in SITES]
                    changes = [
                        asyncio.create_task(befall(board, moment, dies=power == "off"))
                        for board, moment in zip(found.values(), moments, strict=True)
                    ]
                    await some_told(scene, power, random.randint(0, len(SITES)))
                    detector.kill()
                    await asyncio.gather(*changes)
                    detector.start()
                    await scene.all_are(power)
                    await exactly_once(scene, number, power)


async def exactly_once(scene: Scene, rounds: int, power: str) -> None:
    """Every site had so many outages; each is told once in the log, and the stream has told the whole log."""
    lost, restored = rounds * len(SITES), (rounds - (power == "off")) * len(SITES)

    async def told() -> bool:
        kinds = Counter(await scene.record.kinds())
        return kinds["power_lost"] >= lost and kinds["power_restored"] >= restored

    await eventually_async(told, what=f"{lost} outages and {restored} returns are in the log")
    log = await scene.record.log()
    changes = Counter((event.outage_id, event.kind) for event in log if event.kind != "outage_revised")
    assert set(changes.values()) == {1}, log
    assert Counter(kind.value for _, kind in changes) == Counter(power_lost=lost, power_restored=restored)
    rows = await scene.record.outages()
    assert Counter(row.slug for row in rows) == dict.fromkeys(SITES, rounds)
    assert sum(row.ended_hi is not None for row in rows) == restored
    assert not [row for row in rows if row.retracted_at is not None]
    await scene.stream_tells_the_log()
    assert [scene.integrator.power(site) for site in SITES] == [power] * len(SITES)


@pytest.mark.skipif(ROUNDS == 1, reason="takes minutes; SVITLO_TEST_ROUNDS=10 runs it")
@pytest.mark.timeout(60 + 30 * ROUNDS)
async def test_killed_again_and_again_it_misses_no_outage_and_dates_each_within_its_bounds(scene: Scene) -> None:
    """Every few seconds for minutes, while power comes and goes everywhere; most is found or reconstructed later."""
    found = await scene.furnish(*SITES)
    truth: dict[str, list[tuple[datetime, datetime]]] = {site: [] for site in SITES}
    over = asyncio.Event()

    async def live(site: str, board: Board) -> None:
        await asyncio.sleep(random.uniform(0, 10))
        while not over.is_set():
            lost_at = now()
            await board.die(silently=random.random() < 0.5)
            await asyncio.sleep(random.uniform(6, 10))  # longer than a board may be silent
            board.boot()
            truth[site].append((lost_at, board.booted_at))
            await board.start()
            await asyncio.sleep(random.uniform(10, 14))  # longer than a detector needs to hear of it

    with scene.detector() as detector:
        await scene.sees()
        async with living(found.values()), asyncio.TaskGroup() as tasks:
            await scene.all_are("on")
            await eventually_async(lambda: scene.record.knows(len(found)))
            lives = [tasks.create_task(live(board.name.removesuffix("-1"), board)) for board in found.values()]
            for _ in range(4 * ROUNDS):
                await asyncio.sleep(random.uniform(3, 8))
                detector.kill()
                detector.start()
            over.set()
            await asyncio.gather(*lives)
            await scene.sees()
            await scene.all_are("on")
            returns = sum(map(len, truth.values()))

            async def told() -> bool:
                return (await scene.record.kinds()).count("power_restored") >= returns

            await eventually_async(told, what=f"{returns} returns are in the log")
            slack = timedelta(seconds=0.5)  # between what the test notes and what it does
            for site, outages in truth.items():
                rows = await scene.record.outages(site)
                assert len(rows) == len(outages), (outages, rows)
                for (lost_at, back_at), row in zip(outages, rows, strict=True):
                    assert row.started_lo - slack <= lost_at <= row.started_hi + slack, (lost_at, row)
                    assert row.ended_lo - slack <= back_at <= row.ended_hi + slack, (back_at, row)
            kinds = Counter((event.outage_id, event.kind.value) for event in await scene.record.log())
            assert Counter(kind for _, kind in kinds)["power_lost"] == returns
            assert {kind: count for kind, count in kinds.items() if kind[1] != "outage_revised" and count != 1} == {}


async def test_what_begins_and_ends_while_it_is_down_is_reconstructed_for_power_and_for_nothing_else(
    scene: Scene,
) -> None:
    found = await scene.furnish("cut", "browned", "bitten", "networkless", "well")
    cut, browned, bitten = found["cut-1"], found["browned-1"], found["bitten-1"]
    networkless = found["networkless-1"]
    with scene.detector() as detector:
        await scene.sees()
        async with living(found.values()):
            await scene.all_are("on")
            await eventually_async(lambda: scene.record.knows(len(found)))
            detector.kill()
            gone_at = now()
            for board in (cut, browned, bitten, networkless):
                await board.die()
            await asyncio.sleep(5.5)  # longer than a board may be silent
            back_at = now()
            for board, reset in ((cut, "power_on"), (browned, "brownout"), (bitten, "watchdog")):
                board.boot(reset)
            for board in (cut, browned, bitten, networkless):
                await board.start()
            detector.start()
            await scene.all_are("on")
            await scene.told(4)
            log = await scene.record.log()
            for site in ("cut", "browned"):
                lost, restored = (event for event in log if event.site == site)
                assert (lost.kind, restored.kind) == ("power_lost", "power_restored")
                assert lost.reconstructed is restored.reconstructed is True
                assert lost.cause == restored.cause == "power"
                assert lost.occurred_lo <= gone_at <= lost.occurred_hi
                assert restored.occurred_lo <= back_at <= restored.occurred_hi
                (row,) = await scene.record.outages(site)
                assert (row.reconstructed, row.cause, row.momentary) == (True, "power", False)
                assert (row.started_lo, row.started_hi) == (lost.occurred_lo, lost.occurred_hi)
                assert (row.ended_lo, row.ended_hi) == (restored.occurred_lo, restored.occurred_hi)
                assert scene.integrator.state(site).since == row.ended_hi
            # What would come to light of the others has: silence counts again, and finds this one.
            await found["well-1"].die(silently=True)
            await scene.told(1, "well")
            assert {event.site for event in await scene.record.log()} == {"cut", "browned", "well"}
            assert {row.slug for row in await scene.record.outages()} == {"cut", "browned", "well"}
            for site in ("cut", "browned", "bitten", "networkless"):
                assert "off" not in scene.integrator.powers[site]
