"""From the votes of its devices to the power of a site, and from sites to those above them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.detector.core.effects import SiteChanged
from services.detector.core.observation import ObservationKind
from services.detector.core.place import Place, Rule, Verdict, Vote, decide
from svitlo.contracts import ChildTally, PowerState, SiteStateWord
from tests.support.world import POWER_ON, World, after, home

A, D, U, N = Vote.ALIVE, Vote.DEAD, Vote.UNSEEN, Vote.ABSTAINS
ON, OFF, UNKNOWN, HOLD = Verdict.ON, Verdict.OFF, Verdict.UNKNOWN, Verdict.HOLD


@pytest.mark.parametrize(
    ("rule", "k", "votes", "verdict"),
    [
        (Rule.ANY, 1, (A, D, D), ON),
        (Rule.ANY, 1, (D, D, D), OFF),
        (Rule.ANY, 1, (D, U, N), HOLD),
        (Rule.ANY, 1, (D, N, N), OFF),
        (Rule.ANY, 1, (N, N, N), UNKNOWN),
        (Rule.ALL, 1, (A, A, A), ON),
        (Rule.ALL, 1, (A, A, N), ON),
        (Rule.ALL, 1, (A, A, D), OFF),
        (Rule.ALL, 1, (A, U, D), OFF),
        (Rule.ALL, 1, (A, A, U), HOLD),
        (Rule.MAJORITY, 1, (A, A, D), ON),
        (Rule.MAJORITY, 1, (A, A, U), ON),
        (Rule.MAJORITY, 1, (A, D, D), OFF),
        (Rule.MAJORITY, 1, (A, D, U), HOLD),
        (Rule.MAJORITY, 1, (A, D, N), OFF),
        (Rule.K, 2, (A, A, D), ON),
        (Rule.K, 2, (A, D, D), OFF),
        (Rule.K, 2, (A, U, D), HOLD),
        (Rule.K, 2, (A, N, N), UNKNOWN),
    ],
)
def test_the_rule_over_votes_of_equal_weight(rule: Rule, k: int, votes: tuple[Vote, ...], verdict: Verdict) -> None:
    place = Place(devices={"a": 1, "b": 1, "c": 1}, rule=rule, k=k)
    assert decide(place, dict(zip("abc", votes, strict=True))) is verdict


@pytest.mark.parametrize(
    ("rule", "k", "votes", "verdict"),
    [
        (Rule.MAJORITY, 1, (A, D, D), ON),
        (Rule.MAJORITY, 1, (D, A, A), OFF),
        (Rule.K, 3, (A, D, D), ON),
        (Rule.K, 3, (D, A, A), OFF),
        (Rule.ANY, 1, (D, D, A), ON),
    ],
)
def test_weights_count(rule: Rule, k: int, votes: tuple[Vote, ...], verdict: Verdict) -> None:
    place = Place(devices={"a": 3, "b": 1, "c": 1}, rule=rule, k=k)
    assert decide(place, dict(zip("abc", votes, strict=True))) is verdict


def three(rule: Rule, k: int = 1) -> World:
    world = World({"home": Place(devices={"d1": 1, "d2": 1, "d3": 1}, rule=rule, k=k)}).begin()
    return world.beat("d1").beat("d2").beat("d3")


def test_a_majority_goes_off_with_its_second_board_and_comes_back_with_it() -> None:
    world = three(Rule.MAJORITY).beats(20, "d2", "d3")
    assert world.beats(30, "d2", "d3").power() is PowerState.ON
    assert world.beats(60, "d3").power() is PowerState.OFF
    assert world.beat("d2").power() is PowerState.ON


def test_all_goes_off_with_its_first_board() -> None:
    world = three(Rule.ALL).beats(30, "d1", "d2")
    assert world.power() is PowerState.OFF
    assert [item.device for item in world.started.evidence] == ["d3"]


def test_the_loss_of_a_majority_is_dated_by_the_board_that_tipped_it() -> None:
    world = three(Rule.MAJORITY).beats(50, "d3").at(50)
    event = world.started
    assert (event.occurred_lo - event.occurred_hi) == timedelta(seconds=-23)


def test_a_site_has_a_debounce_of_its_own() -> None:
    slow = Place(devices={"d1": 1}, confirm_off=timedelta(seconds=60), confirm_on=timedelta(seconds=30))
    world = World({"home": slow, "shed": ("d1",)}).begin().beat().at(23)
    assert (world.power("home"), world.power("shed")) == (PowerState.ON, PowerState.OFF)
    assert world.at(83).power("home") is PowerState.OFF
    world.at(90).beat()
    assert (world.power("home"), world.power("shed")) == (PowerState.OFF, PowerState.ON)
    assert world.beats(120).power("home") is PowerState.ON


def test_a_debounce_goes_on_after_a_blind_span_where_it_stood() -> None:
    slow = Place(devices={"d1": 1}, confirm_off=timedelta(seconds=60))
    world = World({"home": slow}).begin().beat().at(43)
    world.fleet.link_down(world.now, "stall")
    world.at(1000).see()
    assert world.at(1039).power() is PowerState.ON
    assert world.at(1040).power() is PowerState.OFF


def test_a_debounce_goes_on_over_restarts_however_many() -> None:
    slow = Place(devices={"d1": 1}, confirm_off=timedelta(seconds=60))
    world = World({"home": slow}).begin().beat()
    for stop in (40, 55, 70):
        world.at(stop).restart()
    assert world.at(82).power() is PowerState.ON
    assert world.at(84).power() is PowerState.OFF


def test_a_debounce_survives_a_clock_that_is_set_back() -> None:
    slow = Place(devices={"d1": 1}, confirm_off=timedelta(seconds=60))
    world = World({"home": slow}).begin().beat().at(43)
    world.fleet.link_down(world.now, "stall")
    world.now = after(20)
    world.effects += world.fleet.rewind(world.now)
    assert world.see().at(59).power() is PowerState.ON
    assert world.at(61).power() is PowerState.OFF


def test_a_return_is_confirmed_however_often_we_stand_still_meanwhile() -> None:
    """Each time the board has to be heard again; until then the debounce stands where it stood."""
    place = Place(devices={"d1": 1}, confirm_on=timedelta(seconds=60))
    world = World({"home": place}).begin().beat(boots=1).at(50)
    world.at(100).beat(boot="b2", boots=2, uptime=1, reset=POWER_ON)
    for stop in (140, 180, 220):
        world.beats(stop - 5, boot="b2", boots=2, every=5).at(stop)
        world.fleet.link_down(world.now, "stall")
        world.see()
    assert world.power() is PowerState.ON
    assert after(165) <= world.ended.detected_at <= after(180)


def test_a_changed_rule_is_no_outage() -> None:
    world = three(Rule.ANY).beats(60, "d1")
    world.register({"home": Place(devices={"d1": 1, "d2": 1, "d3": 1}, rule=Rule.ALL)})
    assert world.power() is PowerState.UNKNOWN
    assert world.beats(100, "d1").events == []


def block() -> World:
    sites = {
        "block": Place(),
        "east": Place(devices={"d1": 1}, parent="block"),
        "west": Place(devices={"d2": 1}, parent="block"),
    }
    return World(sites).begin().beat("d1").beat("d2")


def test_a_parent_shows_how_many_of_its_sites_are_off() -> None:
    world = block()
    assert world.shown("block") is SiteStateWord.ON
    world.beats(40, "d1")
    assert (world.shown("block"), world.power("block")) == (SiteStateWord.PARTIAL, PowerState.ON)
    assert world.fleet.sites["block"].children == ChildTally(total=2, on=1, partial=0, off=1, unknown=0)


def test_a_parent_without_boards_is_off_with_the_last_of_its_sites_and_tells_nothing_itself() -> None:
    world = block().beats(40, "d1").at(80)
    assert (world.shown("block"), world.power("block")) == (SiteStateWord.OFF, PowerState.OFF)
    assert [site for _, site in world.events] == ["west", "east"]
    world.beat("d2")
    assert world.shown("block") is SiteStateWord.PARTIAL


def test_partial_reaches_the_top() -> None:
    sites = {
        "region": Place(),
        "block": Place(parent="region"),
        "east": Place(devices={"d1": 1}, parent="block"),
        "west": Place(devices={"d2": 1}, parent="block"),
        "villa": Place(devices={"d3": 1}, parent="region"),
    }
    world = World(sites).begin().beat("d1").beat("d2").beat("d3").beats(40, "d1", "d3")
    assert world.shown("region") is SiteStateWord.PARTIAL
    assert world.fleet.sites["region"].children == ChildTally(total=2, on=1, partial=1, off=0, unknown=0)


def test_partial_reaches_the_top_past_a_site_in_maintenance() -> None:
    sites = {
        "region": Place(),
        "block": Place(parent="region", maintenance=((after(5), after(1000)),)),
        "east": Place(devices={"d1": 1}, parent="block"),
        "west": Place(devices={"d2": 1}, parent="block"),
    }
    world = World(sites).begin().beat("d1").beat("d2").beats(60, "d1")
    assert (world.shown("block"), world.shown("region")) == (SiteStateWord.MAINTENANCE, SiteStateWord.PARTIAL)
    assert world.fleet.sites["region"].children == ChildTally(total=1, on=0, partial=1, off=0, unknown=0)
    world.beat("d2")
    assert world.shown("region") is SiteStateWord.ON


def test_what_all_may_see_shows_nothing_of_what_is_private_below_it() -> None:
    sites = {
        "block": Place(public=True),
        "east": Place(devices={"d1": 1}, parent="block", public=True),
        "flat": Place(devices={"d2": 1}, parent="block", public=False),
        "hall": Place(devices={"d3": 1}, public=True),
        "cellar": Place(devices={"d2": 1}, parent="hall", public=False),
        "shed": Place(parent="cellar", public=False),
        "kiosk": Place(public=True),
        "till": Place(devices={"d2": 1}, parent="kiosk", public=False),
    }
    world = World(sites).begin().beat("d1").beat("d2").beat("d3").beats(40, "d1", "d3")
    assert world.power("flat") is PowerState.OFF
    assert (world.shown("block"), world.shown("hall")) == (SiteStateWord.ON, SiteStateWord.ON)
    assert world.fleet.sites["block"].children == ChildTally(total=1, on=1, partial=0, off=0, unknown=0)
    assert world.fleet.sites["hall"].children is None
    assert world.power("kiosk") is PowerState.UNKNOWN, "its only section is private"


def test_whoever_was_let_in_to_a_private_place_sees_all_below_it() -> None:
    sites = {
        "yard": Place(public=False),
        "east": Place(devices={"d1": 1}, parent="yard", public=True),
        "flat": Place(devices={"d2": 1}, parent="yard", public=False),
    }
    world = World(sites).begin().beat("d1").beat("d2").beats(40, "d1")
    assert world.shown("yard") is SiteStateWord.PARTIAL
    assert world.fleet.sites["yard"].children == ChildTally(total=2, on=1, partial=0, off=1, unknown=0)


def test_a_parent_with_a_board_of_its_own_has_its_own_power() -> None:
    sites = {"block": Place(devices={"d1": 1}), "west": Place(devices={"d2": 1}, parent="block")}
    world = World(sites).begin().beat("d1").beat("d2").beats(40, "d1")
    assert (world.power("block"), world.shown("block")) == (PowerState.ON, SiteStateWord.PARTIAL)


def test_an_outage_of_a_site_whose_boards_move_to_sites_below_it_ends_with_them() -> None:
    world = World({"home": ("d1",)}).begin().beat(boots=1).at(60)
    world.register({"home": (), "flat": Place(devices={"d1": 1}, parent="home")})
    assert world.at(90).events == [("power_lost", "home")]
    world.at(100).beat(boot="b2", boots=2, uptime=1, reset=POWER_ON).beats(200, boot="b2", boots=2)
    assert (world.power(), world.fleet.sites["home"].outage) == (PowerState.ON, None)
    assert world.events == [("power_lost", "home"), ("power_restored", "home")]
    assert (world.ended.occurred_lo, world.ended.occurred_hi) == (after(0), after(100))


def test_a_parent_is_published_when_a_site_under_it_changes() -> None:
    world = block()
    world.effects.clear()
    world.beats(40, "d1")
    assert "block" in {effect.site for effect in world.effects if isinstance(effect, SiteChanged)}


def test_a_registry_read_again_looks_at_no_site_that_did_not_change() -> None:
    """It is read every minute; to look at fifty thousand sites would stop us for so long that we count as blind."""
    tomorrow = ((after(86_400), after(90_000)),)
    sites = {f"home-{n}": Place(devices={f"d{n}": 1}, parent="top", maintenance=tomorrow) for n in range(3)}
    world = World({"top": Place(), **sites}).begin()
    plans = world.fleet.plans
    world.register()
    assert world.fleet.plans == plans
    world.register({"top": Place(), **sites, "home-1": Place(devices={"d1": 2}, parent="top", maintenance=tomorrow)})
    assert world.fleet.plans == plans + 1


def test_a_parent_is_looked_at_when_a_site_below_it_goes_or_moves() -> None:
    sites = {"a": Place(), "b": Place(), "c": Place(devices={"d1": 1}, parent="a")}
    world = World(sites).begin().beat()
    world.register(sites | {"c": Place(devices={"d1": 1}, parent="b")})
    assert (world.power("a"), world.power("b")) == (PowerState.UNKNOWN, PowerState.ON)
    world.register({"a": Place(), "b": Place()})
    assert (world.power("b"), world.fleet.sites["b"].children) == (PowerState.UNKNOWN, None)


def test_maintenance_begins_and_ends_while_we_are_blind() -> None:
    world = World({"home": Place(devices={"d1": 1}, maintenance=((after(100), after(200)),))}).begin().beat()
    world.fleet.link_down(world.now)
    assert world.at(100).shown() is SiteStateWord.MAINTENANCE
    assert world.at(200).shown() is SiteStateWord.ON


def test_a_cycle_of_parents_ends() -> None:
    world = World({"a": Place(parent="b"), "b": Place(parent="a", devices={"d1": 1})}).begin().beat()
    assert world.power("b") is PowerState.ON


def test_power_while_a_sensor_says_there_is_no_mains_is_backup() -> None:
    """One board on the grid, one behind the inverter."""
    world = World({"home": ("grid", "backup")}).begin().beat("grid", mains=True).beat("backup")
    world.at(5).say(ObservationKind.MAINS_LOST, "grid").at(6).beat("backup")
    assert (world.power(), world.shown()) == (PowerState.ON, SiteStateWord.BACKUP)
    world.at(9).beat("grid", mains=True)
    assert world.shown() is SiteStateWord.ON


def test_a_dead_board_is_found_by_a_detector_that_is_restarted_again_and_again() -> None:
    """Each start gives boards time to come back; that must not hide a board that is silent through all of them."""
    world = home().beat()
    stop = 5.0
    for _ in range(5):
        world.at(stop)
        again = World({"home": ("d1",)})
        again.now, again.effects = world.now, world.effects
        again.fleet.restore(world.fleet.devices, world.fleet.sites, world.now, world.fleet.watch.since)
        world = again.begin()
        stop += 30
    assert ("power_lost", "home") in world.events


def test_a_living_board_is_not_lost_however_often_the_detector_is_restarted() -> None:
    world = home().beat()
    for number in range(1, 40):
        world.at(number * 10 - 1)
        again = World({"home": ("d1",)})
        again.now, again.effects = world.now, world.effects
        again.fleet.restore(world.fleet.devices, world.fleet.sites, world.now, world.fleet.watch.since)
        world = again.begin().at(number * 10).beat(seq=number + 1000)
    assert world.events == []


@pytest.mark.parametrize("restarted", [False, True])
def test_a_registry_changed_while_we_were_blind_is_no_outage(restarted: bool) -> None:
    world = World({"home": ("d1", "d2")}).begin().beat("d1").beat("d2").beats(100, "d2")
    world.fleet.link_down(world.now)
    if restarted:
        again = World({"home": ("d1", "d2")})
        again.now, again.effects = world.now, world.effects
        again.fleet.restore(world.fleet.devices, world.fleet.sites, world.now)
        world = again
    world.at(102).register({"home": ("d1",)})
    world.at(105).see()
    assert world.at(300).events == []
    assert world.power() is PowerState.UNKNOWN


def test_what_a_board_went_through_elsewhere_is_not_told_of_the_site_it_stands_for_since_a_restart() -> None:
    """It replaced the site's own board while no detector ran."""
    world = World({"home": ("d1",), "shed": ("d2",)}).begin().beat("d1", boots=1).beat("d2", boots=1).beats(100, "d1")
    world.beat("d2", boot="b2", boots=2, uptime=3, reset=POWER_ON).at(105)
    told = len(world.log)
    assert {event.site for event in world.log} == {"shed"}
    world.restart({"home": ("d2",), "shed": ()})
    assert len(world.beats(400, "d2", boot="b2", boots=2).log) == told
    assert world.power() is PowerState.ON


