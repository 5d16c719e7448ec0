"""The pure core on two simulated weeks of 300 boards whose truth is known: what it finds, misses and invents."""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from bench.figure import Bar, Figure, Sense, percentile
from tests.support.fleet_simulation.profile import WEEK
from tests.support.fleet_simulation.score import Score
from tests.support.fleet_simulation.simulation import Result, Simulation

SEEDS = (1, 2)
"""A week each, both at once on two cores."""


def measure() -> list[Figure]:
    """Six million observations; every wrong word about them is counted."""
    began = time.monotonic()
    with ProcessPoolExecutor(max_workers=len(SEEDS), mp_context=get_context("spawn")) as workers:
        results = list(workers.map(_week, SEEDS))
    took = time.monotonic() - began
    score = Score()
    for result in results:
        score.merge(result.score)
    observations = sum(result.observations for result in results)
    return [
        Figure(
            "observations",
            observations,
            "",
            Bar(Sense.ABOVE, 5e6),
            f"{WEEK.boards} boards at {WEEK.sites} sites, {len(SEEDS)} weeks, seeds {', '.join(map(str, SEEDS))}",
        ),
        Figure("rate", observations / took, "observations/s", note="making them, hearing them and judging, two cores"),
        *_verdict(score, results),
        *_errors(score),
    ]


def _week(seed: int) -> Result:
    return Simulation(WEEK, seed).run()


def _verdict(score: Score, results: list[Result]) -> list[Figure]:
    none = Bar(Sense.BELOW, 1)
    wrong = [f"seed {result.seed}: {violation}" for result in results for violation in result.score.violations]
    undecided = f"{len(score.undecided)} more that no evidence could tell from a cut" if score.undecided else ""
    passing = ", ".join(f"{count} {cause}" for cause, count in sorted(score.passing.items()))
    return [
        Figure(
            "recall", 100 * score.recall, "%", note=f"of {score.due} cuts long enough; all {score.cuts}: {score.found}"
        ),
        Figure("missed cuts", score.missed, "", none),
        Figure("false alarms", score.false_alarms, "", none, undecided),
        Figure("cause accuracy", 100 * score.cause_accuracy, "%", note=f"{score.causes_right} right"),
        Figure("wrong causes", score.causes_wrong, "", none, f"{score.causes_open} left open by the evidence"),
        Figure("alarms taken back", sum(score.passing.values()), "", note=f"rightly: {passing}"),
        Figure("interruptions", score.momentary, "", note="too short to miss a deadline"),
        Figure("reconstructed", score.reconstructed, "", note="outages that came and went while we were blind"),
        Figure("violations", len(wrong), "", none, "; ".join(wrong[:3])),
    ]


def _errors(score: Score) -> list[Figure]:
    figures = []
    for name, errors in (
        ("start error", score.start_errors),
        ("end error", score.end_errors),
        ("time to notice", score.delays),
    ):
        p50, p99 = percentile(errors, 0.5), percentile(errors, 0.99)
        figures.append(Figure(f"{name}, p50", p50, "s", note=f"p99 {p99:.1f} s, max {max(errors):.1f} s"))
    return figures
