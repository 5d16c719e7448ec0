"""`svitlo replay`: what would have been reported under another policy, beside what was."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from svitlo.cli.context import AsJson, DataDir, show_json, show_table, target
from svitlo.cli.maintenance import parse_length, parse_moment
from svitlo.clock import utc_now
from svitlo.errors import UserError
from svitlo.settings import Policy, load_settings

if TYPE_CHECKING:
    from services.detector.core.place import Rule
    from services.detector.replay import Replay, Request
    from services.detector.replay_comparison import Comparison, Line
    from services.detector.replay_store import Reported

COLUMNS = ("site", "", "from", "to", "lasted", "cause", "found after", "differs")


def replay(
    since: Annotated[
        str, typer.Option("--from", help="'2026-11-20 09:00' (local time), with an offset, or back from now: -7d.")
    ],
    until: Annotated[str, typer.Option("--to", help="Until when, written the same way, or: now.")] = "now",
    site: Annotated[
        list[str] | None, typer.Option("--site", help="Only this site and those under it. May be repeated.")
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option("--policy", metavar="NAME=VALUE", help="Another setting of detection. May be repeated."),
    ] = None,
    rule: Annotated[
        list[str] | None,
        typer.Option("--rule", metavar="RULE", help="Another rule: any, all, majority or k:N; SITE=RULE for one site."),
    ] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Replay recorded readings under another policy, beside what was reported."""
    from services.detector import replay as engine
    from services.detector.replay_comparison import compare

    settings, now = load_settings(), utc_now()
    zone = ZoneInfo(settings.timezone)
    span = parse_time(since, zone, now), min(parse_time(until, zone, now), now)
    if span[0] >= span[1]:
        raise UserError("that time is empty or still to come; --from must be before --to and before now")
    request = engine.Request(
        *span,
        sites=tuple(dict.fromkeys(site or ())),
        policy=parse_policy(policy or ()),
        rules=dict(parse_rule(given) for given in rule or ()),
    )
    url = target(data_dir).database_url
    try:
        with _progress(request, quiet=as_json) as progress:
            done = asyncio.run(engine.replay(url, settings.policy, request, now, progress))
    except engine.NoReadingsError as error:
        raise UserError(_nothing(error.kept, zone)) from error
    found = compare(done)
    if as_json:
        show_json(_plain(done, found))
        return
    _show(done, found, zone)


def parse_time(text: str, zone: ZoneInfo, now: datetime) -> datetime:
    """A moment in UTC: as `maintenance add` takes it, or a length back from now, such as -7d. Raises `UserError`."""
    if text.startswith("-"):
        return now - parse_length(text[1:])
    return parse_moment(text, zone, now).astimezone(UTC)


