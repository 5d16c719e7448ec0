"""What of the truth is told, and when: maintenance, flapping, and many boards at once."""

from __future__ import annotations

from datetime import timedelta

from msgspec import UNSET

from services.detector.core.observation import ObservationKind
from services.detector.core.place import Place
from services.detector.store import SiteEntry
from svitlo.contracts import Area, EventKind, PowerEvent, PowerState, SiteStateWord
from svitlo.maintenance import Window
from tests.support.world import POWER_ON, World, after, home


def kinds(world: World) -> list[str]:
    return [event.kind.value for event in world.log]


def worked_on(start: float, end: float) -> World:
    place = Place(devices={"d1": 1}, maintenance=((after(start), after(end)),))
    return World({"home": place}).begin().beat(boots=1)


def returns(world: World, boots: int) -> World:
    return world.beat(boot=f"b{boots}", boots=boots, uptime=1, reset=POWER_ON)


def test_maintenance_is_shown_and_measured_and_not_told() -> None:
    world = worked_on(10, 1000)
    assert world.shown() is SiteStateWord.ON
    assert world.at(10).shown() is SiteStateWord.MAINTENANCE
    world.at(60)
    assert (world.power(), world.shown(), kinds(world)) == (PowerState.OFF, SiteStateWord.MAINTENANCE, [])
    returns(world.at(500), 2)
    assert world.beats(1200, boot="b2", boots=2).log == []
    assert [(row.maintenance, row.over, row.cause.value) for row in world.outages] == [(True, True, "power")]
    assert world.shown() is SiteStateWord.ON


def test_an_outage_told_before_is_not_told_again_at_the_end() -> None:
    world = worked_on(100, 1000).at(60)
    assert kinds(world) == ["power_lost"]
    assert kinds(world.at(2000)) == ["power_lost"]
    assert world.shown() is SiteStateWord.OFF


def test_an_outage_that_outlasts_the_maintenance_is_told_at_its_end() -> None:
    world = worked_on(10, 1000).at(999)
    assert kinds(world) == []
    world.at(1000)
    assert kinds(world) == ["power_lost"]
    assert (world.started.occurred_lo, world.started.detected_at) == (after(0), after(23))
    assert kinds(returns(world.at(1100), 2)) == ["power_lost", "power_restored", "outage_revised"]


def test_power_that_came_back_during_maintenance_is_told_at_its_end_to_those_who_knew_it_off() -> None:
    world = returns(worked_on(100, 1000).at(200), 2)
    assert kinds(world) == ["power_lost"]
    world.beats(1000, boot="b2", boots=2)
    assert kinds(world) == ["power_lost", "power_restored", "outage_revised"]
    assert world.ended.detected_at == after(200)


def test_what_is_owed_at_the_end_of_maintenance_is_told_though_the_board_is_gone() -> None:
    world = returns(worked_on(30, 300).at(60), 2).beats(80, boot="b2", boots=2)
    world.register({"home": Place(maintenance=((after(30), after(300)),))})
    assert kinds(world.at(299)) == ["power_lost"]
    assert kinds(world.at(301)) == ["power_lost", "power_restored", "outage_revised"]


def test_an_outage_in_maintenance_of_a_board_that_was_replaced_is_not_told_at_its_end() -> None:
    """Nobody knows any more whether the power is off."""
    world = worked_on(10, 300).at(60)
    world.register({"home": Place(devices={"d2": 1}, maintenance=((after(10), after(300)),))})
    assert world.at(400).power() is PowerState.UNKNOWN
    assert world.log == []
    assert world.beat("d2").beats(420, "d2").log == []
    assert kinds(world.at(460)) == ["power_lost"]


def test_windows_that_touch_are_one_silence() -> None:
    place = Place(devices={"d1": 1}, maintenance=((after(10), after(50)), (after(50), after(90))))
    world = World({"home": place}).begin().beat().at(89)
    assert kinds(world) == []
    assert kinds(world.at(90)) == ["power_lost"]


def blinks(world: World, times: int, *, every: float = 60) -> World:
    """Power goes for half a minute, again and again."""
    start = (world.now - after(0)).total_seconds()
    for number in range(times):
        world.at(start + number * every).beat(boot=f"b{number}", boots=number + 1, uptime=0, reset=POWER_ON)
        world.at(start + number * every + 30)
    return world


