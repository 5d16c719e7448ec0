"""What a board's return says of the outage: its cause, its times, and what was reported wrongly."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec import UNSET

from services.detector.core.device import Liveness
from services.detector.core.effects import GapSeen
from services.detector.core.observation import ObservationKind
from services.detector.core.place import Place, Rule
from svitlo.contracts import Cause, Change, EventKind, JournalKind, PowerState, ResetCause
from tests.support.world import POWER_ON, World, after, home

WATCHDOG = ResetCause.WATCHDOG


def told(world: World) -> list[tuple[str, str, object]]:
    return [(event.kind.value, event.cause.value, event.change) for event in world.log]


@pytest.mark.parametrize("reset", [ResetCause.POWER_ON, ResetCause.BROWNOUT])
def test_a_new_boot_after_a_power_reset_confirms_the_outage(reset: ResetCause) -> None:
    world = home().beat(boots=41).at(300).beat(boot="b2", boots=42, uptime=20, reset=reset)
    assert told(world) == [
        ("power_lost", "presumed", UNSET),
        ("power_restored", "power", UNSET),
        ("outage_revised", "power", Change.CONFIRMED),
    ]
    outage = world.outages[0]
    assert (outage.cause, outage.rev, outage.retracted_at) == (Cause.POWER, 2, None)
    assert (outage.ended_lo, outage.ended_hi) == (after(270), after(280))


def test_a_revision_bears_the_id_of_what_it_revises() -> None:
    world = home().beat(boots=41).at(300).beat(boot="b2", boots=42, uptime=20, reset=POWER_ON)
    lost, _, revised = world.log
    assert (revised.id, revised.rev, revised.outage_id) == (lost.id, 2, lost.outage_id)
    assert (lost.rev, revised.occurred_lo) == (1, after(0))


def test_the_same_boot_that_ran_all_along_takes_the_outage_back_as_network() -> None:
    world = World({"home": ("d1",)}).begin().beat(uptime=1000).at(300).beat(conn=2, uptime=1300)
    assert told(world)[1:] == [
        ("power_restored", "network", UNSET),
        ("outage_revised", "network", Change.RETRACTED),
    ]
    assert world.outages[0].retracted_at == after(300)
    assert world.power() is PowerState.ON


def test_after_a_retraction_the_power_is_on_since_before() -> None:
    world = home().beat(uptime=1000).at(300).beat(conn=2, uptime=1300)
    assert world.fleet.sites["home"].since == after(0)


def test_an_outage_taken_back_is_no_beginning_of_the_power_before_the_next_one() -> None:
    place = Place(devices={"d1": 1, "d2": 1}, rule=Rule.ALL)
    world = World({"home": place}).begin().beat("d1", uptime=100, mains=True).beat("d2", uptime=500)
    world.beats(300, "d2").beat("d1", conn=2, uptime=400, mains=True)
    assert world.power() is PowerState.ON
    world.beats(340, "d1", conn=2, mains=True)
    assert world.power() is PowerState.OFF
    world.say(ObservationKind.JOURNAL, "d1", notes=((1, JournalKind.NET_LOST), (298, JournalKind.NET_BACK)))
    assert world.outages[0].retracted_at == after(340)
    world.at(350).beat("d1", conn=2, mains=True).beat("d2", conn=2, uptime=850)
    assert world.outages[1].retracted_at == after(350)
    assert world.fleet.sites["home"].since == after(0)


def test_a_board_that_restarted_itself_takes_the_outage_back_as_device() -> None:
    world = home().beat(boots=41).at(300).beat(boot="b2", boots=42, uptime=5, reset=WATCHDOG)
    assert told(world)[-1] == ("outage_revised", "device", Change.RETRACTED)


def test_a_fault_after_several_boots_decides_nothing() -> None:
    """Between the two boots there was another, and nobody knows why it began."""
    world = home().beat(boots=41).at(300).beat(boot="b2", boots=43, uptime=5, reset=WATCHDOG)
    assert told(world) == [("power_lost", "presumed", UNSET), ("power_restored", "presumed", UNSET)]


def test_several_boots_leave_open_when_the_power_came_back() -> None:
    world = home().beat(boots=41).at(300).beat(boot="b2", boots=44, uptime=5, reset=POWER_ON)
    outage = world.outages[0]
    assert (outage.cause, outage.ended_lo, outage.ended_hi) == (Cause.POWER, after(0), after(295))


def test_an_unknown_reset_leaves_the_cause_presumed() -> None:
    world = home().beat(boots=41).at(300).beat(boot="b2", boots=42, uptime=5)
    assert world.outages[0].cause is Cause.PRESUMED


def test_one_board_that_ran_all_along_proves_power_for_its_site() -> None:
    """Of two silent boards one was cut off by its router, the other's plug was pulled."""
    world = World({"home": ("d1", "d2")}).begin().beat("d1", boots=1).beat("d2", uptime=500)
    world.at(300).beat("d1", boot="b2", boots=2, uptime=9, reset=POWER_ON)
    assert world.outages[0].cause is Cause.POWER
    world.at(320).beat("d2", conn=2, uptime=820)
    assert (world.outages[0].cause, world.outages[0].retracted_at) == (Cause.NETWORK, after(320))
    assert [event.rev for event in world.log if event.kind is EventKind.OUTAGE_REVISED] == [2, 3]


