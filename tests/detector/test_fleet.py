"""The rules of detection, told on a made-up clock."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from services.detector.core.dark import Dark
from services.detector.core.device import DeviceState, Liveness
from services.detector.core.effects import GapSeen
from services.detector.core.observation import ObservationKind
from services.detector.core.outage import Outage
from services.detector.core.policy import Policy
from services.detector.core.site import SiteState
from svitlo.contracts import EvidenceKind, PowerState, SiteStateWord
from tests.support.world import POLICY, POWER_ON, World, after, home


def lost(proof: float, evidence: float) -> DeviceState:
    """A device that fell silent."""
    return DeviceState(
        Liveness.LOST,
        "b1",
        conn=1,
        seq=5,
        last_proof_at=after(proof),
        lost_at=after(evidence),
        lost_by=EvidenceKind.TIMEOUT,
        dark=Dark(1, after(proof), after(evidence), boot="b1"),
    )


def test_a_device_never_seen_is_not_off() -> None:
    world = home().at(3600)
    assert world.power() is PowerState.UNKNOWN
    assert world.events == []


def test_the_first_heartbeat_turns_a_site_on_without_an_event() -> None:
    world = home().beat()
    assert world.power() is PowerState.ON
    assert world.events == []


def test_silence_becomes_an_outage_at_interval_x_misses_plus_grace() -> None:
    world = home().beat()
    assert world.at(22.99).events == []
    assert world.at(23).events == [("power_lost", "home")]
    event = world.started
    assert (event.occurred_lo, event.occurred_hi, event.detected_at) == (after(0), after(23), after(23))
    assert [item.kind for item in event.evidence] == [EvidenceKind.TIMEOUT]


def test_a_loss_noticed_late_is_dated_by_its_deadline_not_by_the_moment_of_noticing() -> None:
    world = home().beat()
    world.now = after(40)  # the loop was busy
    world.effects += world.fleet.tick(world.now)
    world.prove()
    event = world.started
    assert (event.occurred_hi, event.detected_at) == (after(23), after(40))


def test_silence_waits_for_an_echo_sent_after_its_deadline() -> None:
    """A broker that stands still silences every board; nobody has noticed yet that it does."""
    world = home().beat().at(22)
    world.echo = False
    assert world.at(24).events == []
    assert world.fleet.wants_proof
    world.fleet.link_down(after(22))
    assert world.at(40).events == []


def test_one_missed_beat_shows_late_and_no_event() -> None:
    world = home().beat().at(13)
    assert world.shown() is SiteStateWord.LATE
    assert world.power() is PowerState.ON
    world.at(20).beat()
    assert world.shown() is SiteStateWord.ON
    assert world.events == []


def test_a_will_counts_after_its_hold_and_dates_the_loss() -> None:
    world = home().beat().at(4).say(ObservationKind.WILL)
    assert world.at(5.9).events == []
    assert world.at(6).events == [("power_lost", "home")]
    event = world.started
    assert (event.occurred_lo, event.occurred_hi, event.detected_at) == (after(0), after(4), after(6))
    assert event.evidence[0].kind is EvidenceKind.LWT


def test_a_will_contradicted_within_its_hold_is_forgotten() -> None:
    world = home().beat().at(4).say(ObservationKind.WILL).at(5).say(ObservationKind.BIRTH, conn=2).beat(conn=2)
    assert world.beats(60, conn=2).events == []
    assert world.power() is PowerState.ON


@pytest.mark.parametrize(("boot", "conn"), [("b0", 7), ("b1", 1)])
def test_a_will_of_an_older_session_never_turns_a_living_device_off(boot: str, conn: int) -> None:
    world = home().beat(boot="b0", conn=7).at(1).beat(boot="b1", conn=1).at(2).beat(boot="b1", conn=2)
    world.at(3).say(ObservationKind.WILL, boot=boot, conn=conn)
    world.at(7)
    assert world.liveness() is Liveness.ONLINE
    assert world.fleet.tally.stale_wills == 1


def test_a_retained_will_says_nothing() -> None:
    world = home().beat().at(1).say(ObservationKind.WILL, retained=True).at(10)
    assert world.events == []


def test_a_retained_heartbeat_is_no_proof_of_life() -> None:
    world = home().beat().at(20).beat(seq=99, retained=True)
    assert world.at(23).events == [("power_lost", "home")]


def test_the_wills_of_a_broker_told_to_stop_are_forgotten_with_the_link() -> None:
    world = World({"home": ("d1", "d2")}).begin().beat("d1").beat("d2").at(5)
    world.say(ObservationKind.WILL, "d1").say(ObservationKind.WILL, "d2").at(5.01)
    world.fleet.link_down(world.now)
    world.at(12).see()
    world.say(ObservationKind.WILL, "d1", retained=True).say(ObservationKind.WILL, "d2", retained=True)
    world.at(40).beat("d1", conn=2).at(50).beat("d2", conn=2)
    assert world.beats(200, "d1", "d2", conn=2).events == []


def test_a_will_waits_for_an_echo_sent_after_it_however_long_the_broker_takes_to_stop() -> None:
    """A broker told to stop has published all wills, and our socket stays open while it saves to a slow disk."""
    world = World({"home": ("d1", "d2")}).begin().beat("d1").beat("d2").at(5)
    world.echo = False
    world.say(ObservationKind.WILL, "d1").say(ObservationKind.WILL, "d2").at(9)
    assert world.events == []
    world.fleet.link_down(world.now)
    assert world.at(20).events == []


def test_a_will_counts_once_the_late_echo_is_back() -> None:
    world = home().beat().at(4)
    world.echo = False
    assert world.say(ObservationKind.WILL).at(8).events == []
    world.echo = True
    assert world.at(8.1).events == [("power_lost", "home")]
    assert world.started.occurred_hi == after(4)


def test_the_wills_a_broker_publishes_on_waking_are_not_believed_while_boards_are_on_their_way_back() -> None:
    """It stood still, the boards gave it up, and it finds their broken connections before they are back."""
    world = home().beat().beats(60)
    world.fleet.link_down(after(60))
    world.now = after(72)
    world.see().say(ObservationKind.WILL).at(76)
    assert world.events == []
    world.at(100).beat(conn=2)
    assert world.beats(200, conn=2).events == []


def test_after_a_blind_span_the_will_of_a_session_that_began_under_our_eyes_counts() -> None:
    world = home().beat().at(5)
    world.fleet.link_down(world.now)
    world.now = after(10)
    world.see().at(12).say(ObservationKind.BIRTH, conn=2).beat(conn=2).at(14).say(ObservationKind.WILL, conn=2)
    assert world.at(16).events == [("power_lost", "home")]


def test_what_was_on_its_way_while_we_stood_still_is_no_proof_at_its_reading() -> None:
    world = home().beat().at(10).beat()
    world.echo = False
    world.fleet.link_down(after(10), "stall")
    world.now = after(40)
    world.see().beat().beat()  # read now, sent long ago; then the board died
    world.echo = True
    world.at(41).at(200)
    assert world.started.occurred_lo == after(10)


def test_a_clock_set_back_by_an_hour_delays_nothing() -> None:
    world = home().beats(3600)
    world.fleet.link_down(world.now, "clock")
    world.now = after(0)
    world.fleet.rewind(world.now)
    world.see().at(10).beat().at(20).beat()
    assert world.at(43).events == [("power_lost", "home")]
    assert world.started.occurred_lo == after(20)
    world.beat(boot="b2", uptime=2)
    assert world.events[-1] == ("power_restored", "home")


def test_taking_away_the_living_board_of_a_site_with_a_dead_one_is_no_outage() -> None:
    world = World({"home": ("d1", "d2")}).begin().beat("d1").beats(7200, "d2")
    world.register({"home": ("d1",)})
    assert world.power() is PowerState.UNKNOWN
    assert world.at(9000).events == []
    world.beat("d1", boot="b2")
    assert world.power() is PowerState.ON
    assert world.events == []


def test_a_new_site_given_a_dead_board_is_unknown_until_it_speaks() -> None:
    world = home().beat().at(100)
    assert world.events == [("power_lost", "home")]
    world.register({"home": ("d1",), "shed": ("d1",)})
    assert world.at(200).power("shed") is PowerState.UNKNOWN
    assert world.events == [("power_lost", "home")]


def test_an_old_retained_message_never_makes_a_living_board_a_stranger() -> None:
    world = home().beat(boot="b1").at(5).beat(boot="b2")
    world.fleet.link_down(world.now)
    world.now = after(9)
    world.see().beat(boot="b0", retained=True, seq=9).say(ObservationKind.BIRTH, boot="b0", retained=True)
    assert world.beats(200, boot="b2").events == []
    assert world.liveness() is Liveness.ONLINE


def test_a_retained_word_of_the_previous_boot_does_not_silence_the_next() -> None:
    world = home().beat(boot="b1").at(5).beat(boot="b2").at(6).beat(boot="b1")
    assert world.beats(100, boot="b1").events == []


def test_nothing_is_decided_while_we_are_blind() -> None:
    world = World({"home": ("d1",)})
    dead = lost(-60, -37)
    world.fleet.restore({"d1": dead}, {"home": SiteState(PowerState.ON, SiteStateWord.ON, after(-600))}, after(-5))
    world.register()
    assert world.at(30).events == []


def test_a_debounce_does_not_run_out_while_we_are_blind() -> None:
    patient = Policy(**{**vars(POLICY), "confirm_off": timedelta(seconds=30)})
    world = World({"home": ("d1",)}, patient).begin().beat().at(25)
    world.fleet.link_down(world.now)
    assert world.at(100).events == []


def test_a_board_on_its_battery_that_reconnects_has_no_mains_yet() -> None:
    world = home().beat(mains=True).at(5).say(ObservationKind.MAINS_LOST).at(20).say(ObservationKind.BIRTH, conn=2)
    assert world.at(25).events == [("power_lost", "home")]
    world.beat(conn=2, mains=False).at(30).beat(conn=2, mains=True)
    assert world.events == [("power_lost", "home"), ("power_restored", "home")]


def test_while_we_are_blind_nothing_times_out() -> None:
    world = home().beat().at(5)
    world.fleet.link_down(world.now)
    assert world.at(3600).events == []


def test_a_board_that_died_while_we_were_blind_is_found_after_our_return() -> None:
    world = home().beat().at(5)
    world.fleet.link_down(world.now)
    world.at(100).see()
    assert world.at(144.9).events == []
    assert world.at(145).events == [("power_lost", "home")]
    event = world.started
    assert (event.occurred_lo, event.occurred_hi) == (after(0), after(145))
    assert [effect for effect in world.effects if isinstance(effect, GapSeen)] == [
        GapSeen(after(5), after(100), "link")
    ]


def test_a_restart_holds_the_verdict_until_the_living_board_has_spoken() -> None:
    """One dead board, one living: the living one's silence since our start must not count as its death."""
    world = World({"home": ("d1", "d2")})
    alive = DeviceState(Liveness.ONLINE, "b1", conn=1, seq=5, last_proof_at=after(-20))
    dead = lost(-500, -477)
    world.fleet.restore({"d1": alive, "d2": dead}, {"home": SiteState(PowerState.ON, SiteStateWord.ON)}, after(-15))
    world.begin().at(9).beat("d1", seq=6)
    assert world.beats(100, "d1").events == []


