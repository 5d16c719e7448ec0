"""A fleet on a made-up clock: the rules of detection are told in seconds since `START`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

from services.detector.core.device import Liveness
from services.detector.core.effects import Effect, EventLogged, OutageChanged
from services.detector.core.fleet import Fleet
from services.detector.core.observation import Note, Observation, ObservationKind
from services.detector.core.outage import Outage
from services.detector.core.place import Place
from services.detector.core.policy import Policy
from svitlo.contracts import EventKind, JournalKind, PowerEvent, PowerState, ResetCause, SiteStateWord

POWER_ON = ResetCause.POWER_ON
START = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)
POLICY = Policy(
    misses=2,
    grace=timedelta(seconds=3),
    will_hold=timedelta(seconds=2),
    birth_hold=timedelta(seconds=1),
    reconnect=timedelta(seconds=45),
    confirm_off=timedelta(0),
    confirm_on=timedelta(0),
    pause_limit=timedelta(hours=1),
)


def ids() -> Iterator[UUID]:
    return (UUID(int=number) for number in count(1))


class World:
    """A fleet with a clock: seconds since `START`."""

    def __init__(self, sites: Mapping[str, tuple[str, ...] | Place], policy: Policy = POLICY) -> None:
        numbers = ids()
        self._new_id = lambda _: next(numbers)
        self.fleet = Fleet(policy, self._new_id)
        self.sites = dict(sites)
        self.now = START
        self.effects: list[Effect] = []
        self.echo = True
        self._seq = count(100)

    def begin(self) -> World:
        self.register()
        return self.see()

    def register(self, sites: Mapping[str, tuple[str, ...] | Place] | None = None) -> World:
        """Tell the fleet what sites there are, or that they changed."""
        self.sites = self.sites if sites is None else dict(sites)
        places = {
            site: what if isinstance(what, Place) else Place(devices=dict.fromkeys(what, 1))
            for site, what in self.sites.items()
        }
        self.effects += self.fleet.set_registry(places, self.now)
        return self

    def restart(self, sites: Mapping[str, tuple[str, ...] | Place] | None = None) -> World:
        """A detector goes on from what the one before had stored, perhaps with other sites, and sees at once."""
        before, self.fleet = self.fleet, Fleet(self.fleet.policy, self._new_id)
        self.fleet.restore(before.devices, before.sites, self.now, before.watch.since)
        self.effects += self.fleet.rewind(self.now)
        return self.register(sites).see()

    def see(self) -> World:
        """The link is up and an echo has come back."""
        self.effects += self.fleet.link_up(self.now)
        return self.prove()

    def prove(self) -> World:
        if self.echo:
            self.effects += self.fleet.link_proven(self.now, self.now)
        return self

    def at(self, seconds: float) -> World:
        """Let time pass, waking the fleet exactly when it asked to be woken, with an echo back at each step."""
        target = START + timedelta(seconds=seconds)
        assert target >= self.now, "time runs forward"
        self._wake_until(target)
        self.now = target
        self.prove()
        self._wake_until(target)
        self.effects += self.fleet.tick(self.now)
        return self

    def _wake_until(self, target: datetime) -> None:
        while (due := self.fleet.next_deadline()) is not None and due <= target:
            self.now = max(self.now, due)
            self.prove()
            self.effects += self.fleet.tick(self.now)

    def say(
        self,
        kind: ObservationKind,
        device: str = "d1",
        *,
        boot: str = "b1",
        conn: int = 1,
        seq: int | None = None,
        uptime: int | None = None,
        retained: bool = False,
        mains: bool | None = None,
        reset: ResetCause = ResetCause.UNKNOWN,
        boots: int = 0,
        notes: tuple[tuple[float, JournalKind], ...] = (),
    ) -> World:
        number = next(self._seq) if seq is None and kind is ObservationKind.BEAT else seq
        journal = tuple(Note(after(seconds), what) for seconds, what in notes)
        observation = Observation(
            device, kind, self.now, boot, conn, 10, retained, number, uptime, mains, boots, reset, journal
        )
        self.effects += self.fleet.observe(observation)
        return self

    def beat(self, device: str = "d1", **details: object) -> World:
        return self.say(ObservationKind.BEAT, device, **details)  # type: ignore[arg-type]

    def beats(self, until: float, *devices: str, every: float = 10, **details: object) -> World:
        """Beat regularly from now on, up to and including `until`."""
        moment = (self.now - START).total_seconds()
        while (moment := moment + every) <= until:
            self.at(moment)
            for device in devices or ("d1",):
                self.beat(device, **details)
        return self

    @property
    def log(self) -> list[PowerEvent]:
        """The event log."""
        return [effect.event for effect in self.effects if isinstance(effect, EventLogged)]

    @property
    def events(self) -> list[tuple[str, str]]:
        """What was told of losses and returns."""
        told = (EventKind.POWER_LOST, EventKind.POWER_RESTORED)
        return [(event.kind.value, event.site) for event in self.log if event.kind in told]

    @property
    def outages(self) -> list[Outage]:
        """The rows of outages as they now stand, the oldest first."""
        rows = {effect.outage.id: effect.outage for effect in self.effects if isinstance(effect, OutageChanged)}
        return list(rows.values())

    @property
    def started(self) -> PowerEvent:
        return next(event for event in self.log if event.kind is EventKind.POWER_LOST)

    @property
    def ended(self) -> PowerEvent:
        return next(event for event in self.log if event.kind is EventKind.POWER_RESTORED)

    def power(self, site: str = "home") -> PowerState:
        return self.fleet.sites[site].power

    def shown(self, site: str = "home") -> SiteStateWord:
        return self.fleet.sites[site].state

    def liveness(self, device: str = "d1") -> Liveness:
        return self.fleet.devices[device].liveness


def home() -> World:
    return World({"home": ("d1",)}).begin()


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)