def test_where_all_must_live_one_lost_router_is_no_excuse_for_a_dead_board() -> None:
    place = Place(devices={"d1": 1, "d2": 1}, rule=Rule.ALL)
    world = World({"home": place}).begin().beat("d1", boots=1).beat("d2", uptime=500)
    world.at(300).beat("d2", conn=2, uptime=800).at(310).beat("d2", conn=2)
    assert world.power() is PowerState.OFF
    world.beat("d1", boot="b2", boots=2, uptime=2, reset=POWER_ON)
    assert (world.outages[0].cause, world.outages[0].retracted_at) == (Cause.POWER, None)


def twice_lost(*, confirm_on: float = 60) -> World:
    """Its connection failed, it was back for ten seconds, which confirm nothing, and was lost again."""
    place = Place(devices={"d1": 1}, confirm_on=timedelta(seconds=confirm_on))
    world = World({"home": place}).begin().beat(uptime=1000, boots=1)
    return world.at(100).beat(conn=2, uptime=1100, boots=1).at(110).beat(conn=2, uptime=1110, boots=1)


def test_a_cut_that_follows_a_lost_connection_before_the_return_is_confirmed_is_not_taken_back() -> None:
    world = twice_lost().at(7200).beat(boot="b2", boots=2, uptime=1, reset=POWER_ON)
    world.beats(7300, boot="b2", boots=2)
    outage = world.outages[0]
    assert (len(world.outages), outage.cause, outage.retracted_at, outage.momentary) == (1, Cause.POWER, None, False)
    assert (outage.started_lo, outage.started_hi) == (after(110), after(133))
    assert outage.ended_hi == after(7199)
    assert world.power() is PowerState.ON


def test_a_connection_lost_twice_before_the_return_is_confirmed_is_taken_back() -> None:
    world = twice_lost().at(300).beat(conn=3, uptime=1300, boots=1).beats(400, conn=3, boots=1)
    assert [(row.cause, row.retracted_at) for row in world.outages] == [(Cause.NETWORK, after(360))]


def test_a_mains_sensor_knows_the_cause_at_once() -> None:
    world = home().beat(mains=True).at(4).say(ObservationKind.MAINS_LOST)
    assert world.started.cause is Cause.POWER


def test_a_board_on_its_battery_bounds_the_return_by_its_own_words() -> None:
    world = home().beat(mains=True).at(4).beat(mains=False).at(60).beat(mains=False).at(70).beat(mains=True)
    event = world.ended
    assert (event.occurred_lo, event.occurred_hi, event.cause) == (after(60), after(70), Cause.POWER)


def test_silence_first_and_the_sensor_afterwards_is_power_too() -> None:
    world = home().beat(mains=True).at(40).beat(conn=2, mains=False)
    assert world.power() is PowerState.OFF
    world.at(50).beat(conn=2, mains=True)
    assert world.outages[0].cause is Cause.POWER