def test_a_restart_in_the_middle_of_an_outage_neither_repeats_nor_ends_it() -> None:
    world = World({"home": ("d1",)})
    dead = lost(-60, -37)
    assert dead.dark is not None
    outage = Outage(UUID(int=77), UUID(int=78), after(-60), after(-37), after(-37), members={"d1": dead.dark})
    off = SiteState(PowerState.OFF, SiteStateWord.OFF, after(-60), outage=outage, accounted={"d1": 1})
    world.fleet.restore({"d1": dead}, {"home": off}, after(-5))
    world.begin().at(600)
    assert world.events == []
    world.beat(boot="b2", uptime=4)
    assert world.events == [("power_restored", "home")]
    assert world.ended.outage_id == UUID(int=77)


def test_a_rebooted_board_dates_the_return_by_its_uptime() -> None:
    world = home().beat().at(23).at(300)
    world.say(ObservationKind.BIRTH, boot="b2").at(300.2).beat(boot="b2", uptime=8, reset=POWER_ON)
    event = world.ended
    assert event.occurred_hi == after(292.2)
    assert event.occurred_lo == after(282.2)
    assert world.ended.outage_id == world.started.outage_id


def test_a_board_that_never_rebooted_bounds_the_return_by_what_we_saw() -> None:
    world = home().beat().at(100).beat(conn=2)
    event = world.ended
    assert (event.occurred_lo, event.occurred_hi) == (after(0), after(100))