def parse_policy(given: Sequence[str]) -> dict[str, int | float]:
    """Settings of detection by name, as `misses=3`. Raises `UserError`."""
    from pydantic import ValidationError

    values: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or name not in Policy.model_fields:
            known = ", ".join(Policy.model_fields)
            raise UserError(f"--policy {text}: write NAME=VALUE, with one of {known}")
        values[name] = value
    try:
        checked = Policy(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise UserError(f"--policy {name}={values.get(name)}: {first['msg'].lower()}") from error
    return {name: getattr(checked, name) for name in values}


def parse_rule(text: str) -> tuple[str | None, tuple[Rule, int]]:
    """A rule and the site it is for, None for all. Raises `UserError`."""
    from services.detector.core.place import Rule

    found = re.fullmatch(r"(?:(?P<site>[a-z0-9-]+)=)?(?:(?P<word>any|all|majority)|k:(?P<k>[1-9]\d{0,5}))", text)
    if found is None:
        raise UserError(f"--rule {text}: write any, all, majority or k:N; for one site alone SITE=any, and so on")
    return found["site"], (Rule(found["word"] or "k"), int(found["k"] or 1))


def shown_length(seconds: float) -> str:
    """A length of time in its two greatest units."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    left, parts = round(seconds), []
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        number, left = divmod(left, size)
        parts.append((number, unit))
    first = next(at for at, (number, _) in enumerate(parts) if number)
    return " ".join(f"{number} {unit}" for number, unit in parts[first : first + 2] if number)


@contextmanager
def _progress(request: Request, *, quiet: bool) -> Iterator[Callable[[datetime], None]]:
    """A line at the terminal that says how far the replay has come."""
    from rich.console import Console

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda _: None
        return
    length = request.until - request.since
    with console.status("Replaying") as status:
        yield lambda at: status.update(f"Replaying: {min(max((at - request.since) / length, 0), 1):.0%}")


def _nothing(kept: tuple[datetime, datetime] | None, zone: ZoneInfo) -> str:
    if kept is None:
        return "there are no readings of these places at all"
    first, last = (f"{moment.astimezone(zone):%Y-%m-%d %H:%M}" for moment in kept)
    return f"there are no readings in that time; those of these places go from {first} to {last} ({zone.key})"


def _show(done: Replay, found: Comparison, zone: ZoneInfo) -> None:
    rows = [row for line in found.lines for row in _rows(line, done, zone)]
    show_table("Outages, as reported and as they would be", COLUMNS, rows, "No outage then, and none now.")
    sums = [(name, _shown(then), _shown(now)) for name, then, now in _sums(found)]
    show_table("In numbers", ("", "then", "now"), sums, "")
    for note in _notes(done, found, zone):
        typer.echo(note)


def _rows(line: Line, done: Replay, zone: ZoneInfo) -> Iterator[tuple[str, ...]]:
    """One row for an outage that is the same or stands alone, two for one that differs."""
    site, verdict = line.either.site, line.verdict.value
    if line.then is not None and line.now is not None and line.differs:
        yield (site, "then", *_cells(line.then, line.told_then, done, zone), "")
        yield ("", "now", *_cells(line.now, line.told_now, done, zone), ", ".join(line.differs))
    else:
        yield (site, verdict, *_cells(line.either, line.told_then or line.told_now, done, zone), "")


def _cells(outage: Reported, told: bool, done: Replay, zone: ZoneInfo) -> tuple[str, ...]:
    kinds = [name for name in ("momentary", "reconstructed", "maintenance") if getattr(outage, name)]
    kinds += ["retracted"] if outage.retracted_at is not None else []
    found_after = shown_length((outage.detected_at - outage.started_lo).total_seconds()) + (
        "" if told else ", not told"
    )
    start, end = outage.started_lo, outage.ended_hi
    return (
        _shown_time(start, done.since, zone),
        _shown_time(end, start, zone) if end is not None else "",
        shown_length((end - start).total_seconds()) if end is not None else "still off",
        ", ".join([outage.cause.value, *kinds]),
        found_after if start >= done.begin else "",  # how the others were found is not known here
    )


def _shown_time(moment: datetime, after: datetime, zone: ZoneInfo) -> str:
    """To the nearest second, so that two that are close look alike; with the day if it is not that of `after`."""
    at = (moment + timedelta(seconds=0.5)).astimezone(zone)
    return f"{at:%H:%M:%S}" if at.date() == after.astimezone(zone).date() else f"{at:%m-%d %H:%M:%S}"


def _sums(found: Comparison) -> list[tuple[str, Any, Any]]:
    """Names and numbers of both sides."""
    names = {
        "outages": "outages",
        "retracted": "of them retracted (there was power)",
        "reconstructed": "of them found afterwards",
        "momentary": "momentary interruptions",
        "alerts": "alerts told",
        "median_delay_s": "found after (median)",
        "worst_delay_s": "found after (worst)",
    }
    rows = [(shown, getattr(found.then, name), getattr(found.now, name)) for name, shown in names.items()]
    return [*rows, ("times told as unstable", len(found.then.unstable), len(found.now.unstable))]


def _shown(value: float | None) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else shown_length(value)


def _notes(done: Replay, found: Comparison, zone: ZoneInfo) -> Iterator[str]:
    """What else is to be known, a line each."""

    def at(moment: datetime) -> str:
        return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}"

    request = done.request
    yield (
        f"Replayed {done.readings:,} readings of {done.devices:,} boards at {done.sites:,} places, "
        f"{done.readings / done.seconds:,.0f} a second, for {at(done.since)} to {at(done.until)} ({zone.key})."
    )
    if done.since > request.since:
        yield f"The readings go back to {at(done.since)} and no further; what was before is left out on both sides."
    changed = [
        f"{name} {value:g} (in force: {getattr(done.in_force, name):g})" for name, value in request.policy.items()
    ]
    changed += [
        f"rule {rule.value}{f':{k}' if rule.value == 'k' else ''} at {site or 'every site'}"
        for site, (rule, k) in request.rules.items()
    ]
    yield f"Tried: {', '.join(changed)}." if changed else "The policy in force, nothing changed."
    yield "Places, their boards, rules and maintenance are those of today."
    for name, sums in (("Then", found.then), ("Now", found.now)):
        for each in sums.unstable:
            yield f"{name}: {each.site} told as unstable, {each.changes} changes {at(each.since)} to {at(each.until)}."
    if done.gaps:
        blind = sum(((gap.ended_at - gap.started_at) for gap in done.gaps), timedelta(0)).total_seconds()
        times = "once" if len(done.gaps) == 1 else f"{len(done.gaps)} times"
        yield f"The detector was blind {times}, {shown_length(blind)} in all; so it is in the replay."
    for start, end in done.holes:
        yield f"No board was heard from {at(start)} to {at(end)}: was ingest away? Then no outage of that time is real."
    if done.passed_over:
        boards = ", ".join(sorted(done.passed_over)[:5]) + (", ..." if len(done.passed_over) > 5 else "")
        number = sum(done.passed_over.values())
        yield f"Passed over: {number:,} readings of boards that stand for no place ({boards})."
    if request.sites:
        yield "Only boards of these sites were replayed: alerts did not wait for others that vanished with them."
    if done.own_times and not {"confirm_off_s", "confirm_on_s"}.isdisjoint(request.policy):
        yield f"Sites with confirmation times of their own kept them: {', '.join(done.own_times)}."


def _plain(done: Replay, found: Comparison) -> Any:
    """All of it for programs."""
    from msgspec import structs, to_builtins

    def outage(each: Reported | None, told: bool) -> dict[str, Any] | None:
        if each is None:
            return None
        delay_s = (each.detected_at - each.started_lo).total_seconds()
        return structs.asdict(each) | {"told": told, "delay_s": delay_s}

    return to_builtins(
        {
            "from": done.since,
            "to": done.until,
            "policy": done.policy.model_dump(),
            "in_force": done.in_force.model_dump(),
            "rules": [
                {"site": site, "rule": rule, "k": k if rule.value == "k" else None}
                for site, (rule, k) in done.request.rules.items()
            ],
            "outages": [
                {
                    "site": line.either.site,
                    "verdict": line.verdict,
                    "differs": line.differs,
                    "then": outage(line.then, line.told_then),
                    "now": outage(line.now, line.told_now),
                }
                for line in found.lines
            ],
            "then": found.then,
            "now": found.now,
            "readings": done.readings,
            "seconds": round(done.seconds, 3),
            "sites": done.sites,
            "devices": done.devices,
            "gaps": [gap._asdict() for gap in done.gaps],
            "holes": [{"started_at": start, "ended_at": end} for start, end in done.holes],
            "passed_over": dict(done.passed_over),
            "own_times": done.own_times,
        }
    )