def test_the_journal_of_a_board_with_a_battery_tells_a_cut_from_a_dead_router() -> None:
    """Same boot, uptime without a gap - but the mains was gone, and the router with it."""
    world = home().beat(uptime=100, mains=True).at(300).beat(conn=2, uptime=400, mains=True)
    assert told(world)[-1] == ("power_restored", "presumed", UNSET)
    world.say(ObservationKind.JOURNAL, notes=((5, JournalKind.MAINS_LOST), (280, JournalKind.MAINS_BACK)))
    assert told(world)[-2:] == [
        ("outage_revised", "power", Change.CONFIRMED),
        ("outage_revised", "power", Change.REFINED),
    ]
    assert [event.id for event in world.log[-2:]] == [world.started.id, world.ended.id]
    outage = world.outages[0]
    assert outage.started_lo <= after(5) <= outage.started_hi
    assert outage.started_hi - outage.started_lo <= timedelta(seconds=6)
    assert outage.ended_hi is not None
    assert outage.ended_lo is not None
    assert outage.ended_lo <= after(280) <= outage.ended_hi


def test_a_cut_that_begins_while_the_router_is_dead_is_dated_by_the_journal() -> None:
    world = home().beat(uptime=100, mains=True).at(1000).beat(conn=2, uptime=1100, mains=True)
    cut = (1, JournalKind.NET_LOST), (300, JournalKind.MAINS_LOST), (990, JournalKind.MAINS_BACK)
    outage = world.say(ObservationKind.JOURNAL, notes=cut).outages[0]
    assert (outage.cause, outage.started_lo, outage.started_hi) == (Cause.POWER, after(297), after(303))
    assert (outage.ended_lo, outage.ended_hi) == (after(987), after(993))


def test_so_is_one_that_the_board_tells_of_before_the_mains_is_back() -> None:
    world = home().beat(uptime=100, mains=True).at(600).say(ObservationKind.BIRTH, conn=2)
    world.say(ObservationKind.JOURNAL, notes=((1, JournalKind.NET_LOST), (300, JournalKind.MAINS_LOST)))
    world.beat(conn=2, uptime=700, mains=False).beats(690, conn=2, mains=False).at(700).beat(conn=2, mains=True)
    outage = world.outages[0]
    assert (outage.cause, outage.started_lo, outage.started_hi) == (Cause.POWER, after(297), after(303))
    assert [event.change for event in world.log[1:]] == [Change.CONFIRMED, UNSET, Change.REFINED]


def test_what_a_board_on_its_battery_told_first_is_not_forgotten_over_what_it_tells_next() -> None:
    """Its connection failed once more before the mains was back."""
    world = home().beat(uptime=100, mains=True).at(600).say(ObservationKind.BIRTH, conn=2)
    world.say(ObservationKind.JOURNAL, notes=((1, JournalKind.NET_LOST), (300, JournalKind.MAINS_LOST)))
    world.beat(conn=2, uptime=700, mains=False).at(700).say(ObservationKind.BIRTH, conn=3)
    world.say(ObservationKind.JOURNAL, notes=((650, JournalKind.NET_LOST), (699, JournalKind.NET_BACK)))
    world.beat(conn=3, uptime=800, mains=False).at(710).beat(conn=3, uptime=810, mains=True)
    assert (world.outages[0].started_lo, world.outages[0].started_hi) == (after(297), after(303))


def test_the_second_part_of_a_long_journal_does_not_date_the_beginning_anew() -> None:
    """A mains that flickers fills more than one; the first holds the oldest."""
    world = home().beat(uptime=100, mains=True).at(1000).beat(conn=2, uptime=1100, mains=True)
    world.say(ObservationKind.JOURNAL, notes=((1, JournalKind.NET_LOST), (300, JournalKind.MAINS_LOST)))
    world.say(ObservationKind.JOURNAL, notes=((700, JournalKind.MAINS_LOST), (990, JournalKind.MAINS_BACK)))
    assert world.outages[0].started_hi == after(303)