def test_a_birth_without_a_heartbeat_restores_after_its_hold() -> None:
    world = home().beat().at(60).say(ObservationKind.BIRTH, boot="b2")
    assert world.events == [("power_lost", "home")]
    assert world.at(61).events == [("power_lost", "home"), ("power_restored", "home")]
    assert world.ended.evidence[0].kind is EvidenceKind.BIRTH


def test_a_goodbye_is_no_outage_until_its_limit() -> None:
    world = home().beat().at(5).say(ObservationKind.GOODBYE)
    assert world.power() is PowerState.UNKNOWN
    assert world.at(3604).events == []
    assert world.at(3605).events == [("power_lost", "home")]


def test_a_goodbye_followed_by_a_return_makes_no_event() -> None:
    world = home().beat().at(5).say(ObservationKind.GOODBYE).at(600).say(ObservationKind.BIRTH, boot="b2")
    assert world.beat(boot="b2", uptime=3).events == []
    assert world.power() is PowerState.ON


def test_a_goodbye_kept_by_the_broker_while_we_were_away_excuses_silence() -> None:
    world = World({"home": ("d1",)})
    alive = DeviceState(Liveness.ONLINE, "b1", conn=1, seq=5, last_proof_at=after(-20))
    world.fleet.restore({"d1": alive}, {"home": SiteState(PowerState.ON, SiteStateWord.ON)}, after(-15))
    world.begin().say(ObservationKind.GOODBYE, retained=True)
    assert world.at(1000).events == []


