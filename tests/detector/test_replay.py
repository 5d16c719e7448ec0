"""A replay tells of recorded readings what the detector told of them live, and what it would tell by other rules."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.detector import store
from services.detector.core.observation import Note, Observation, ObservationKind
from services.detector.core.place import Place, Rule
from services.detector.replay import NoReadingsError, Replay, Request, replay
from services.detector.replay_comparison import Comparison, Line, Verdict, compare
from services.detector.service import run as run_detector
from services.ingest.buffer import Batch, Buffer
from services.ingest.service import run as run_ingest
from services.ingest.store import create_partitions, write
from svitlo import registry
from svitlo.cli.replay import parse_policy, parse_rule, parse_time, shown_length
from svitlo.clock import utc_now
from svitlo.contracts import (
    Cause,
    DeviceState,
    DeviceStatus,
    Heartbeat,
    Journal,
    JournalEntry,
    JournalKind,
    OfflineReason,
)
from svitlo.db.session import Database
from svitlo.errors import NotFoundError, UserError
from svitlo.settings import Policy
from tests.cli.conftest import CommandLine
from tests.cli.conftest import svitlo as svitlo
from tests.support.broker import Broker
from tests.support.house import furnish, heartbeat, speaking_as, status
from tests.support.service import serving, settings_for
from tests.support.wait import eventually_async
from tests.support.world import POWER_ON, START, World, after

HOUR = 3600.0
DEFAULTS = Policy.model_construct()
PARTS = {"home": ("d1",), "barn": ("d2",), "shed": ("d3",), "mill": ("d4",), "kiosk": ("d5",), "depot": ("d6",)}
YARD = {"yard": ("d1", "d2")}

Span = tuple[float, float]


class Board:
    """A board of the story: when each of its boots began, and when it said nothing. Seconds since `START`."""

    def __init__(self, name: str, *, boots: Iterable[float] = (), silent: Iterable[Span] = (), mains: bool = False):
        self.name = name
        self.boots = [-1000.0, *boots]
        self.silent = list(silent)
        self.mains = True if mains else None
        self.conn = 1
        self._seq = count(1)

    def speaks(self, at: float) -> bool:
        return not any(start < at < end for start, end in self.silent)

    def boot(self, at: float) -> tuple[int, float]:
        """The number of the boot and when it began."""
        return max((number, began) for number, began in enumerate(self.boots, 1) if began <= at)

    def heartbeat(self, at: float) -> Heartbeat:
        number, began = self.boot(at)
        return Heartbeat(
            v=1,
            boot=f"b{number}",
            boots=number,
            conn=self.conn,
            seq=next(self._seq),
            uptime_s=int(at - began),
            interval_s=10,
            reset=POWER_ON,
            mains=self.mains,
        )

    def status(self, at: float, state: DeviceState, reason: OfflineReason | None = None) -> DeviceStatus:
        boot = f"b{self.boot(at)[0]}"
        return DeviceStatus(v=1, state=state, boot=boot, conn=self.conn, keepalive_s=10, interval_s=10, reason=reason)


class Telling:
    """A story as the live core heard it and as the recorder wrote it down, each by its own clock."""

    def __init__(self, sites: dict[str, Any], boards: Iterable[Board]) -> None:
        self.world = World(sites)
        self.boards = {board.name: board for board in boards}
        self.batch = Batch()
        self.deaf = False
        self._plot: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = count()
        self._late = count()

    def plan(self, at: float, happen: Callable[[float], None]) -> None:
        self._plot.append((at, next(self._order), happen))

    def beats(self, until: float) -> Telling:
        """Every board beats every ten seconds while it speaks; after a boot at once."""
        for number, board in enumerate(self.boards.values()):
            moments = {10.0 * turn + 0.7 * number for turn in range(int(until) // 10)}
            moments |= {end for _, end in board.silent}
            for at in sorted(moments):
                if board.speaks(at):
                    self.plan(at, lambda at, board=board: self.beat(board, at))  # type: ignore[misc]
        return self

    def tell(self, until: float) -> Telling:
        """Let all of it happen."""
        self.world.begin()
        for at, _, happen in sorted(self._plot, key=lambda each: each[:2]):
            self.world.at(at)
            happen(at)
        self.world.at(until)
        return self

    def beat(self, board: Board, at: float) -> None:
        said = board.heartbeat(at)
        self._record(lambda buffer, when: buffer.add_heartbeat(board.name, said, when), at)
        self._hear(
            board,
            ObservationKind.BEAT,
            boot=said.boot,
            seq=said.seq,
            uptime=said.uptime_s,
            mains=said.mains,
            reset=said.reset,
            boots=said.boots,
        )

    def will(self, board: Board, at: float) -> None:
        said = board.status(at, DeviceState.OFFLINE, OfflineReason.LWT)
        self._record(lambda buffer, when: buffer.add_status(board.name, said, when), at)
        self._hear(board, ObservationKind.WILL, boot=said.boot)

    def bye(self, board: Board, at: float) -> None:
        said = board.status(at, DeviceState.OFFLINE, OfflineReason.BYE)
        self._record(lambda buffer, when: buffer.add_status(board.name, said, when), at)
        self._hear(board, ObservationKind.GOODBYE, boot=said.boot)

    def journal(self, board: Board, at: float, *notes: tuple[float, JournalKind]) -> None:
        boot = f"b{board.boot(at)[0]}"
        entries = [JournalEntry(t_s=when - at, kind=kind) for when, kind in notes]
        said = Journal(v=1, boot=boot, entries=entries)
        self._record(lambda buffer, when: buffer.add_journal(board.name, said, when), at)
        told = tuple(Note(after(when), kind) for when, kind in notes)
        observation = Observation(board.name, ObservationKind.JOURNAL, after(at), boot, 0, 0, notes=told)
        if not self.deaf:
            self.world.effects += self.world.fleet.observe(observation)

    def blind(self, at: float) -> None:
        self.deaf = True
        self.world.fleet.link_down(after(at))

    def see(self, _at: float) -> None:
        self.deaf = False
        self.world.see()

    def reconnect(self, at: float) -> None:
        """The broker is there again: every board has a new connection."""
        for board in self.boards.values():
            board.conn += 1
        self.see(at)

    def _hear(self, board: Board, kind: ObservationKind, **details: Any) -> None:
        if not self.deaf:
            self.world.say(kind, board.name, conn=board.conn, **details)

    def _record(self, add: Callable[[Buffer, datetime], None], at: float) -> None:
        buffer = Buffer()
        # The recorder reads its own socket, a few milliseconds earlier or later.
        add(buffer, after(at) + timedelta(milliseconds=next(self._late) * 7 % 11 - 5))
        batch = buffer.take()
        self.batch.readings += batch.readings
        self.batch.journals += batch.journals

    async def keep(self, session: AsyncSession, shift: timedelta = timedelta(0)) -> None:
        """Write the record and what was reported; with a shift the readings alone, at another time."""
        for site, what in self.world.sites.items():
            place = what if isinstance(what, Place) else Place(devices=dict.fromkeys(what, 1), parent=None)
            if site not in {row.slug for row in await registry.list_sites(session)}:
                await registry.add_site(session, site, site.title(), rule=place.rule.value, parent=place.parent)
            for device in place.devices:
                await registry.add_device(session, site, device)
        readings = [(row[0] + shift, *row[1:]) for row in self.batch.readings]
        await create_partitions(session, {row[0].date() for row in readings})
        await write(session, Batch(readings=sorted(readings, key=lambda row: row[0]), journals=self.batch.journals))
        if not shift:
            ids = {slug: entry.id for slug, entry in (await store.load_registry(session)).items()}
            await store.save_effects(session, self.world.effects, ids, self.world.now)


def story() -> Telling:
    """Three hours: an hour of peace, then everything."""
    boards = [
        Board("d1", boots=(4598, 5045), silent=[(4000, 4600), (5001, 5048)]),
        Board("d2", boots=(4288, 5433), silent=[(4200, 4290), (5400, 5435)]),
        Board("d3", silent=[(4400, 4500)]),
        Board("d4", boots=(4705,)),
        Board("d5", silent=[(4800, 4900)], mains=True),
        Board("d6", boots=(4198,), silent=[(4100, 4200)]),
    ]
    maintained = Place(devices={"d6": 1}, maintenance=((after(4050), after(4300)),))
    told = Telling(PARTS | YARD | {"depot": maintained}, boards)
    d1, d5 = told.boards["d1"], told.boards["d5"]
    told.plan(4012.3, lambda at: told.will(d1, at))
    lost, back = JournalKind.MAINS_LOST, JournalKind.MAINS_BACK
    told.plan(4902, lambda at: told.journal(d5, at, (4812, lost), (4890, back)))
    told.plan(5000, told.blind)
    told.plan(5060, told.see)
    # A broker told to stop publishes every will, and holds our socket open for three seconds without an echo.
    for board in told.boards.values():
        told.plan(5997, lambda at, board=board: told.will(board, at))  # type: ignore[misc]
    told.plan(5996.9, lambda _: setattr(told.world, "echo", False))
    told.plan(6000, told.blind)
    told.plan(6005, lambda _: setattr(told.world, "echo", True))
    told.plan(6005, told.reconnect)
    return told.beats(3 * HOUR).tell(3 * HOUR)


@pytest.fixture(scope="module")
def told() -> Telling:
    return story()


@pytest.fixture
async def recorded(database: Database, told: Telling) -> Database:
    async with database.transaction() as session:
        await told.keep(session)
        await registry.add_window(session, "depot", starts_at=after(4050), duration_s=250, zone="Europe/Kyiv")
    return database


async def play(
    database: Database, *, since: float = HOUR, until: float = 2 * HOUR, now: float = 3 * HOUR, **request: Any
) -> Replay:
    return await replay(database.url, DEFAULTS, Request(after(since), after(until), **request), after(now))


def lines(found: Comparison, *sites: str) -> list[Line]:
    return [line for line in found.lines if line.either.site in sites]


async def test_by_the_policy_in_force_a_replay_reports_what_was_reported(recorded: Database) -> None:
    done = await play(recorded)
    found = compare(done)
    assert [(line.either.site, line.verdict, line.differs) for line in found.lines] == [
        ("home", Verdict.SAME, ()),
        ("depot", Verdict.SAME, ()),
        ("barn", Verdict.SAME, ()),
        ("yard", Verdict.SAME, ()),
        ("shed", Verdict.SAME, ()),
        ("mill", Verdict.SAME, ()),
        ("kiosk", Verdict.SAME, ()),
        ("home", Verdict.SAME, ()),
        ("barn", Verdict.SAME, ()),
    ]
    assert found.then == found.now
    assert (found.now.outages, found.now.retracted, found.now.momentary, found.now.reconstructed) == (8, 1, 1, 1)
    assert len(done.gaps) == 2
    assert not done.holes
    events = [[(alert.site, alert.kind) for alert in side.alerts] for side in (done.then, done.now)]
    assert sorted(events[0]) == sorted(events[1])


async def test_each_kind_of_outage_is_what_the_story_made_it(recorded: Database) -> None:
    found = compare(await play(recorded))
    depot, shed, kiosk, mill = (lines(found, site)[0] for site in ("depot", "shed", "kiosk", "mill"))
    assert depot.now is not None
    assert (depot.now.maintenance, depot.told_now, depot.told_then) == (True, False, False)
    assert shed.now is not None
    assert (shed.now.cause, shed.now.retracted_at is not None, shed.told_now) == (Cause.NETWORK, True, True)
    assert kiosk.now is not None
    assert (kiosk.now.cause, kiosk.now.retracted_at) == (Cause.POWER, None)
    assert mill.now is not None
    assert (mill.now.momentary, mill.told_now) == (True, False)
    assert lines(found, "home")[1].now.reconstructed  # type: ignore[union-attr]


async def test_with_more_patience_outages_are_found_later_or_not_at_all(recorded: Database) -> None:
    found = compare(await play(recorded, policy={"misses": 5}))
    longer, short = lines(found, "barn")
    assert longer.differs == ("evidence", "delay")
    assert longer.then is not None
    assert longer.now is not None
    assert (longer.now.detected_at - longer.then.detected_at).total_seconds() == pytest.approx(30, abs=1)
    assert short.now is not None  # a boot that missed no deadline
    assert (short.now.momentary, short.told_then, short.told_now) == (True, True, False)
    by_will = lines(found, "home")[0]
    assert by_will.verdict is Verdict.SAME
    assert found.now.alerts < found.then.alerts
    assert (found.now.worst_delay_s or 0) > (found.then.worst_delay_s or 0)


async def test_a_confirmation_drops_the_short_ones(recorded: Database) -> None:
    found = compare(await play(recorded, policy={"confirm_off_s": 60.0}))
    assert lines(found, "barn")[1].now.momentary  # type: ignore[union-attr]
    assert "delay" in lines(found, "home")[0].differs
    assert found.now.outages < found.then.outages


async def test_another_rule_is_tried_at_all_sites_or_at_one(recorded: Database) -> None:
    stricter = (Rule.ALL, 1)
    for rules in ({None: stricter}, {"yard": stricter}, {None: (Rule.ANY, 1), "yard": stricter}):
        found = compare(await play(recorded, rules=rules))
        assert [line.verdict for line in lines(found, "yard")] == [
            Verdict.DIFFERENT,
            Verdict.ONLY_NOW,
            Verdict.ONLY_NOW,
        ]
        assert all(line.verdict is Verdict.SAME for line in lines(found, "home", "barn"))


async def test_a_site_alone_brings_those_under_it(recorded: Database) -> None:
    async with recorded.transaction() as session:
        await registry.add_site(session, "street", "Street")
        await registry.change_site(session, "home", parent="street")
    done = await play(recorded, sites=("street",))
    assert [line.either.site for line in compare(done).lines] == ["home", "home"]
    assert (done.sites, done.devices) == (2, 1)
    assert done.readings < 2000


async def test_what_goes_on_at_either_end_of_the_span_is_seen_through(recorded: Database) -> None:
    """The span begins within one outage, found before the replay begins, and ends within another."""
    done = await play(recorded, since=4250 + HOUR, until=5410 + HOUR, now=3 * HOUR)
    assert not compare(done).lines
    found = compare(await play(recorded, since=4300, until=4850))
    assert {line.either.site: line.verdict for line in found.lines} == dict.fromkeys(
        ("home", "shed", "mill", "kiosk"), Verdict.SAME
    )


async def test_an_outage_from_before_the_replay_is_known_from_its_last_reading(database: Database) -> None:
    boards = [Board("d1", boots=(9000,), silent=[(100, 9002)]), Board("d2")]
    told = Telling({"home": ("d1",), "barn": ("d2",)}, boards).beats(3 * HOUR).tell(3 * HOUR)
    async with database.transaction() as session:
        await told.keep(session)
    (line,) = compare(await play(database, since=8000, until=9500)).lines
    assert line.verdict is Verdict.SAME
    assert line.now is not None
    assert line.now.started_lo == pytest.approx(after(100), abs=timedelta(milliseconds=10))
    (line,) = compare(await play(database, since=8000, until=8500, now=8600)).lines
    assert line.now is not None
    assert (line.verdict, line.now.ended_hi) == (Verdict.SAME, None)


async def test_a_goodbye_is_no_outage_in_a_replay_either(database: Database) -> None:
    board = Board("d1", silent=[(4000, 4800)])
    told = Telling({"home": ("d1",)}, [board]).beats(2 * HOUR)
    told.plan(4001, lambda at: told.bye(board, at))
    told.tell(2 * HOUR)
    async with database.transaction() as session:
        await told.keep(session)
    assert not compare(await play(database, now=2 * HOUR)).lines


async def test_boards_without_a_place_are_passed_over_and_counted(recorded: Database) -> None:
    async with recorded.transaction() as session:
        await registry.remove_device(session, "d6")
    done = await play(recorded)
    assert done.passed_over.keys() == {"d6"}
    assert (
        done.readings + done.passed_over["d6"]
        == (await play(recorded, policy={"misses": 3})).readings + (done.passed_over["d6"])
    )
    assert [line.verdict for line in lines(compare(done), "depot")] == [Verdict.ONLY_THEN]


async def test_a_time_in_which_nobody_was_recorded_is_pointed_out(recorded: Database) -> None:
    async with recorded.transaction() as session:
        await session.execute(
            text("DELETE FROM readings WHERE received_at BETWEEN :a AND :b"),
            {"a": after(6500), "b": after(6700)},
        )
    ((start, end),) = (await play(recorded)).holes
    assert start == pytest.approx(after(6500), abs=timedelta(seconds=10))
    assert end == pytest.approx(after(6700), abs=timedelta(seconds=10))


async def test_the_policy_the_detector_runs_by_is_the_one_in_force(recorded: Database) -> None:
    details = b'{"policy": {"misses": 7, "of_a_newer_version": 1}}'
    async with recorded.transaction() as session:
        await store.save_tick(session, after(0), None, details)
    done = await play(recorded, policy={"grace_s": 1.0})
    assert (done.in_force.misses, done.in_force.grace_s, done.policy.misses, done.policy.grace_s) == (7, 3.0, 7, 1.0)


async def test_what_is_older_than_the_readings_is_left_out(recorded: Database) -> None:
    done = await play(recorded, since=-10 * HOUR)
    assert done.since == pytest.approx(after(0), abs=timedelta(seconds=1))
    assert {line.verdict for line in compare(done).lines} == {Verdict.SAME}


async def test_a_span_without_readings_says_what_there_is(recorded: Database) -> None:
    with pytest.raises(NoReadingsError) as caught:
        await play(recorded, since=-10 * HOUR, until=-9 * HOUR)
    assert caught.value.kept is not None
    first, last = caught.value.kept
    assert first == pytest.approx(after(0), abs=timedelta(seconds=1))
    assert last > after(3 * HOUR - 20)
    with pytest.raises(NotFoundError, match="nowhere"):
        await play(recorded, sites=("nowhere",))


# With real parts


@asynccontextmanager
async def beating(broker: Broker, name: str, boot: str, *, seq: int = 0, uptime: int = 0, conn: int = 1) -> Any:
    """A board that beats every second; leaving the block is silence."""

    async def live() -> None:
        async with speaking_as(broker, name) as client:
            topic = f"svitlo/devices/{name}"
            await client.publish(f"{topic}/status", status("online", boot=boot, conn=conn), qos=1, retain=True)
            for turn in count(1):
                beat = heartbeat(seq + turn, boot=boot, conn=conn, uptime_s=uptime + turn)
                await client.publish(f"{topic}/heartbeat", beat, qos=1, retain=True)
                await asyncio.sleep(1)

    task = asyncio.create_task(live())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


QUICK = {"misses": 2, "grace_s": 2.5, "will_hold_s": 0.5, "reconnect_s": 4.0, "birth_hold_s": 0.3}


async def test_what_a_real_detector_reported_of_real_messages_is_found_again(
    database: Database, broker: Broker, database_url: str
) -> None:
    """An outage by silence, a router that failed, a last will, and a detector that was started anew."""
    await furnish(database, broker, {"home": ["board-1"], "barn": ["board-2"]})
    began = utc_now()
    settings = settings_for("detector", broker, database_url)
    settings = settings.model_copy(update={"policy": settings.policy.model_copy(update=QUICK)})

    async def counted(statement: str, number: int) -> None:
        async def enough() -> bool:
            async with database.transaction() as session:
                return int((await session.execute(text(statement))).scalar_one()) >= number

        await eventually_async(enough, 30, statement)

    async with serving(run_ingest, settings_for("ingest", broker, database_url)):
        async with serving(run_detector, settings):
            async with beating(broker, "board-1", "boot1"), beating(broker, "board-2", "boot1"):
                await counted("SELECT count(*) FROM site_state WHERE power = 'on'", 2)
                await counted("SELECT count(*) FROM readings", 8)
            await counted("SELECT count(*) FROM outages", 2)
            async with (
                beating(broker, "board-1", "boot2"),
                beating(broker, "board-2", "boot1", seq=50, uptime=60, conn=2),
            ):
                await counted("SELECT count(*) FROM outages WHERE ended_hi IS NOT NULL", 2)
                await counted("SELECT count(*) FROM outages WHERE retracted_at IS NOT NULL", 1)
                async with speaking_as(broker, "board-1") as client:  # takes the board's connection over
                    will = status("offline", "lwt", boot="boot2")
                    await client.publish("svitlo/devices/board-1/status", will, qos=1, retain=True)
                await counted("SELECT count(*) FROM outages WHERE ended_hi IS NULL", 1)
        async with (
            beating(broker, "board-1", "boot3"),
            beating(broker, "board-2", "boot1", seq=90, uptime=90, conn=3),
            serving(run_detector, settings),
        ):
            await counted("SELECT count(*) FROM outages WHERE ended_hi IS NOT NULL", 3)
            await counted("SELECT count(*) FROM observation_gaps", 1)
            await asyncio.sleep(3)  # for what is still to be said of it, and to be recorded
    done = await replay(database_url, DEFAULTS, Request(began, utc_now()), utc_now())
    found = compare(done)
    assert sorted(line.either.site for line in found.lines) == ["barn", "home", "home"]
    # A machine that is busy may take its time with an echo, and so with finding an outage.
    assert all(set(line.differs) <= {"delay"} for line in found.lines), found.lines
    assert (found.now.outages, found.now.retracted) == (found.then.outages, found.then.retracted) == (3, 1)
    assert found.now.alerts == found.then.alerts
    assert done.in_force.grace_s == 2.5


# The command


def test_the_command_shows_both_sides_and_the_numbers(svitlo: CommandLine, told: Telling) -> None:
    shift = utc_now() - timedelta(hours=4) - START

    async def work(session: AsyncSession) -> None:
        await told.keep(session, shift)

    svitlo.prepare(work)
    span = ("--from", "-3h", "--to", (after(2 * HOUR) + shift).isoformat())
    shown = svitlo(
        "replay", *span, "--policy", "misses=3", "--rule", "yard=all", "--site", "home", "--site", "yard"
    ).out
    assert "only now" in shown
    assert "still off" not in shown
    assert "Tried: misses 3 (in force: 2), rule all at yard." in shown
    assert "Only boards of these sites were replayed" in shown
    found = svitlo("replay", *span, "--json").json
    assert {line["verdict"] for line in found["outages"]} == {"only now"}
    assert found["outages"][0]["site"] == "home"
    assert found["outages"][0]["now"]["told"]
    assert found["then"]["outages"] == 0
    assert found["now"]["outages"] >= 8
    assert found["readings"] / found["seconds"] > 0


def test_a_span_without_readings_is_one_clear_line(svitlo: CommandLine, told: Telling) -> None:
    shift = utc_now() - timedelta(hours=4) - START

    async def work(session: AsyncSession) -> None:
        await told.keep(session, shift)

    assert svitlo.refused("replay", "--from", "-1h") == (
        "no board stands for these places, so there is nothing to replay"
    )
    svitlo.prepare(work)
    first = (START + shift).astimezone(ZoneInfo("Europe/Kyiv"))
    assert f"go from {first:%Y-%m-%d %H:%M} to" in svitlo.refused("replay", "--from", "-9d", "--to", "-8d")
    assert "before --to" in svitlo.refused("replay", "--from", "now", "--to", "-1h")
    assert "no time" in svitlo.refused("replay", "--from", "yesterday")
    assert "confirm_off_s" in svitlo.refused("replay", "--from", "-1h", "--policy", "patience=3")


def test_settings_are_taken_by_name_and_checked() -> None:
    assert parse_policy(["misses=3", "grace_s=5", "area_wait_s=0"]) == {"misses": 3, "grace_s": 5.0, "area_wait_s": 0.0}
    for wrong in ("misses=x", "misses=0", "grace_s=nan", "grace_s=inf", "misses", "=3", "MISSES=3", "misses="):
        with pytest.raises(UserError, match="--policy"):
            parse_policy([wrong])


def test_a_rule_is_for_all_sites_or_for_one() -> None:
    assert parse_rule("majority") == (None, (Rule.MAJORITY, 1))
    assert parse_rule("k:3") == (None, (Rule.K, 3))
    assert parse_rule("my-house=k:2") == ("my-house", (Rule.K, 2))
    for wrong in ("k", "k:0", "some", "home=", "all:2"):
        with pytest.raises(UserError, match="--rule"):
            parse_rule(wrong)


def test_a_time_may_be_so_long_before_now() -> None:
    now = datetime(2026, 11, 20, 18, tzinfo=UTC)
    kyiv = ZoneInfo("Europe/Kyiv")
    assert parse_time("-7d", kyiv, now) == now - timedelta(days=7)
    assert parse_time("now", kyiv, now) == now
    assert parse_time("2026-11-20 09:00", kyiv, now) == datetime(2026, 11, 20, 7, tzinfo=UTC)
    assert parse_time("2026-11-20T09:00+01:00", kyiv, now).tzinfo is UTC
    with pytest.raises(UserError):
        parse_time("-soon", kyiv, now)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0.0 s"), (9.94, "9.9 s"), (23.2, "23 s"), (60, "1 min"), (7620, "2 h 7 min"), (90_061, "1 d 1 h")],
)
def test_a_length_is_shown_in_its_two_greatest_units(seconds: float, shown: str) -> None:
    assert shown_length(seconds) == shown