def test_a_journal_that_knows_of_no_cut_leaves_the_router() -> None:
    world = home().beat(uptime=100, mains=True).at(300).beat(conn=2, uptime=400, mains=True)
    world.say(ObservationKind.JOURNAL, notes=((1, JournalKind.NET_LOST), (298, JournalKind.NET_BACK)))
    assert told(world)[-1] == ("outage_revised", "network", Change.RETRACTED)


def test_without_a_journal_a_board_with_a_sensor_is_believed_after_a_moment() -> None:
    world = home().beat(uptime=100, mains=True).at(300).say(ObservationKind.BIRTH, conn=2)
    world.beat(conn=2, uptime=400, mains=True)
    world.at(309).beat(conn=2, mains=True)
    assert told(world)[-1] == ("power_restored", "presumed", UNSET)
    world.at(310)
    assert told(world)[-1] == ("outage_revised", "network", Change.RETRACTED)


@pytest.mark.parametrize("will", [False, True])
def test_the_journal_of_a_board_whose_connection_fails_again_before_it_was_sent_is_waited_for(will: bool) -> None:
    """After a cut the router may come and go; the board tells of the cut once it can."""
    world = home().beat(uptime=100, mains=True).at(300).say(ObservationKind.BIRTH, conn=2)
    world.beat(conn=2, uptime=400, mains=True)
    if will:
        world.at(309).say(ObservationKind.WILL, conn=2)
    world.at(310.5).say(ObservationKind.BIRTH, conn=3).at(310.7).beat(conn=3, uptime=410, mains=True).at(323)
    assert told(world)[-1] == ("power_restored", "presumed", UNSET)
    world.say(ObservationKind.JOURNAL, notes=((5, JournalKind.MAINS_LOST), (280, JournalKind.MAINS_BACK)))
    assert (world.outages[0].cause, world.outages[0].retracted_at) == (Cause.POWER, None)


def test_a_board_that_falls_silent_before_its_journal_came_leaves_the_cause_open() -> None:
    world = home().beat(uptime=100, mains=True).at(300).say(ObservationKind.BIRTH, conn=2)
    world.beat(conn=2, uptime=400, mains=True).at(340)
    assert [row.cause for row in world.outages] == [Cause.PRESUMED, Cause.PRESUMED]


def test_a_journal_that_comes_before_the_heartbeat_is_kept_for_it() -> None:
    world = home().beat(uptime=100, mains=True).at(300).say(ObservationKind.BIRTH, conn=2)
    world.say(ObservationKind.JOURNAL, notes=((5, JournalKind.MAINS_LOST), (280, JournalKind.MAINS_BACK)))
    world.at(300.5).beat(conn=2, uptime=400, mains=True)
    assert world.outages[0].cause is Cause.POWER


def test_a_journal_of_a_lost_network_decides_where_the_board_tells_no_uptime() -> None:
    world = home().beat().at(300).beat(conn=2)
    assert told(world)[-1] == ("power_restored", "presumed", UNSET)
    world.say(ObservationKind.JOURNAL, notes=((3, JournalKind.NET_LOST),))
    assert (world.outages[0].cause, world.outages[0].retracted_at) == (Cause.NETWORK, after(300))


def test_a_birth_without_a_heartbeat_is_explained_by_the_heartbeat_that_follows() -> None:
    world = home().beat(boots=41).at(300).say(ObservationKind.BIRTH, boot="b2").at(302)
    assert told(world)[-1] == ("power_restored", "presumed", UNSET)
    world.beat(boot="b2", boots=42, uptime=60, reset=POWER_ON)
    assert world.outages[0].cause is Cause.POWER
    assert (world.outages[0].ended_lo, world.outages[0].ended_hi) == (after(232), after(242))


def test_a_heartbeat_that_was_slow_dates_the_loss_by_when_it_was_sent() -> None:
    world = home().beat(uptime=100).at(10).beat(uptime=110).at(28).beat(uptime=120)
    world.at(60)
    assert after(20) <= world.outages[0].started_lo < after(20.01)