def test_one_living_device_proves_power_for_its_site() -> None:
    world = World({"home": ("d1", "d2")}).begin().beat("d1").beat("d2")
    world.beats(100, "d2")
    assert world.liveness("d1") is Liveness.LOST
    assert world.events == []
    assert world.fleet.tally_of("home").alive == 1


def test_a_site_goes_off_with_its_last_device_and_is_dated_by_the_last_proof_of_any() -> None:
    world = World({"home": ("d1", "d2")}).begin().beat("d1").at(4).beat("d2")
    world.at(60)
    event = world.started
    assert (event.occurred_lo, event.occurred_hi, event.detected_at) == (after(4), after(27), after(27))


def test_one_device_may_stand_for_several_sites() -> None:
    world = World({"east": ("d1",), "west": ("d1",)}).begin().beat().at(23)
    assert world.events == [("power_lost", "east"), ("power_lost", "west")]
    world.beat(boot="b2", uptime=1)
    assert world.events[2:] == [("power_restored", "east"), ("power_restored", "west")]


def test_a_duplicate_or_overtaken_beat_proves_nothing() -> None:
    world = home().beat(seq=5).at(15).beat(seq=5).at(16).beat(seq=4)
    assert world.at(23).events == [("power_lost", "home")]


def test_debounce_waits_and_forgets() -> None:
    patient = Policy(**{**vars(POLICY), "confirm_off": timedelta(seconds=30)})
    world = World({"home": ("d1",)}, patient).begin().beat().at(50).beat(conn=2)
    assert world.events == []
    assert world.beats(60, conn=2).at(112.9).events == []
    assert world.at(113).events == [("power_lost", "home")]
    assert world.started.occurred_hi == after(83)


def test_mains_lost_is_off_at_once_while_the_board_talks_on() -> None:
    world = home().beat(mains=True).at(5).say(ObservationKind.MAINS_LOST)
    assert world.events == [("power_lost", "home")]
    world.beats(60, mains=False)
    assert world.events == [("power_lost", "home")]
    world.at(70).beat(mains=True)
    assert world.events == [("power_lost", "home"), ("power_restored", "home")]


def test_a_device_taken_away_makes_its_site_unknown_without_an_event() -> None:
    world = home().beat().at(5)
    world.register({"home": ()})
    assert world.power() is PowerState.UNKNOWN
    assert world.at(600).events == []


def test_an_unknown_device_is_counted_and_ignored() -> None:
    world = home().beat("stranger")
    assert world.fleet.tally.unknown_device == 1
    assert "stranger" not in world.fleet.devices


def test_a_board_heard_after_our_return_is_missed_as_fast_as_ever() -> None:
    world = home().beat().at(5)
    world.fleet.link_down(world.now)
    world.now = after(100)
    world.see().at(102).beat()
    assert world.at(124.9).events == []
    assert world.at(125.1).events == [("power_lost", "home")]