def test_power_that_comes_and_goes_is_told_once_and_then_summed_up() -> None:
    world = blinks(home(), 12)
    told = kinds(world)
    assert told.count("unstable") == 1
    assert told[-1] == "unstable"
    assert told.count("power_lost") == 2
    assert sum(not row.momentary for row in world.outages) == 12
    world.beat(boot="z", boots=13, uptime=0, reset=POWER_ON)
    world.beats(1200, boot="z", boots=13)
    loud = [event for event in world.log if event.quiet is UNSET]
    assert loud[-1].kind is EventKind.STABLE
    summary = loud[-1].flapping
    assert summary is not UNSET
    assert (summary.power, summary.changes) == (PowerState.ON, 24)
    assert 680 < summary.off_s <= 720


def test_the_log_is_whole_again_after_an_unstable_time() -> None:
    """Who follows losses and returns alone is left with the truth: what is owed is logged quietly."""
    world = blinks(home(), 12)
    world.beat(boot="z", boots=13, uptime=0, reset=POWER_ON).beats(1200, boot="z", boots=13)
    state: dict[object, EventKind] = {}
    for event in world.log:
        if event.kind in (EventKind.POWER_LOST, EventKind.POWER_RESTORED):
            state[event.outage_id] = event.kind
    assert set(state.values()) == {EventKind.POWER_RESTORED}


def test_an_unstable_site_that_stays_off_says_so_in_its_summary() -> None:
    world = blinks(home(), 12).at(1300)
    stable = world.log[-2:]
    assert [event.kind for event in stable] == [EventKind.STABLE, EventKind.POWER_LOST]
    assert stable[0].flapping is not UNSET
    assert stable[0].flapping.power is PowerState.OFF
    assert stable[1].quiet is True
    returns(world, 99)
    assert kinds(world)[-2:] == ["power_restored", "outage_revised"]


def test_power_that_calms_down_in_maintenance_is_summed_up_at_its_end() -> None:
    """Told last was that it comes and goes, and is off."""
    place = Place(devices={"d1": 1}, maintenance=((after(300), after(4000)),))
    world = returns(blinks(World({"home": place}).begin(), 3).at(180), 9)
    assert kinds(world)[-1] == "unstable"
    world.beats(3990, boot="b9", boots=9)
    assert (kinds(world)[-1], world.fleet.sites["home"].unstable) == ("unstable", None)
    stable = world.beats(4000, boot="b9", boots=9).log[-1]
    assert stable.kind is EventKind.STABLE
    assert stable.flapping is not UNSET
    assert (stable.flapping.power, stable.flapping.changes) == (PowerState.ON, 6)


def test_two_outages_in_ten_minutes_are_told_as_they_are() -> None:
    world = blinks(home(), 2).beat(boot="z", boots=13, uptime=0, reset=POWER_ON)
    assert kinds(world).count("unstable") == 0
    assert kinds(world).count("power_restored") == 2


def district(homes: int, others: int = 0) -> World:
    sites = {f"home-{n}": (f"d{n}",) for n in range(homes)} | {f"far-{n}": (f"f{n}",) for n in range(others)}
    world = World(sites).begin()
    for n in range(homes):
        world.beat(f"d{n}", boots=1)
    for n in range(others):
        world.beat(f"f{n}", boots=1)
    return world


def lost(world: World) -> list[PowerEvent]:
    return [event for event in world.log if event.kind is EventKind.POWER_LOST]


def test_when_half_of_all_boards_vanish_the_state_follows_at_once_and_alerts_wait() -> None:
    world = district(6, 6).beats(40, *(f"f{n}" for n in range(6)))
    assert {world.power(f"home-{n}") for n in range(6)} == {PowerState.OFF}
    assert lost(world) == []
    world.beats(60, *(f"f{n}" for n in range(6)))
    assert len(lost(world)) == 6
    areas = {event.area for event in lost(world)}
    assert len(areas) == 1
    area = areas.pop()
    assert isinstance(area, Area)
    assert area.sites == 6


