"""The detector among real parts: what boards, the registry and the calendar do to it while it runs."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import httpx
import pytest

from services.api.app import create_app
from svitlo import registry
from svitlo.registry.windows import add_window, cancel_window
from svitlo.settings import load_settings
from tests.support.boards import now
from tests.support.broker import Broker, address
from tests.support.detector import ROUNDS
from tests.support.house import heartbeat, speaking_as, status
from tests.support.scene import Scene, living
from tests.support.wait import eventually_async

TAKEOVERS = 200 * ROUNDS


@pytest.mark.parametrize(("count", "restarts"), [(1, False), (8, False), (4, True)])
async def test_boards_that_take_over_their_own_connections_never_look_dead(
    scene: Scene, count: int, restarts: bool
) -> None:
    """The broker publishes the will of the old connection, then takes the new one; also where a watchdog bit."""
    found = await scene.furnish("home", "control", each=count)
    ours = [board for name, board in found.items() if name.startswith("home")]
    control = found["control-1"]
    async with scene.detecting(), living([*ours, control]):
        await scene.all_are("on")
        for number in range(TAKEOVERS):
            board = ours[number % count]
            if restarts:
                board.boot("watchdog")
            await board.connect()
        # Its will comes after all of theirs: once it counts, they would have.
        await control.die()
        await scene.all_are("off", ["control"])
        assert scene.integrator.powers["home"].count("off") == 0
        assert set(scene.integrator.powers["home"]) <= {"unknown", "on"}
        assert await scene.record.log("home") == []
        assert scene.integrator.state("home").devices.alive == count
        assert [event.evidence[0].kind for event in await scene.told(1)] == ["lwt"]


@contextmanager
def board_process(broker: Broker, name: str) -> Iterator[subprocess.Popen[bytes]]:
    where = address(broker, name)
    with subprocess.Popen(
        [*(sys.executable, "-m", "tests.support.boards"), where.host, str(where.port), name, where.password or "", "10"]
    ) as process:
        try:
            yield process
        finally:
            process.kill()


class NoLink:
    """The API without the broker's word."""

    connected = detector_online = False


async def outages_shown(scene: Scene, query: str = "") -> list[str]:
    """What the API lists."""
    app = create_app(load_settings(), scene.database, NoLink())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://svitlo.test") as client:
        answer = await client.get(f"/api/v1/outages{query}")
        return [item["id"] for item in answer.raise_for_status().json()["items"]]


async def is_retracted(scene: Scene) -> None:
    """The site is on again, and the outage never was."""
    await scene.all_are("on")
    lost, restored, revised = await scene.told(3)
    assert await scene.record.log() == [lost, restored, revised]
    assert [event.kind for event in (lost, restored, revised)] == ["power_lost", "power_restored", "outage_revised"]
    assert (revised.change, revised.cause) == ("retracted", "network")
    assert (revised.id, revised.rev, revised.outage_id) == (lost.id, 2, lost.outage_id)
    (row,) = await scene.record.outages()
    assert (row.id, row.cause, row.rev) == (lost.outage_id, "network", 2)
    assert row.retracted_at is not None
    state = scene.integrator.state()
    assert (state.state, state.outage, state.cause) == ("on", None, None)
    assert await outages_shown(scene) == []
    assert await outages_shown(scene, "?retracted=true") == [str(lost.outage_id)]


async def test_a_board_that_freezes_is_found_by_silence_and_the_outage_is_retracted_when_it_wakes(scene: Scene) -> None:
    await scene.furnish("home")
    async with scene.detecting():
        with board_process(scene.broker, "home-1") as process:
            await scene.all_are("on")
            process.send_signal(signal.SIGSTOP)
            await scene.all_are("off")
            assert [event.evidence[0].kind for event in await scene.told(1)] == ["timeout"]
            assert len(await outages_shown(scene)) == 1
            process.send_signal(signal.SIGCONT)
            await is_retracted(scene)


async def test_a_board_that_loses_only_its_network_is_found_by_its_will_and_the_outage_is_retracted(
    scene: Scene,
) -> None:
    board = (await scene.furnish("home"))["home-1"]
    async with scene.detecting(), living([board]):
        await scene.all_are("on")
        await board.die()
        await scene.all_are("off")
        assert [event.evidence[0].kind for event in await scene.told(1)] == ["lwt"]
        await board.start()  # the same boot: it was powered all along
        await is_retracted(scene)
        since = scene.integrator.state().since
        assert since is not None
        assert since < (await scene.record.log())[0].detected_at, "on since before, as if nothing had been"


async def test_what_the_broker_kept_of_a_board_that_never_talks_is_no_life(scene: Scene) -> None:
    """Never heard live, a site stays unknown; heard once, it falls to silence, whatever the broker replays."""
    found = await scene.furnish("ghost", "wraith", "gone", "home")
    for name, word in {"ghost-1": status("online"), "wraith-1": status("offline", "lwt")}.items():
        async with speaking_as(scene.broker, name) as client:
            await client.publish(f"svitlo/devices/{name}/heartbeat", heartbeat(7), qos=1, retain=True)
            await client.publish(f"svitlo/devices/{name}/status", word, qos=1, retain=True)
    async with living([found["home-1"]]):
        async with scene.detecting():
            await found["gone-1"].start()
            await scene.all_are("on", ["gone", "home"])
        await found["gone-1"].die(politely=True)  # no will: only good news of it is kept
        async with scene.detecting():
            await scene.all_are("off", ["gone"])  # and so the time has passed after which silence counts
            assert scene.integrator.power("home") == "on"
            for site in ("ghost", "wraith"):
                assert set(scene.integrator.powers[site]) == {"unknown"}
                assert scene.integrator.state(site).since is None
            assert [(event.site, event.kind) for event in await scene.told(1)] == [("gone", "power_lost")]
    assert await scene.record.kinds() == ["power_lost"]
    liveness = "SELECT device_id, liveness FROM device_state WHERE liveness IN ('online', 'late', 'lost')"
    assert {(row.device_id, row.liveness) for row in await scene.record.rows(liveness)} == {
        ("gone-1", "lost"),
        ("home-1", "online"),
    }