def test_a_heartbeat_sent_before_the_loss_and_delivered_after_it_restores_nothing() -> None:
    world = home().beat(uptime=100).at(10).beat(uptime=110).at(33)
    assert world.power() is PowerState.OFF
    world.at(34).beat(uptime=120)
    assert world.liveness() is Liveness.LOST
    assert world.events == [("power_lost", "home")]


def test_a_blink_that_misses_no_deadline_is_momentary_and_no_outage() -> None:
    world = home().beat(boots=41).at(9).say(ObservationKind.BIRTH, boot="b2")
    world.beat(boot="b2", boots=42, uptime=3, reset=POWER_ON)
    assert [event.kind for event in world.log] == [EventKind.MOMENTARY]
    row = world.outages[0]
    assert (row.momentary, row.cause, row.started_lo, row.ended_hi) == (True, Cause.POWER, after(0), after(6))
    assert world.power() is PowerState.ON


def test_a_board_restarted_by_its_watchdog_is_no_interruption() -> None:
    world = home().beat(boots=41).at(9).beat(boot="b2", boots=42, uptime=3, reset=WATCHDOG)
    assert world.at(15).log == []
    assert world.outages == []


def test_a_blink_of_one_board_while_another_ran_on_is_none_of_the_site() -> None:
    world = World({"home": ("d1", "d2")}).begin().beat("d1", boots=1).beat("d2", boots=1)
    world.at(9).beat("d1", boot="b2", boots=2, uptime=3, reset=POWER_ON).at(10).beat("d2", boots=1)
    assert world.beats(100, "d2").log == []


def test_a_blink_of_all_boards_is_one_interruption_of_the_site() -> None:
    world = World({"home": ("d1", "d2")}).begin().beat("d1", boots=1).beat("d2", boots=1)
    world.at(9).beat("d1", boot="b2", boots=2, uptime=3, reset=POWER_ON)
    world.at(12).beat("d2", boot="c2", boots=2, uptime=6, reset=POWER_ON)
    assert [event.kind for event in world.log] == [EventKind.MOMENTARY]
    assert (world.outages[0].started_lo, world.outages[0].ended_hi) == (after(0), after(6))


def test_an_outage_shorter_than_the_debounce_is_kept_as_momentary() -> None:
    place = Place(devices={"d1": 1}, confirm_off=timedelta(minutes=5))
    world = World({"home": place}).begin().beat(boots=1).at(100).beat(boot="b2", boots=2, uptime=9, reset=POWER_ON)
    assert [event.kind for event in world.log] == [EventKind.MOMENTARY]


def blind(world: World, since: float, until: float) -> World:
    world.at(since)
    world.fleet.link_down(world.now)
    world.now = after(until)
    return world.see()


def test_an_outage_that_came_and_went_while_we_were_blind_is_reconstructed() -> None:
    world = blind(home().beat(boots=41), 2, 3600)
    world.at(3605).beat(boot="b2", boots=42, uptime=1000, reset=POWER_ON)
    assert [(event.kind.value, event.reconstructed, event.cause) for event in world.log] == [
        ("power_lost", True, Cause.POWER),
        ("power_restored", True, Cause.POWER),
    ]
    row = world.outages[0]
    assert (row.reconstructed, row.momentary) == (True, False)
    assert (row.started_lo, row.started_hi) == (after(0), after(2605))
    assert (row.ended_lo, row.ended_hi) == (after(2595), after(2605))
    assert world.fleet.sites["home"].since == after(2605)


def test_a_site_with_a_board_that_ran_on_had_no_outage_while_we_were_blind() -> None:
    world = World({"home": ("d1", "d2")}).begin().beat("d1", boots=41).beat("d2", uptime=50)
    blind(world, 2, 3600).at(3605).beat("d1", boot="b2", boots=42, uptime=1000, reset=POWER_ON)
    assert world.outages == []
    world.at(3608).beat("d2", uptime=3658)
    assert world.beats(3700, "d2").log == []
    assert world.outages == []


