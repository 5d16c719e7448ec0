"""The core against fleets whose truth is known: it finds what there was, and nothing else."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from itertools import islice
from uuid import UUID

import pytest
from msgspec.structs import replace

from services.detector.core.effects import OutageChanged
from services.detector.core.outage import Outage
from svitlo.contracts import Cause
from tests.support.fleet_simulation.clock import DAY, moment
from tests.support.fleet_simulation.explain import complaint, explain
from tests.support.fleet_simulation.ledger import Ledger
from tests.support.fleet_simulation.profile import DENSE
from tests.support.fleet_simulation.simulation import Simulation
from tests.support.fleet_simulation.spans import Spans
from tests.support.fleet_simulation.truth import Truth

SEEDS = range(1, 7)
GARBLED_SEEDS = range(1, 3)
BRIEF = dataclasses.replace(DENSE, days=0.5)
ALWAYS = Spans([(0, DENSE.days * DAY)])


@pytest.mark.parametrize("seed", SEEDS)
def test_the_core_finds_every_cut_and_invents_none(seed: int) -> None:
    result = Simulation(DENSE, seed).run()
    assert result.score.due > 20
    assert result.score.causes_right > 40
    assert not result.score.violations, complaint(result)


@pytest.mark.parametrize("seed", GARBLED_SEEDS)
def test_no_garbled_network_makes_the_core_contradict_itself(seed: int) -> None:
    ledger = Simulation(BRIEF, seed).run_garbled()
    assert len(ledger.rows) > 20
    assert not ledger.violations, "\n".join(map(str, ledger.violations))


def test_a_core_that_says_nothing_misses_every_cut() -> None:
    score = Simulation(DENSE, 1).score(Ledger(), ALWAYS)
    assert score.missed == score.due > 20
    assert score.recall == 0


def test_an_outage_that_never_was_is_a_false_alarm() -> None:
    simulation, ledger = Simulation(DENSE, 1), Ledger()
    site, start = "site-0", moment(DAY / 24 * 0.5)  # nothing happens in the first hour
    outage = Outage(UUID(int=1), UUID(int=2), start, start, start, cause=Cause.POWER, ended_lo=start, ended_hi=start)
    ledger.take(0.0, [OutageChanged(site, outage)])
    assert simulation.score(ledger, ALWAYS).false_alarms == 1


def test_a_cut_that_is_misdated_or_retracted_is_held_against_the_core() -> None:
    simulation = Simulation(DENSE, 1)
    truth = Truth(simulation.world, simulation.incidents, "site-0")
    cut = next(cut for cut in truth.cuts if cut.length > 60)
    early, late = moment(cut.start - 30), moment(cut.start - 20)
    end = moment(cut.end)
    row = Outage(UUID(int=1), UUID(int=2), early, late, late, cause=Cause.POWER, ended_lo=end, ended_hi=end)
    assert _complaints(simulation, row) == ["it started"]
    gone = replace(row, cause=Cause.NETWORK, retracted_at=end)
    assert _complaints(simulation, gone) == ["a true cut was retracted"]


def _complaints(simulation: Simulation, row: Outage) -> list[str]:
    ledger = Ledger()
    ledger.take(0.0, [OutageChanged("site-0", row)])
    violations = simulation.score(ledger, Spans()).violations
    known = ("it started", "a true cut was retracted")
    return [start for violation in violations for start in known if violation.what.startswith(start)]


def test_the_ledger_holds_contradictions_against_the_core() -> None:
    ledger, at = Ledger(), moment(0)
    later = at + timedelta(seconds=1)
    for number in (1, 2):
        ledger.take(0.0, [OutageChanged("home", Outage(UUID(int=number), UUID(int=9), later, at, later))])
    said = [violation.what for violation in ledger.violations]
    assert said == ["started_lo > started_hi", "started_lo > started_hi", "two outages are open at once"]


def test_a_seed_always_makes_the_same_world() -> None:
    def heard() -> list[object]:
        return [said for chunk in islice(Simulation(DENSE, 1).broadcast().chunks(), 3) for said in chunk]

    assert heard() == heard()


def test_what_is_said_arrives_in_order_and_is_plausible() -> None:
    last, seqs = float("-inf"), dict[tuple[str, str], int]()
    for chunk in Simulation(DENSE, 2).broadcast().chunks():
        for at, observation in chunk:
            assert at >= last
            assert abs((observation.at - moment(at)).total_seconds()) < 1e-5
            last = at
            if observation.seq is not None:
                seqs[observation.device, observation.boot] = observation.seq
    assert len(seqs) > 100


def test_a_chronicle_tells_truth_messages_and_verdicts() -> None:
    simulation = Simulation(BRIEF, 1)
    truths = [Truth(simulation.world, simulation.incidents, f"site-{number}") for number in range(BRIEF.sites)]
    site, cut = next((truth.site, cut) for truth in truths for cut in truth.cuts if cut.length > 300)
    told = explain(1, site, cut.start, BRIEF)
    assert f"truth: cut {cut.start:.3f}" in told
    assert " beat boot " in told
    assert "-> row " in told