def test_boards_that_come_back_within_the_wait_were_never_off() -> None:
    """The broker dropped half of its clients; they were back in seconds."""
    world = district(0).register({f"home-{n}": (f"d{n}",) for n in range(6)})
    for n in range(6):
        world.beat(f"d{n}", uptime=1000)
    world.at(30)
    for n in range(6):
        world.beat(f"d{n}", conn=2, uptime=1030)
    for moment in range(40, 100, 10):
        world.at(moment)
        for n in range(6):
            world.beat(f"d{n}", conn=2, uptime=1000 + moment)
    assert world.log == []
    assert {row.retracted_at for row in world.outages} == {after(30)}


def test_a_real_outage_shorter_than_the_wait_is_told_with_its_end() -> None:
    world = district(6).at(30)
    for n in range(6):
        world.beat(f"d{n}", boot="b2", boots=2, uptime=2, reset=POWER_ON)
    assert world.log == []
    for moment in (40, 50):
        world.at(moment)
        for n in range(6):
            world.beat(f"d{n}", boot="b2", boots=2)
    assert kinds(world).count("power_lost") == kinds(world).count("power_restored") == 6


def test_boards_that_fall_silent_together_wait_from_the_first_on() -> None:
    """Their heartbeats came in turn, and so do their time-outs, ten seconds long; all are overdue at the first."""
    world = World({f"home-{n}": (f"d{n}",) for n in range(20)}).begin()
    for n in range(60):
        world.at(n / 2).beat(f"d{n % 20}")
    areas = {event.area for event in lost(world.at(100))}
    assert len(lost(world)) == 20
    assert len(areas) == 1
    assert UNSET not in areas


def test_a_short_failure_of_our_own_uplink_is_no_alert_for_anybody() -> None:
    """For 22 s nothing comes from outside; our echo, which never leaves the machine, does."""
    world = World({f"home-{n}": (f"d{n}",) for n in range(20)}).begin()
    for n in range(240):
        moment = n / 2
        if not 30 <= moment < 52:
            world.at(moment).beat(f"d{n % 20}", uptime=1000 + int(moment))
    assert any(row.retracted_at is not None for row in world.outages)
    assert world.log == []


def test_less_than_half_do_not_wait() -> None:
    others = [f"f{n}" for n in range(12)]
    assert len(lost(district(5, 12).beats(30, *others))) == 5


def test_fewer_than_five_do_not_wait() -> None:
    assert len(lost(district(4).at(24))) == 4


def test_a_mains_sensor_needs_no_second_opinion() -> None:
    world = district(6).at(5)
    for n in range(6):
        world.say(ObservationKind.MAINS_LOST, f"d{n}")
    assert len(lost(world)) == 6


def test_alerts_wait_longer_when_our_link_breaks_meanwhile() -> None:
    """First the boards vanish, then the broker: it was the broker."""
    world = district(0).register({f"home-{n}": (f"d{n}",) for n in range(6)})
    for n in range(6):
        world.beat(f"d{n}", uptime=1000)
    world.at(30)
    world.fleet.link_down(world.now)
    world.now = after(60)
    world.see().at(90)
    assert world.log == []
    for n in range(6):
        world.beat(f"d{n}", conn=2, uptime=1090)
    for moment in range(100, 200, 10):
        world.at(moment)
        for n in range(6):
            world.beat(f"d{n}", conn=2, uptime=1000 + moment)
    assert world.log == []


def test_a_reconstructed_outage_within_maintenance_is_kept_and_not_told() -> None:
    world = worked_on(-10, 5000).at(2)
    world.fleet.link_down(world.now)
    world.now = after(3600)
    world.see().at(3605).beat(boot="b2", boots=2, uptime=1000, reset=POWER_ON)
    world.beats(6000, boot="b2", boots=2)
    assert world.log == []
    assert [(row.reconstructed, row.maintenance) for row in world.outages] == [(True, True)]


def test_a_reconstructed_outage_within_a_maintenance_that_is_over_is_not_told_either() -> None:
    """Planned work took the detector away too."""
    window = Window(1, "home", subtree=True, starts_at=after(600), duration_s=3600, zone="UTC")
    entry = SiteEntry(1, "Home", Place(devices={"d1": 1}), (window,))
    world = World({"home": entry.at(after(0))}).begin().beat(boots=1).at(5)
    world.fleet.link_down(world.now)
    world.now = after(4300)
    world.register({"home": entry.at(world.now)}).see().at(4305)
    world.beat(boot="b2", boots=2, uptime=200, reset=POWER_ON).beats(4400, boot="b2", boots=2)
    assert world.log == []
    assert [(row.reconstructed, row.maintenance) for row in world.outages] == [(True, True)]