def test_a_reconstruction_waits_for_the_other_boards_but_not_for_ever() -> None:
    world = World({"home": ("d1", "d2")}).begin().beat("d1", boots=41).beat("d2", uptime=50)
    blind(world, 2, 3600).at(3605).beat("d1", boot="b2", boots=42, uptime=1000, reset=POWER_ON)
    world.beats(3700, "d1", boot="b2", boots=42)
    assert world.liveness("d2") is Liveness.LOST
    assert [row.reconstructed for row in world.outages] == [True]


@pytest.mark.parametrize("restarted", [False, True])
def test_a_loss_being_confirmed_as_we_went_blind_is_reconstructed_when_it_is_over(restarted: bool) -> None:
    place = Place(devices={"d1": 1}, confirm_off=timedelta(seconds=60))
    world = World({"home": place}).begin().beat(boots=41).at(30)
    world.fleet.link_down(world.now)
    world.now = after(630)
    world = world.restart() if restarted else world.see()
    world.at(631).beat(boot="b2", boots=42, uptime=31, reset=POWER_ON).beats(700, boot="b2", boots=42)
    assert [(event.kind.value, event.reconstructed) for event in world.log] == [
        ("power_lost", True),
        ("power_restored", True),
    ]
    assert [(row.momentary, row.started_lo, row.ended_hi) for row in world.outages] == [(False, after(0), after(600))]


def test_a_blink_that_waits_for_another_board_waits_through_a_blind_span() -> None:
    """What is looked at meanwhile, as the registry is read again, must not set a moment by which it is heard."""
    world = World({"home": ("d1", "d2")}).begin().beat("d1", boots=1).beat("d2", boots=1)
    world.at(9).beat("d1", boot="b2", boots=2, uptime=3, reset=POWER_ON)
    world.fleet.link_down(world.now)
    world.at(20).register({"home": Place(devices={"d1": 1, "d2": 2})})
    world.now = after(600)
    world.see().at(605).beat("d1", boot="b2", boots=2).beat("d2", boots=1)
    assert world.beats(700, "d2").log == []


def test_a_watchdog_bite_while_we_were_blind_is_nothing() -> None:
    world = blind(home().beat(boots=41), 2, 3600)
    world.at(3605).beat(boot="b2", boots=42, uptime=1000, reset=WATCHDOG)
    assert (world.log, world.outages) == ([], [])


def test_a_short_blink_while_we_were_blind_is_momentary() -> None:
    world = blind(home().beat(boots=41), 2, 9)
    world.at(11).beat(boot="b2", boots=42, uptime=5, reset=POWER_ON)
    assert [event.kind for event in world.log] == [EventKind.MOMENTARY]


def test_the_birth_of_a_board_with_a_battery_is_no_proof_of_power() -> None:
    world = home().beat(mains=True).at(8).say(ObservationKind.BIRTH, conn=2).beat(conn=2, mains=False)
    assert (world.started.occurred_lo, world.started.occurred_hi) == (after(0), after(8))


def test_a_kept_heartbeat_dates_the_last_proof_after_a_blind_span() -> None:
    """Nobody listened, but the broker kept what the board said last."""
    world = blind(home().beat(uptime=100, seq=1), 2, 3600)
    world.beat(uptime=2000, seq=190, retained=True).at(3700)
    assert world.started.occurred_lo == after(1900)


def test_an_outage_before_the_last_may_still_be_confirmed() -> None:
    world = World({"home": ("d1", "d2")}).begin().beat("d1", boots=1).beat("d2", boots=1)
    world.at(60).beat("d1", boot="b2").at(120)
    assert [row.cause for row in world.outages] == [Cause.PRESUMED, Cause.PRESUMED]
    world.beat("d2", boot="c2", boots=3, uptime=1, reset=POWER_ON)
    assert [row.cause for row in world.outages] == [Cause.POWER, Cause.POWER]