def test_a_dead_board_that_came_to_a_site_while_no_detector_ran_brings_no_interruption_along() -> None:
    world = World({"home": ("d1",), "shed": ("d2",)}).begin().beat("d1", boots=1).beat("d2", boots=1).beats(100, "d1")
    told = len(world.log)
    world.restart({"home": ("d2",), "shed": ()}).at(200)
    world.beat("d2", boot="b2", boots=2, uptime=3, reset=POWER_ON).beats(300, "d2", boot="b2", boots=2)
    assert [event.site for event in world.log[told:] if event.site == "home"] == []
    assert world.power() is PowerState.ON


def test_a_loss_that_was_stored_before_its_outage_is_an_outage_after_the_restart() -> None:
    """Killed between the two: nothing may be lost."""
    world = home().beat().at(22)
    sites = dict(world.fleet.sites)
    world.at(24)
    again = World({"home": ("d1",)})
    again.now = world.now
    again.fleet.restore(world.fleet.devices, sites, world.now)
    assert again.begin().events == [("power_lost", "home")]


def test_where_all_must_live_the_loss_may_have_begun_at_any_boards_last_proof() -> None:
    """One board's sensor speaks; another may be dead as well, and is only not known to be."""
    place = Place(devices={"d1": 1, "d2": 1}, rule=Rule.ALL)
    world = World({"home": place}).begin().beat("d1").at(8).beat("d2", mains=True).at(9)
    world.say(ObservationKind.MAINS_LOST, "d2")
    assert world.started.occurred_lo == after(0)
