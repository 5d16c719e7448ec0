"""All that there is to know about one site round a moment: the truth, the messages, and what the core made of them."""

from __future__ import annotations

from collections.abc import Sequence

from services.detector.core.effects import DeviceChanged, Effect, EventLogged, GapSeen, OutageChanged, SiteChanged
from services.detector.core.observation import Observation, ObservationKind
from tests.support.fleet_simulation.clock import seconds
from tests.support.fleet_simulation.profile import DENSE, Profile
from tests.support.fleet_simulation.simulation import Result, Simulation
from tests.support.fleet_simulation.spans import Span
from tests.support.fleet_simulation.truth import Truth

BEFORE_S = 300.0
AFTER_S = 600.0


def explain(
    seed: int, site: str, around: float, profile: Profile = DENSE, before: float = BEFORE_S, after: float = AFTER_S
) -> str:
    """A chronicle of `site` from `before` to `after` seconds round a moment (seconds since the start)."""
    simulation = Simulation(profile, seed)
    window = Span(around - before, around + after)
    place = simulation.world.places[site]
    truth = Truth(simulation.world, simulation.incidents, site)
    lines = [f"seed {seed}, {site}: rule {place.rule}, k {place.k}, weights {place.devices}"]
    lines += [f"  {board}" for board in truth.boards]
    lines += [f"  truth: cut {_range(cut)}" for cut in truth.cuts.within(*window)]
    lines += [f"  truth: {each.kind} {_range(each.span)}, recovery included" for each in truth.during(window)]
    lines += [
        f"  blind: {each.trouble} {_range(each.span)}, felt after {each.lag_s:.4f} s"
        for each in (*simulation.troubles.broker, *simulation.troubles.ours)
        if each.span.overlaps(window)
    ]
    chronicle = _Chronicle(site, set(place.devices), window)
    simulation.run(chronicle.witness)
    return "\n".join([*lines, *chronicle.lines])


def complaint(result: Result) -> str:
    """All violations of a run, and the chronicle of the first."""
    violations = result.score.violations
    if not violations:
        return "nothing to complain about"
    first = violations[0]
    listed = "\n".join(f"seed {result.seed}: {violation}" for violation in violations)
    return f"{listed}\n\n{explain(result.seed, first.site, first.at, result.profile)}"


def _range(span: Span) -> str:
    return f"{span.start:.3f} to {span.end:.3f} ({span.length:.1f} s)"


class _Chronicle:
    def __init__(self, site: str, boards: set[str], window: Span) -> None:
        self.lines: list[str] = []
        self._site = site
        self._boards = boards
        self._window = window
        self._heard: dict[str, tuple[float, str]] = {}

    def witness(self, at: float, what: str, subject: object) -> None:
        """Note what concerns the site; echoes and ticks are passed over, of idle heartbeats all but a board's last."""
        if not self._window.start <= at < self._window.end:
            return
        if isinstance(subject, Observation):
            if subject.device in self._boards and subject.kind is ObservationKind.BEAT and not subject.retained:
                self._heard[subject.device] = at, _message(subject)
            elif subject.device in self._boards:
                self._note(at, _message(subject))
        elif what == "effects":
            assert isinstance(subject, Sequence)
            for effect in subject:
                if (said := self._effect(effect)) is not None:
                    self._note(at, f"    -> {said}")
        elif what not in ("tick", "echo"):
            self._note(at, f"-- {what}")

    def _note(self, at: float, line: str) -> None:
        for moment, heard in sorted(self._heard.values()):
            self.lines.append(f"{moment:12.3f} {heard}")
        self._heard.clear()
        self.lines.append(f"{at:12.3f} {line}")

    def _effect(self, effect: Effect) -> str | None:
        match effect:
            case DeviceChanged() if effect.device in self._boards:
                state = effect.state
                return f"{effect.device} {state.liveness} (lost by {state.lost_by}); dark: {_times(state.dark)}"
            case SiteChanged() if effect.site == self._site:
                return f"site {effect.state.power}, shown {effect.state.state}"
            case OutageChanged() if effect.site == self._site:
                return f"row {_times(effect.outage)}"
            case EventLogged() if effect.site == self._site:
                return f"log {_times(effect.event)}"
            case GapSeen():
                return f"gap {seconds(effect.started_at):.3f} to {seconds(effect.ended_at):.3f} ({effect.reason})"
        return None


def _message(message: Observation) -> str:
    told = f"{message.device} {message.kind} boot {message.boot}/{message.conn}"
    if message.kind is ObservationKind.BEAT:
        told += f" seq {message.seq} up {message.uptime_s} boots {message.boots} {message.reset} mains {message.mains}"
    return told + (" (retained)" if message.retained else "")


def _times(thing: object) -> str:
    """The fields that say something, moments as seconds since the start."""
    fields = getattr(thing, "__struct_fields__", ())
    told = []
    for name in fields:
        value = getattr(thing, name)
        if value is None or value is False or name in ("members", "evidence", "v", "site"):
            continue
        if name == "id" or name.endswith("_id"):
            value = value.int
        told.append(f"{name} {seconds(value):.3f}" if hasattr(value, "astimezone") else f"{name} {value}")
    return ", ".join(told) or "nothing"