def test_what_a_debounce_would_have_kept_quiet_is_not_reconstructed() -> None:
    place = Place(devices={"d1": 1}, confirm_off=timedelta(minutes=10))
    world = blind(World({"home": place}).begin().beat(boots=41), 2, 360)
    world.at(365).beat(boot="b2", boots=42, uptime=20, reset=POWER_ON)
    assert [event.kind for event in world.log] == [EventKind.MOMENTARY]


def test_a_first_heartbeat_that_was_slow_is_corrected_by_the_next() -> None:
    world = home().beat(boots=41).at(300).beat(boot="b2", boots=42, seq=1, uptime=20, reset=POWER_ON)
    assert world.ended.occurred_hi == after(280)
    world.at(305).beat(boot="b2", boots=42, seq=2, uptime=50, reset=POWER_ON)
    assert (world.outages[0].ended_lo, world.outages[0].ended_hi) == (after(245), after(255))
    assert (world.log[-1].id, world.log[-1].change) == (world.ended.id, Change.REFINED)


def test_a_late_word_without_mains_dates_the_return_by_when_it_was_sent() -> None:
    world = (
        home().beat(mains=True, uptime=100).at(10).beat(mains=False, uptime=110).at(23).beat(mains=False, uptime=120)
    )
    world.at(24).beat(mains=True, uptime=124)
    assert after(20) <= world.ended.occurred_lo < after(20.1)


def test_a_birth_said_twice_proves_life_and_not_power() -> None:
    world = home().say(ObservationKind.BIRTH).beat(uptime=100).at(9).say(ObservationKind.BIRTH).at(40)
    assert world.started.occurred_lo == after(0)


def test_a_blind_span_that_a_restart_interrupts_is_one_gap() -> None:
    world = home().beat().at(100)
    world.fleet.link_down(world.now)
    again = World({"home": ("d1",)})
    again.fleet.restore(world.fleet.devices, world.fleet.sites, after(150), None, world.fleet.blind_since)
    again.now = after(200)
    again.begin()
    assert [effect.started_at for effect in again.effects if isinstance(effect, GapSeen)] == [after(100)]


def test_a_board_that_returns_later_joins_the_outage_that_was_reconstructed() -> None:
    world = World({"home": ("d1", "d2")}).begin().beat("d1", boots=1, uptime=100).beat("d2", boots=1, uptime=100)
    blind(world, 5, 13).at(40).beat("d2", boot="c2", boots=2, uptime=0, reset=POWER_ON)
    world.beats(100, "d2", boot="c2", boots=2)
    world.at(101).beat("d1", boot="c1", boots=2, uptime=61, reset=POWER_ON).beats(200, "d1", boot="c1", boots=2)
    assert [(row.reconstructed, sorted(row.members)) for row in world.outages] == [(True, ["d1", "d2"])]
    assert [event.kind.value for event in world.log] == ["power_lost", "power_restored"]


def test_a_board_that_ran_on_takes_a_reconstructed_outage_back() -> None:
    world = World({"home": ("d1", "d2")}).begin().beat("d1", boots=1, uptime=100).beat("d2", boots=1, uptime=100)
    blind(world, 5, 13).at(40).beat("d2", boot="c2", boots=2, uptime=0, reset=POWER_ON)
    world.beats(100, "d2", boot="c2", boots=2).beat("d1", conn=2, uptime=200)
    assert (world.log[-1].change, world.log[-1].cause) == (Change.RETRACTED, Cause.NETWORK)


def test_two_boards_back_one_after_the_other_make_one_interruption() -> None:
    place = Place(devices={"d1": 1, "d2": 1}, confirm_off=timedelta(minutes=5))
    world = World({"home": place}).begin().beat("d1", boots=1).beat("d2", boots=1).at(60)
    world.beat("d1", boot="c1", boots=2, uptime=9, reset=POWER_ON).at(62)
    world.beat("d2", boot="c2", boots=2, uptime=11, reset=POWER_ON).beats(100, "d2", boot="c2", boots=2)
    assert [event.kind for event in world.log] == [EventKind.MOMENTARY]
    assert len(world.outages) == 1


