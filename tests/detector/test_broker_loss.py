"""The broker ends under two hundred boards, hard or in order: nobody lost power by that, and who did is found."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from tests.support.boards import Board, now
from tests.support.scene import Scene, living
from tests.support.wait import eventually_async

BOARDS = 200

RECONNECT_S = 7.0
"""Two hundred boards and a detector share this machine with others: they may need a while to come back."""

HEARD_SINCE = "SELECT count(*) FROM device_state WHERE liveness = 'online' AND last_proof_at > :since"


async def test_a_broker_that_is_killed_or_told_to_stop_makes_no_outage_and_hides_none(scene: Scene) -> None:
    """Each time one board dies together with it. Told to stop, it publishes the will of every board first."""
    sites = [f"site-{number}" for number in range(BOARDS)]
    found = await scene.furnish(*sites)
    async with scene.detecting(reconnect_s=RECONNECT_S), living(found.values()):
        await scene.all_are("on", timeout_s=30)
        for number, end in enumerate((scene.broker.kill, scene.broker.terminate)):
            await one_dies_with_the_broker(scene, found[f"site-{number}-1"], end, [f"site-{n}" for n in range(number)])


async def one_dies_with_the_broker(scene: Scene, dead: Board, end: Callable[[], None], off: list[str]) -> None:
    """The broker ends and returns; `off` are the sites that were without power before."""
    site = dead.name.removesuffix("-1")
    died_at = now()
    await dead.die(silently=True)
    end()
    scene.broker.start()
    back_at = now()
    await scene.sees()
    lost = (await scene.told(len(off) + 1, timeout_s=30))[-1]
    assert (lost.site, lost.kind) == (site, "power_lost")
    assert dead.heard_at is not None
    assert lost.occurred_lo > dead.heard_at - timedelta(seconds=1)
    assert lost.occurred_lo <= died_at <= lost.occurred_hi

    async def all_back() -> bool:
        return bool(await scene.record.scalar(HEARD_SINCE, since=back_at) == BOARDS - len(off) - 1)

    await eventually_async(all_back, 30, "every other board is online again")
    assert [event.site for event in await scene.record.log()] == [*off, site]
    await eventually_async(lambda: went_off(scene) == {*off, site}, 20, "the topics have followed the log")
    assert await scene.record.gaps() == ["link"] * (len(off) + 1)


def went_off(scene: Scene) -> set[str]:
    """The sites whose `power` topic was ever off."""
    return {site for site, words in scene.integrator.powers.items() if "off" in words}
