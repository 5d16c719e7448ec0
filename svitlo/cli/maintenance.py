"""`svitlo maintenance`: planned work, whose outages are expected."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from svitlo.cli.context import AsJson, DataDir, show_json, show_table, shown_command, target, with_session
from svitlo.clock import utc_now
from svitlo.errors import UserError
from svitlo.settings import load_settings

if TYPE_CHECKING:
    from svitlo.maintenance import Span, Window

app = typer.Typer(help="Maintenance: planned work, whose outages are expected.", no_args_is_help=True)

_LENGTH = re.compile(
    r"(?:(?P<days>\d{1,6})d)?(?:(?P<hours>\d{1,6})h)?(?:(?P<minutes>\d{1,6})m)?(?:(?P<seconds>\d{1,8})s)?"
)


@app.command()
def add(
    site: Annotated[str, typer.Argument(metavar="SITE", help="Where the work is.")],
    begin: Annotated[
        str, typer.Option("--from", help="'2026-11-24 09:00' (the zone's time), with an offset, or: now.")
    ],
    length: Annotated[str | None, typer.Option("--for", help="How long it lasts: 2h, 90m, 1d12h.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="When it ends, instead of --for.")] = None,
    every: Annotated[
        str | None, typer.Option("--every", help="Repeat it: daily, weekly, monthly, or a rule (RFC 5545).")
    ] = None,
    only_this_site: Annotated[
        bool, typer.Option("--only-this-site", help="Leave out the sites that belong to it.")
    ] = False,
    reason: Annotated[str | None, typer.Option("--reason", help="What is done, for people.")] = None,
    zone: Annotated[
        str | None, typer.Option("--zone", help="Whose local time is meant; SVITLO_TIMEZONE if not given.")
    ] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Plan maintenance of a site, once or again and again."""
    from svitlo import registry
    from svitlo.maintenance import find_zone

    clock = find_zone(zone or load_settings().timezone)
    now = utc_now().replace(microsecond=0)
    starts_at = parse_moment(begin, clock, now)
    if (length is None) == (end is None):
        raise UserError("say how long it lasts, either --for 2h or --to '2026-11-24 11:00'")
    lasts = parse_length(length) if length is not None else parse_moment(str(end), clock, now) - starts_at
    if end is not None and lasts <= timedelta(0):
        raise UserError("it ends before it begins; --to must be later than --from")

    async def work(session: Any) -> Window:
        window = await registry.add_window(
            session,
            site,
            starts_at=starts_at,
            duration_s=int(lasts.total_seconds()),
            zone=clock.key,
            rrule=every,
            reason=reason,
            subtree=not only_this_site,
        )
        if _next(window, now) is None:
            raise UserError("that time is over already; plan one that is still to come")
        return window

    window = with_session(target(data_dir), work)
    span = _next(window, now)
    if as_json:
        show_json(_plain(window, span, now))
        return
    where = f"{site} and all under it" if window.subtree else f"{site} alone"
    repeated = f", repeated: {window.rrule}" if window.rrule else ""
    typer.echo(f"Planned maintenance {window.id} of {where}: {_shown(window, span)}{repeated}")


@app.command("list")
def list_(
    site: Annotated[str | None, typer.Option("--site", help="Only what covers this site, from above it too.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also what is over.")] = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """List the maintenance that goes on or is to come."""
    from svitlo import registry

    async def work(session: Any) -> list[Window]:
        return await registry.list_windows(session, site)

    now = utc_now()
    windows = [(window, _next(window, now)) for window in with_session(target(data_dir), work)]
    kept = [(window, span) for window, span in windows if everything or span is not None]
    if as_json:
        show_json([_plain(window, span, now) for window, span in kept])
        return
    rows = [
        (w.id, w.site, "no" if w.subtree else "yes", _state(span, now), _shown(w, span), w.rrule, w.reason)
        for w, span in kept
    ]
    show_table(
        "Maintenance",
        ("id", "site", "alone", "state", "next", "repeated", "reason"),
        rows,
        "No maintenance is planned. Plan some: "
        + shown_command(data_dir, "maintenance", "add", "SITE", "--from", "now", "--for", "2h"),
    )


@app.command()
def cancel(
    window_id: Annotated[int, typer.Argument(metavar="ID", min=1, max=2**63 - 1, help="Its number in the list.")],
    data_dir: DataDir = None,
) -> None:
    """Cancel planned maintenance; one that goes on ends."""
    from svitlo import registry

    async def work(session: Any) -> Window:
        return await registry.cancel_window(session, window_id)

    window = with_session(target(data_dir), work)
    typer.echo(f"Cancelled maintenance {window_id} of {window.site}.")


def parse_moment(text: str, zone: ZoneInfo, now: datetime) -> datetime:
    """A moment in UTC: `now`, ISO with an offset, or local time in `zone`. Raises `UserError`.

    A local time that comes twice, in the night when the clock is set back, is the first one.
    """
    if text.strip().lower() == "now":
        return now
    try:
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
        at = moment.replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UserError(f"{text!r} is no time; write one such as '2026-11-24 09:00', or: now") from None
    if at.astimezone(zone).replace(tzinfo=None) != moment:
        raise UserError(f"{text} does not exist in {zone.key}: the clock is set forward over it")
    return at


def parse_length(text: str) -> timedelta:
    """How long: days, hours, minutes and seconds, such as 1d12h, 90m, 45s. Raises `UserError`."""
    found = _LENGTH.fullmatch(text.strip().lower().replace(" ", ""))
    if found is None or not any(found.groups()):
        raise UserError(f"{text!r} is no length of time; write one such as 2h, 90m or 1d12h")
    return timedelta(**{unit: int(number) for unit, number in found.groupdict().items() if number})


def _next(window: Window, now: datetime) -> Span | None:
    from svitlo.maintenance import next_occurrence

    return next_occurrence(window, now)


def _state(span: Span | None, now: datetime) -> str:
    if span is None:
        return "over"
    return "now" if span[0] <= now else "planned"


def _shown(window: Window, span: Span | None) -> str:
    """An occurrence by the clock of the window's zone."""
    if span is None:
        return ""
    start, end = (moment.astimezone(ZoneInfo(window.zone)) for moment in span)
    last = end.strftime("%H:%M" if end.date() == start.date() else "%Y-%m-%d %H:%M")
    return f"{start:%Y-%m-%d %H:%M} to {last} ({window.zone})"


def _plain(window: Window, span: Span | None, now: datetime) -> dict[str, Any]:
    """A window for programs, with the occurrence that goes on or comes next."""
    start, end = span or (None, None)
    return asdict(window) | {"state": _state(span, now), "next_starts_at": start, "next_ends_at": end}