def test_a_renamed_site_keeps_its_outage() -> None:
    world = home().beat(boots=1).at(60)
    world.fleet.rename({"home": "house"})
    world.register({"house": ("d1",)})
    returns(world.at(100), 2)
    assert [(event.kind.value, event.site) for event in world.log][:2] == [
        ("power_lost", "home"),
        ("power_restored", "house"),
    ]
    assert world.log[0].outage_id == world.log[1].outage_id


def test_a_site_with_nothing_owed_releases_nothing() -> None:
    world = World({"home": Place(devices={"d1": 1}, confirm_off=timedelta(seconds=5))}).begin().beat()
    assert world.beats(100).effects
    assert world.log == []


def test_two_sites_that_swap_their_slugs_keep_their_own_outages() -> None:
    world = World({"a": ("d1",), "b": ("d2",)}).begin().beat("d1").beat("d2").beats(60, "d2")
    world.fleet.rename({"a": "b", "b": "a"})
    world.register({"a": ("d2",), "b": ("d1",)})
    assert (world.power("a"), world.power("b")) == (PowerState.ON, PowerState.OFF)
    assert len(world.beats(100, "d2").log) == 1


def test_a_board_that_loses_its_connection_again_and_again_is_told_as_that() -> None:
    world = home().beat(uptime=1000)
    for number in range(2, 8):
        world.at(60 * number).beat(conn=number, uptime=1000 + 60 * number)
    unstable = next(event for event in world.log if event.kind is EventKind.UNSTABLE)
    assert unstable.cause.value == "network"
    assert unstable.flapping is not UNSET
    assert unstable.flapping.off_s == 0


def test_what_is_held_back_is_told_though_the_site_is_renamed_meanwhile() -> None:
    world = returns(worked_on(100, 1000).at(200), 2)
    world.fleet.rename({"home": "house"})
    world.register({"house": world.sites["home"]})
    assert [event.site for event in world.beats(1000, boot="b2", boots=2).log] == ["home", "house", "house"]


def test_boards_whose_connections_break_together_wait_from_the_first_on() -> None:
    """Their wills come one by one, each to be held for two seconds: by then it is known that they are many."""
    world = district(6)
    for n in range(6):
        world.at(5 + n / 10).say(ObservationKind.WILL, f"d{n}")
    world.at(9)
    assert {world.power(f"home-{n}") for n in range(6)} == {PowerState.OFF}
    assert lost(world) == []
    assert len(lost(world.at(40))) == 6


def test_wills_that_were_contradicted_hold_nothing_back() -> None:
    world = district(6)
    for n in range(1, 6):
        world.at(5 + n / 10).say(ObservationKind.WILL, f"d{n}")
    for n in range(1, 6):
        world.at(6 + n / 10).beat(f"d{n}", conn=2)
    world.beats(36, *(f"d{n}" for n in range(1, 6)))
    assert len(lost(world)) == 1


def test_an_outage_in_maintenance_that_ended_while_we_were_down_is_not_told_at_our_return() -> None:
    world = worked_on(10, 1000).at(500)
    world.fleet.link_down(world.now)
    world.now = after(1100)
    world.see()
    assert world.at(1105).log == []
    assert returns(world, 2).beats(1300, boot="b2", boots=2).log == []


def test_an_outage_in_maintenance_that_goes_on_after_our_return_is_told_once_boards_had_time() -> None:
    world = worked_on(10, 1000).at(500)
    world.fleet.link_down(world.now)
    world.now = after(1100)
    world.see()
    assert kinds(world.at(1144)) == []
    assert kinds(world.at(1146)) == ["power_lost"]


def test_a_slug_that_passes_to_another_site_passes_without_its_outage() -> None:
    world = home().beat().at(60)
    world.fleet.forget({"home"})
    world.register({"home": ()})
    assert (world.power(), world.fleet.sites["home"].outage) == (PowerState.UNKNOWN, None)