def test_a_span_that_waits_to_be_judged_is_not_forgotten_for_the_next() -> None:
    world = World({"home": ("d1", "d2")}).begin().beat("d1", boots=1).beat("d2", boots=1)
    blind(world, 2, 600).at(605).beat("d1", boot="b2", boots=2, uptime=100, reset=POWER_ON)
    world.at(611).beat("d1", boot="b3", boots=3, uptime=2, reset=POWER_ON)
    world.at(615).beat("d2", boot="c3", boots=3, uptime=6, reset=POWER_ON).beats(700, "d2", boot="c3", boots=3)
    assert [row.reconstructed for row in world.outages][:1] == [True]


def test_who_was_not_heard_since_our_return_may_disprove_an_old_span() -> None:
    world = World({"home": ("d1", "d2")}).begin().beat("d1", boots=1).beat("d2", uptime=50)
    world.at(9).beat("d1", boot="b2", boots=2, uptime=3, reset=POWER_ON)
    blind(world, 9.5, 100).at(101).beat("d1", boot="b2", boots=2, uptime=95)
    assert world.log == []
    assert world.at(103).beat("d2", uptime=153).beats(200, "d1", "d2", boot="b2").log == []


def test_a_return_seen_later_but_earlier_in_time_dates_the_end_anew() -> None:
    world = World({"home": ("d1", "d2")}).begin().beat("d1", boots=1).beat("d2", boots=1)
    world.at(300).beat("d1", boot="b2", boots=2, uptime=20, reset=POWER_ON)
    world.beats(340, "d1", boot="b2", boots=2).beat("d2", boot="c2", boots=2, uptime=70, reset=POWER_ON)
    assert (world.outages[0].ended_lo, world.outages[0].ended_hi) == (after(260), after(270))
    assert world.log[-1].change is Change.REFINED


def test_boards_of_one_house_that_boot_seconds_apart_change_nothing() -> None:
    world = World({"home": ("d1", "d2")}).begin().beat("d1", boots=1).beat("d2", boots=1)
    world.at(300).beat("d1", boot="b2", boots=2, uptime=20, reset=POWER_ON)
    told_before = len(world.log)
    world.at(303).beat("d2", boot="c2", boots=2, uptime=25, reset=POWER_ON)
    assert len(world.log) == told_before


def test_a_journal_we_could_not_have_heard_is_not_missed() -> None:
    world = home().beat(mains=True, uptime=1000).at(16).say(ObservationKind.WILL)
    blind(world, 60, 100).at(105).beat(conn=2, mains=True, uptime=1105)
    world.beats(200, conn=2, mains=True)
    assert told(world)[-1] == ("power_restored", "presumed", UNSET)


def test_a_journal_that_did_not_come_does_not_outweigh_a_board_that_is_certain() -> None:
    world = World({"home": ("d1", "d2")}).begin().beat("d1", boots=1).beat("d2", mains=True, uptime=1000).at(300)
    world.beat("d1", boot="b2", boots=2, uptime=9, reset=POWER_ON)
    world.say(ObservationKind.BIRTH, "d2", conn=2).beat("d2", conn=2, mains=True, uptime=1300)
    world.beats(400, "d2", conn=2, mains=True)
    assert (world.outages[0].cause, world.outages[0].retracted_at) == (Cause.POWER, None)


def test_a_dip_of_a_board_that_is_taken_away_is_nobodys() -> None:
    world = World({"home": ("d1", "d2", "d3")}).begin().beat("d1", boots=1).beat("d2", boots=1).beat("d3")
    blind(world, 2, 100).at(105).beat("d1", boot="b2", boots=2, uptime=40, reset=POWER_ON)
    world.fleet.link_down(world.now)
    world.register({"home": ("d2", "d3")})
    world.now = after(120)
    world.see()
    assert [row.reconstructed for row in world.at(300).outages] == [False]


def test_a_clock_set_forward_makes_no_heartbeat_late() -> None:
    world = home().beat(uptime=100).at(10).beat(uptime=110)
    world.fleet.link_down(world.now, "stall")
    world.now = after(50)
    world.see().beat(uptime=120).at(60).beat(uptime=130).at(100)
    assert world.started.occurred_lo == after(60)