async def test_maintenance_is_shown_and_what_outlasts_it_is_told_at_its_end(scene: Scene) -> None:
    """One outage begins and ends within the window, another outlasts it, a third site is not covered."""
    found = await scene.furnish("brief", "lasting", "elsewhere")
    async with scene.detecting(), living(found.values()):
        await scene.all_are("on")
        async with scene.database.transaction() as session:
            for site in ("brief", "lasting"):
                window = await add_window(session, site, starts_at=now(), duration_s=10, zone="Europe/Kyiv")
        await eventually_async(lambda: scene.integrator.word("lasting") == "maintenance")
        planned = scene.integrator.state("lasting").planned
        assert planned is not None
        assert (planned.starts_at, planned.ends_at) == (window.starts_at, window.starts_at + timedelta(seconds=10))
        for board in found.values():
            await board.die()
        await scene.all_are("off")
        assert scene.integrator.word("brief") == scene.integrator.word("lasting") == "maintenance"
        found["brief-1"].boot()
        await found["brief-1"].start()
        await scene.all_are("on", ["brief"])
        assert now() < planned.ends_at, "too slow a machine: the window is over"
        assert [event.site for event in await scene.told(1)] == ["elsewhere"]

        await eventually_async(lambda: scene.integrator.word("lasting") == "off")
        assert now() >= planned.ends_at
        await eventually_async(lambda: scene.integrator.word("brief") == "on")
        (told,) = await scene.told(1, "lasting")
        assert told.kind == "power_lost"
        assert told.occurred_hi < told.detected_at < planned.ends_at
        found["lasting-1"].boot()
        await found["lasting-1"].start()
        await scene.told(2, "lasting")
    assert (await scene.record.kinds("lasting"))[:2] == ["power_lost", "power_restored"]
    assert await scene.record.kinds("brief") == []
    kept = {row.slug: (row.maintenance, row.ended_hi is not None) for row in await scene.record.outages()}
    assert kept == {"brief": (True, True), "lasting": (True, True), "elsewhere": (False, False)}


async def test_an_outage_in_maintenance_is_told_at_once_when_the_maintenance_is_cancelled(scene: Scene) -> None:
    board = (await scene.furnish("home"))["home-1"]
    async with scene.detecting(), living([board]):
        await scene.all_are("on")
        async with scene.database.transaction() as session:
            window = await add_window(session, "home", starts_at=now(), duration_s=3600, zone="Europe/Kyiv")
        await eventually_async(lambda: scene.integrator.word() == "maintenance")
        await board.die()
        await scene.all_are("off")
        assert await scene.record.log() == []
        async with scene.database.transaction() as session:
            await cancel_window(session, window.id)
        await scene.told(1)
        await eventually_async(lambda: scene.integrator.word() == "off")
        assert scene.integrator.state().planned is None


async def test_what_maintenance_holds_back_is_told_at_its_end_though_the_site_is_renamed_meanwhile(
    scene: Scene,
) -> None:
    board = (await scene.furnish("home"))["home-1"]
    async with scene.detecting(), living([board]):
        await scene.all_are("on")
        await board.die()
        (lost,) = await scene.told(1)
        async with scene.database.transaction() as session:
            window = await add_window(session, "home", starts_at=now(), duration_s=7, zone="Europe/Kyiv")
        await eventually_async(lambda: scene.integrator.word() == "maintenance")
        board.boot()
        await board.start()
        await scene.all_are("on")
        assert await scene.record.kinds() == ["power_lost"]
        async with scene.database.transaction() as session:
            await registry.rename_site(session, "home", "house")
        assert now() < window.starts_at + timedelta(seconds=7), "too slow a machine: the window is over"
        (restored, *_) = await scene.told(1, "house")
        assert (restored.kind, restored.outage_id) == ("power_restored", lost.outage_id)
        assert now() >= window.starts_at + timedelta(seconds=7)


async def test_a_site_is_renamed_while_it_is_on_and_while_it_is_off(scene: Scene) -> None:
    board = (await scene.furnish("home"))["home-1"]

    async def rename(old: str, new: str, power: str) -> None:
        async with scene.database.transaction() as session:
            await registry.rename_site(session, old, new)
        await eventually_async(lambda: scene.integrator.power(new) == power)
        await eventually_async(lambda: scene.integrator.power(old) == "")
        assert scene.integrator.kept[f"svitlo/sites/{old}/state"] == b""
        scene.sites = {new: ["home-1"]}

    async with scene.detecting(), living([board]):
        await scene.all_are("on")
        since = scene.integrator.state().since
        await rename("home", "house", "on")
        assert scene.integrator.state("house").since == since
        assert await scene.record.log() == []
        await board.die()
        (lost,) = await scene.told(1)
        await rename("house", "hut", "off")
        outage = scene.integrator.state("hut").outage
        board.boot()
        await board.start()
        await scene.all_are("on")
        (restored, *_) = await scene.told(1, "hut")
    assert (lost.kind, lost.site) == ("power_lost", "house")
    assert (restored.kind, restored.site) == ("power_restored", "hut")
    assert outage is not None
    assert outage.id == lost.outage_id == restored.outage_id
    assert [row.ended_hi is not None for row in await scene.record.outages()] == [True]
