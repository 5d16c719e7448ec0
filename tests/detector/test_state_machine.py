"""Any interleaving of what may happen to boards, broker, clock, registry and ourselves, against a slow model."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from services.detector.core.device import Liveness
from services.detector.core.observation import Observation, ObservationKind
from services.detector.core.place import Place, Rule
from services.detector.core.policy import Policy
from svitlo.contracts import PowerState, ResetCause
from tests.detector.model import Incident, Model
from tests.support.detection_model import House, Make, World
from tests.support.world import START

EXAMPLES = int(os.environ.get("SVITLO_TEST_EXAMPLES", "0"))
"""How many examples to try instead of the few that run in CI; they are then drawn anew each time."""

SECONDS = st.one_of(
    st.sampled_from([0.1, 1.0, 2.5, 10.0, 23.5, 60.0]), st.integers(1, 4000).map(lambda number: number / 100)
)
LULLS = st.one_of(st.sampled_from([0, 0, 0.3, 2.2, 12.5, 30]), st.integers(0, 300).map(lambda number: number / 10))
BOARDS = ("a1", "a2", "b1", "b2")
SITES = ("home", "stairs", "block")
board_names = st.sampled_from(BOARDS)
house_names = st.sampled_from(["a", "b"])
makes = st.builds(
    Make,
    interval_s=st.sampled_from([10, 10, 5, 20]),
    battery_s=st.sampled_from([0, 0, 40, 100_000]),
    telling=st.sampled_from([True, True, False]),
    uptime=st.sampled_from([True, True, True, False]),
)
rules = st.sampled_from([Rule.ANY, Rule.ANY, *Rule])
weights = st.integers(1, 3)


def policy_of(confirm_off: int, confirm_on: int, area_devices: int) -> Policy:
    return Policy(
        misses=2,
        grace=timedelta(seconds=3),
        will_hold=timedelta(seconds=2),
        birth_hold=timedelta(seconds=1),
        reconnect=timedelta(seconds=45),
        confirm_off=timedelta(seconds=confirm_off),
        confirm_on=timedelta(seconds=confirm_on),
        pause_limit=timedelta(minutes=3),
        area_devices=area_devices,
        flap_window=timedelta(minutes=5),
        flap_calm=timedelta(minutes=1),
    )


Step = Callable[..., None]


def happens(**arguments: st.SearchStrategy[Any]) -> Callable[[Step], Step]:
    """A rule after which some time passes, or none."""

    def decorate(step: Step) -> Step:
        @functools.wraps(step)
        def passing(self: Detection, lull: float, **drawn: Any) -> None:
            step(self, **drawn)
            self.world.go(int(lull * 1000))

        drawing: Any = rule  # its overloads take no arguments by name from a dictionary
        marked: Step = drawing(lull=LULLS, **arguments)(passing)
        return marked

    return decorate


class Detection(RuleBasedStateMachine):
    """Two houses with two boards each, three sites and one above them."""

    world: World
    model: Model

    @initialize(
        seed=st.integers(0, 2**16),
        kinds=st.tuples(makes, makes, makes, makes),
        confirm=st.tuples(st.sampled_from([0, 0, 20]), st.sampled_from([0, 0, 15])),
        area_devices=st.sampled_from([3, 5, 5]),
        routers=st.tuples(st.sampled_from([0, 0, 30_000]), st.sampled_from([0, 30_000])),
        ruling=st.tuples(rules, rules),
        weighing=st.tuples(weights, weights, weights, weights),
        k=st.integers(1, 4),
    )
    def begin(
        self,
        seed: int,
        kinds: tuple[Make, ...],
        confirm: tuple[int, int],
        area_devices: int,
        routers: tuple[int, int],
        ruling: tuple[Rule, Rule],
        weighing: tuple[int, ...],
        k: int,
    ) -> None:
        policy = policy_of(*confirm, area_devices)
        self.model = Model(policy)
        self.world = World(seed, policy, self.model.take)
        self.model.world = self.world
        self.world.shell.spoken = self.model.spoken
        heavy = dict(zip(BOARDS, weighing, strict=True))
        self.world.places = {
            "home": Place(devices={"a1": 1, "a2": 1}, rule=ruling[0], parent="top"),
            "stairs": Place(devices={"a1": 1}, parent="top"),
            "block": Place(devices=heavy, rule=ruling[1], k=k, parent="top"),
            "top": Place(),
        }
        self.model.murky = set(SITES)
        for name, boot_ms, makes_here in (("a", routers[0], kinds[:2]), ("b", routers[1], kinds[2:])):
            boards = {f"{name}{number}": make for number, make in enumerate(makes_here, 1)}
            self.world.build(House(name, boot_ms), boards)
        self.world.shell.start()
        self.world.go(70_000)

    # Time

    @rule(seconds=SECONDS)
    def wait(self, seconds: float) -> None:
        self.world.go(int(seconds * 1000))

    @rule(seconds=st.integers(60, 250))
    def wait_long(self, seconds: int) -> None:
        self.world.go(seconds * 1000)

    # Mains, routers, boards

    @happens(name=house_names)
    def power_cut(self, name: str) -> None:
        self.world.set_mains(self.world.houses[name], False)

    @happens(name=house_names)
    def power_back(self, name: str) -> None:
        self.world.set_mains(self.world.houses[name], True)

    @happens(name=house_names, seconds=st.one_of(st.floats(0.5, 40), st.floats(40, 200)))
    def blackout(self, name: str, seconds: float) -> None:
        """One cut, with calm before and after."""
        self.world.go(100_000)
        self.world.set_mains(self.world.houses[name], False)
        self.world.go(int(seconds * 1000))
        self.world.set_mains(self.world.houses[name], True)
        self.world.go(100_000)

    @happens(name=house_names, seconds=st.floats(1, 200))
    def network_failure(self, name: str, seconds: float) -> None:
        self._network(self.world.houses[name], works=False)
        self.world.go(int(seconds * 1000))
        self._network(self.world.houses[name], works=True)
        self.world.go(100_000)

    @happens(name=board_names)
    def pull_the_plug(self, name: str) -> None:
        self.world.set_plug(self.world.boards[name], False)

    @happens(name=board_names)
    def plug_in(self, name: str) -> None:
        self.world.set_plug(self.world.boards[name], True)
        self._over("bye", name)

    @happens(name=house_names)
    def router_fails(self, name: str) -> None:
        self._network(self.world.houses[name], works=False)

    @happens(name=house_names)
    def router_back(self, name: str) -> None:
        self._network(self.world.houses[name], works=True)

    @happens(name=house_names, seconds=st.floats(0.3, 8))
    def slow_network(self, name: str, seconds: float) -> None:
        self.world.houses[name].slow_until = self.world.time.now + int(seconds * 1000)
        self.model.slow_until = max(self.model.slow_until, self.world.time.now + int(seconds * 1000))
        for board in self.world.of(self.world.houses[name]):
            if seconds > 0.45 * board.make.interval_s:  # so slow that the broker gives the board up
                self._passes("slow", board.name, int(seconds * 1000))

    @happens(
        name=board_names,
        how=st.sampled_from([ResetCause.WATCHDOG, ResetCause.SOFT, ResetCause.HARD]),
        seen=st.booleans(),
    )
    def crash(self, name: str, how: ResetCause, seen: bool) -> None:
        board = self.world.boards[name]
        if not board.running:
            return
        session = board.session
        self._passes("crash", name, 60_000 if how is ResetCause.WATCHDOG else 2000)
        if how is ResetCause.WATCHDOG:
            board.hang()
        else:
            board.restart(how)
            if seen and session is not None:
                self.world.broker.reset(session)

    @happens(name=board_names)
    def connection_breaks(self, name: str) -> None:
        session = self.world.boards[name].session
        if session is not None:
            self._passes("reset", name, 0)
            self.world.broker.reset(session)
            session.board.drop(session)

    @happens(name=board_names, seconds=st.one_of(st.none(), st.floats(0.5, 30)))
    def goodbye(self, name: str, seconds: float | None) -> None:
        board = self.world.boards[name]
        if not board.running or board.hung:
            return
        self._befalls("bye", name)
        self.model.murky |= {site for site in SITES if name in self.world.places.get(site, Place()).devices}
        board.goodbye(None if seconds is None else int(seconds * 1000))
        if seconds is not None:
            self.model.incidents[-1].end = self.world.time.now + int(seconds * 1000)

    # Words that should change nothing

    @happens(name=board_names, kind=st.sampled_from(["will", "bye", "mains"]), older=st.booleans())
    def stale_word(self, name: str, kind: str, older: bool) -> None:
        """Of an earlier connection, or of the boot before."""
        board = self.world.boards[name]
        session = board.session
        if session is None:
            return
        boot, conn = (board.previous_boot, 1) if older else (board.boot, session.conn - 1)
        if not boot or conn < 1:
            return
        kinds = {"will": ObservationKind.WILL, "bye": ObservationKind.GOODBYE, "mains": ObservationKind.MAINS_LOST}
        self._inject(Observation(name, kinds[kind], START, boot, conn, board.make.interval_s))

    @happens(name=board_names)
    def said_twice(self, name: str) -> None:
        beat = self.world.broker.retained.get((name, True))
        session = self.world.boards[name].session
        if beat is not None and session is not None and beat.boot == session.boot:
            self._inject(beat)

    @happens(name=board_names)
    def overtaken(self, name: str) -> None:
        beat = self.world.broker.retained.get((name, True))
        session = self.world.boards[name].session
        if beat is not None and session is not None and (beat.seq or 0) > 1 and beat.conn == session.conn:
            uptime = None if beat.uptime_s is None else max(beat.uptime_s - beat.interval_s, 0)
            self._inject(replace(beat, seq=(beat.seq or 0) - 1, uptime_s=uptime))

    @happens()
    def retained_again(self) -> None:
        shell = self.world.shell
        if shell.connected and shell.stalled_since is None:
            for observation in list(self.world.broker.retained.values()):
                shell.hear(observation, retained=True)

    # The broker

    @precondition(lambda self: self.world.broker.serving)
    @happens(told=st.booleans(), lag=st.sampled_from([1, 50, 3000]))
    def broker_stops(self, told: bool, lag: int) -> None:
        self.world.broker.stop(told=told, lag=lag)

    @precondition(lambda self: not self.world.broker.serving)
    @happens()
    def broker_starts(self) -> None:
        self.world.broker.start()

    @precondition(lambda self: self.world.broker.serving and not self.world.broker.frozen)
    @happens()
    def broker_freezes(self) -> None:
        self.world.broker.freeze()

    @precondition(lambda self: self.world.broker.frozen)
    @happens()
    def broker_wakes(self) -> None:
        self.world.broker.wake()

    # Ourselves

    @precondition(lambda self: self.world.shell.reachable)
    @happens()
    def our_link_breaks(self) -> None:
        self.world.shell.reachable = False
        self.world.shell.link_broke()

    @precondition(lambda self: not self.world.shell.reachable)
    @happens()
    def our_link_is_back(self) -> None:
        self.world.shell.reachable = True
        self.world.shell.try_soon()

    @happens(seconds=st.one_of(st.floats(0.1, 3), st.floats(3, 40)), timer_first=st.booleans())
    def we_stand_still(self, seconds: float, timer_first: bool) -> None:
        self.world.shell.stall()
        self.world.go(int(seconds * 1000))
        self.world.shell.resume(timer_first=timer_first)

    @happens(seconds=st.one_of(st.floats(0.5, 10), st.floats(10, 200)), clean=st.booleans())
    def we_restart(self, seconds: float, clean: bool) -> None:
        if clean:
            self.world.shell.snapshot()
        self.world.shell.kill()
        self.world.go(int(seconds * 1000))
        self.world.shell.start()

    @happens(seconds=st.one_of(st.floats(0.6, 10), st.floats(10, 4000)))
    def clock_back(self, seconds: float) -> None:
        self.model.clock_set_at = self.world.time.now
        self.world.shell.step_clock(-int(seconds * 1000))

    @happens(seconds=st.floats(4, 4000))
    def clock_forward(self, seconds: float) -> None:
        self.model.clock_set_at = self.world.time.now
        self.world.shell.step_clock(int(seconds * 1000))

    @happens()
    def twin(self) -> None:
        fleet = self.world.shell.fleet
        if fleet is None or fleet.guard.until is not None or any(site.area for site in fleet.sites.values()):
            return
        if not any(device.liveness is Liveness.LOST for device in fleet.devices.values()):
            self.world.shell.make_twin()

    # The registry

    @happens(site=st.sampled_from(SITES), name=board_names, weight=weights)
    def attach_or_detach(self, site: str, name: str, weight: int) -> None:
        place = self.world.places.get(site, Place(parent="top"))
        devices = dict(place.devices)
        if devices.pop(name, None) is None:
            devices[name] = weight
        self._change(site, replace(place, devices=devices))

    @happens(site=st.sampled_from(SITES), new=rules, k=st.integers(1, 4))
    def change_rule(self, site: str, new: Rule, k: int) -> None:
        if site in self.world.places:
            self._change(site, replace(self.world.places[site], rule=new, k=k))

    @happens(seconds=st.floats(0.5, 100), site=st.sampled_from(SITES), name=board_names, weight=weights)
    def attach_or_detach_while_we_are_down(self, seconds: float, site: str, name: str, weight: int) -> None:
        self.world.shell.kill()
        self.world.go(int(seconds * 1000))
        place = self.world.places.get(site, Place(parent="top"))
        devices = {other: known for other, known in place.devices.items() if other != name}
        self._change(site, replace(place, devices=devices if name in place.devices else devices | {name: weight}))
        self.world.go(int(seconds * 1000))
        self.world.shell.start()

    @happens(site=st.sampled_from(SITES))
    def remove_site(self, site: str) -> None:
        if site in self.world.places:
            self._change(site, None)

    @happens(site=st.sampled_from(SITES), seconds=st.integers(5, 300))
    def maintain(self, site: str, seconds: int) -> None:
        if site in self.world.places:
            now = self.world.shell.utc()
            window = (now, now + timedelta(seconds=seconds))
            self.world.places = self.world.places | {site: replace(self.world.places[site], maintenance=(window,))}
            self.world.shell.take_registry(self.world.places)

    # What always holds

    @invariant()
    def holds(self) -> None:
        if hasattr(self, "world"):
            self.model.check()

    def teardown(self) -> None:
        """In the end all is well again, and nothing is left open or owed."""
        if not hasattr(self, "world") or sys.exc_info()[0] is not None:
            return
        world, shell = self.world, self.world.shell
        for house in world.houses.values():
            world.set_mains(house, True)
            self._network(house, works=True)
        for board in world.boards.values():
            world.set_plug(board, True)
            if not board.running:
                world.set_plug(board, False)
                world.set_plug(board, True)
            self._over("bye", board.name)
        if not world.broker.serving:
            world.broker.start()
        if world.broker.frozen:
            world.broker.wake()
        shell.reachable = True
        shell.try_soon()
        world.go(400_000)
        self.model.check()
        fleet = shell.fleet
        assert fleet is not None
        for slug, site in fleet.sites.items():
            if world.places[slug].devices:
                voters = sum(world.places[slug].devices.values())
                short = world.places[slug].rule is Rule.K and voters < world.places[slug].k
                assert short or site.power is PowerState.ON, f"{slug} is {site.power.value} in the end"
                assert short or site.outage is None, f"{slug} has an open outage in the end"
                assert not site.owed, f"{slug} still owes {site.owed}"
        self.model.settled()

    def _network(self, house: House, *, works: bool) -> None:
        if house.router is works:
            return
        self.world.set_router(house, works)
        if works:
            self._over(f"network {house.name}")
        else:
            self._befalls(f"network {house.name}", *[board.name for board in self.world.of(house)])

    def _inject(self, observation: Observation) -> None:
        if self.world.shell.connected and self.world.broker.serving and not self.world.broker.frozen:
            self.world.shell.pipe(observation, true=False)

    def _befalls(self, kind: str, *names: str) -> None:
        self.model.incidents.append(Incident(kind, frozenset(names), self.world.time.now))

    def _passes(self, kind: str, name: str, ms: int) -> None:
        self._befalls(kind, name)
        self.model.incidents[-1].end = self.world.time.now + ms

    def _over(self, kind: str, name: str | None = None) -> None:
        for incident in self.model.incidents:
            if incident.kind == kind and incident.end is None and (name is None or name in incident.boards):
                incident.end = self.world.time.now

    def _change(self, site: str, place: Place | None) -> None:
        world = self.world
        before = {name for other in world.places.values() for name in other.devices}
        if place is None:
            world.places = {slug: other for slug, other in world.places.items() if slug != site}
            self.model.forget(site)
        else:
            world.places = world.places | {site: place}
            self.model.murky.add(site)
        self.model.changed_at[site] = world.time.now
        fleet = world.shell.fleet
        known = fleet.sites.get(site) if fleet is not None else None
        if known is None or (known.power is PowerState.ON and known.pending is None and known.pending_for is None):
            self.model.calm_change_at[site] = world.time.now
        after = {name for other in world.places.values() for name in other.devices}
        for name in before ^ after:
            self.model.spoken.discard(name)
            world.shell.last_live.pop(name, None)
        world.shell.take_registry(world.places)


Detection.TestCase.settings = settings(
    max_examples=EXAMPLES or 60,
    stateful_step_count=40,
    derandomize=not EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)

TestDetection = Detection.TestCase
