"""PostgreSQL away for several snapshots: detection and the retained topics go on, and the record is made good."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.support import postgres
from tests.support.boards import now
from tests.support.broker import ProcessBroker
from tests.support.detector import ROUNDS
from tests.support.postgres import ProcessServer
from tests.support.scene import Scene, living
from tests.support.wait import eventually_async

AWAY_S = 600.0 if ROUNDS > 1 else 11.0
"""Longer than two snapshots (5 s each); ten minutes with SVITLO_TEST_ROUNDS=2."""


@pytest.fixture(scope="module")
def server() -> Iterator[ProcessServer]:
    """A PostgreSQL of these tests' own, to be stopped."""
    running = ProcessServer()
    try:
        postgres.make_template(running)
        yield running
    finally:
        running.close()


@pytest.fixture
async def alone(server: ProcessServer) -> AsyncIterator[Scene]:
    """A scene on that server."""
    broker = ProcessBroker()
    try:
        broker.start()
        url = await asyncio.to_thread(postgres.new_database, server)
        async with Scene.set(broker, url) as scene:
            yield scene
    finally:
        broker.close()


@pytest.mark.timeout(AWAY_S + 110)
async def test_what_happens_while_the_database_is_away_is_told_at_once_and_written_in_order_afterwards(
    server: ProcessServer, alone: Scene
) -> None:
    scene = alone
    found = await scene.furnish("within", "ended", "begun", "retracted", "steady")
    within, ended, begun, retracted = (found[f"{site}-1"] for site in ("within", "ended", "begun", "retracted"))
    async with scene.detecting(), living(found.values()):
        await scene.all_are("on")
        await ended.die()
        await scene.told(1, "ended")
        stopped_at = now()
        await asyncio.to_thread(server.stop)
        await within.die()
        await retracted.die()
        await scene.all_are("off", ["within", "retracted"])
        for board in (within, ended):
            board.boot()
            await board.start()
        await retracted.start()
        await scene.all_are("on", ["within", "ended", "retracted"])
        await begun.die(silently=True)
        await scene.all_are("off", ["begun"])
        assert [event.site for event in scene.integrator.events] == ["ended"], "no event before it is written"
        await asyncio.sleep(max(0.0, AWAY_S - (now() - stopped_at).total_seconds()))
        await asyncio.to_thread(server.start)
        begun.boot()
        await begun.start()
        await scene.all_are("on", ["begun"])
        told = await scene.told(12, timeout_s=30)

    log = await scene.record.log()
    assert [event.detected_at for event in log] == sorted(event.detected_at for event in log)
    assert [(event.id, event.rev) for event in told] == [(event.id, event.rev) for event in log]
    for site in ("within", "ended", "begun", "retracted"):
        events = [event for event in log if event.site == site]
        assert [event.kind for event in events] == ["power_lost", "power_restored", "outage_revised"]
        assert events[2].change == ("retracted" if site == "retracted" else "confirmed")
        (row,) = await scene.record.outages(site)
        assert row.rev == 2
        assert (row.retracted_at is not None) == (site == "retracted")
        assert row.cause == ("network" if site == "retracted" else "power")
        assert row.started_lo <= row.started_hi <= row.ended_hi
        assert (row.reconstructed, row.momentary, row.maintenance) == (False, False, False)
    assert await scene.record.outages("steady") == []
    assert await scene.record.gaps() == [], "we saw all the time"
    states = "SELECT s.slug, st.power FROM site_state st JOIN sites s ON s.id = st.site_id"
    assert {row.power for row in await scene.record.rows(states)} == {"on"}


async def test_of_what_a_killed_detector_could_not_write_the_past_is_reconstructed_and_the_present_found(
    server: ProcessServer, alone: Scene
) -> None:
    """Lost are the ids, and an outage of the network; what the boards themselves prove is not."""
    scene = alone
    found = await scene.furnish("over", "lasting", "networkless", "steady")
    over, lasting, networkless = (found[f"{site}-1"] for site in ("over", "lasting", "networkless"))
    with scene.detector() as detector:
        await scene.sees()
        async with living(found.values()):
            await scene.all_are("on")
            await eventually_async(lambda: scene.record.knows(len(found)))
            await asyncio.to_thread(server.stop)
            gone_at = now()
            for board in (over, lasting, networkless):
                await board.die()
            await scene.all_are("off", ["over", "lasting", "networkless"])
            await asyncio.sleep(max(0.0, 5.5 - (now() - gone_at).total_seconds()))  # longer than a board may be silent
            over.boot()
            back_at = over.booted_at
            await over.start()
            await networkless.start()
            await scene.all_are("on", ["over", "networkless"])
            detector.kill()
            detector.start()
            await asyncio.to_thread(server.start)
            await scene.sees(timeout_s=30)
            await scene.told(3, timeout_s=30)
            await scene.all_are("off", ["lasting"])
            log = await scene.record.log()
            assert [event.kind for event in log if event.site == "over"] == ["power_lost", "power_restored"]
            lost, restored = (event for event in log if event.site == "over")
            assert lost.reconstructed is restored.reconstructed is True
            assert lost.occurred_lo <= gone_at <= lost.occurred_hi
            assert restored.occurred_lo <= back_at <= restored.occurred_hi
            (lost,) = (event for event in log if event.site == "lasting")
            assert lost.kind == "power_lost"
            assert lost.occurred_lo <= gone_at <= lost.occurred_hi
            assert {row.slug for row in await scene.record.outages()} == {"over", "lasting"}
            lasting.boot()
            await lasting.start()
            await scene.all_are("on")
            await scene.told(2, "lasting")
            kinds = await scene.record.kinds("lasting")
            assert (kinds.count("power_lost"), kinds.count("power_restored")) == (1, 1)
