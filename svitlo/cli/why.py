"""`svitlo why`: why a site is in the state it is in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from svitlo.cli.context import AsJson, DataDir, show_json, target, with_session
from svitlo.clock import utc_now
from svitlo.errors import NotFoundError
from svitlo.settings import load_settings

if TYPE_CHECKING:
    from rich.table import Table

    from services.api.why import Facts, Why
    from services.api.why.words import Clock


def why(
    site: Annotated[str, typer.Argument(metavar="SITE", help="The site's id.")],
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Explain why a site is in the state it is in."""
    import msgspec

    from services.api import store
    from services.api.why import Policy, explain

    async def work(session: Any) -> Facts | None:
        return await store.facts_of(session, site, private=True)

    settings, facts = load_settings(), with_session(target(data_dir), work)
    if facts is None:
        raise NotFoundError(f"there is no site {site!r}; svitlo site list shows what there is")
    zone = ZoneInfo(settings.timezone)
    policy = msgspec.convert(settings.policy.model_dump(), Policy)
    found = explain(facts, now=utc_now(), zone=zone, policy=policy, named=True)
    if as_json:
        show_json(found.model_dump(mode="json"))
        return
    _show(found, zone)


def _show(why: Why, zone: ZoneInfo) -> None:
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    from services.api.why.words import Clock

    clock = Clock(zone, why.asked_at)
    console = Console(highlight=False, markup=False, emoji=False)
    for warning in why.warnings:
        console.print(Text(warning, style="yellow"))
    console.print(Text(why.summary, style="bold"))
    if why.devices:
        console.print()
        console.print(_boards(why, clock))
    for title, lines in {
        "Just now:": [guard.words for guard in why.guards],
        "Next, if nothing arrives before:": [f"{clock.at(next_.at)}  {next_.words}" for next_ in why.deadlines],
    }.items():
        if lines:
            console.print()
            console.print(title)
            for line in lines:
                console.print(Padding.indent(line, 2))
    console.print()
    console.print(Text(_watch(why, clock), style="dim"))


def _boards(why: Why, clock: Clock) -> Table:
    from rich.table import Table
    from rich.text import Text

    from services.api.why.words import dark_words

    weighted = any(board.weight != 1 for board in why.devices)
    table = Table("board", "state", "vote", header_style="bold")
    if weighted:
        table.add_column("weight")
    table.add_column("what that rests on", ratio=3)
    table.add_column("every")
    table.add_column("session")
    table.add_column("newest dark span", ratio=2)
    for board in why.devices:
        cells = [board.device, board.liveness, board.vote.value, *([str(board.weight)] if weighted else [])]
        cells += [board.words, f"{board.interval_s} s"]
        cells += [f"{board.session.boot} {board.session.conn}" if board.session is not None else ""]
        cells += [dark_words(board.dark, clock) if board.dark is not None else ""]
        # As text: what a board says may hold brackets, which are markup otherwise.
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _watch(why: Why, clock: Clock) -> str:
    if why.as_of is None:
        return f"Asked at {clock.at(why.asked_at)}, {clock.zone.key} time."
    since = why.detector.watching_since
    watch = f"it has been watching since {clock.at(since)}" if since is not None else "it is blind"
    told = f"Written by detector {why.detector.instance or ''}".rstrip()
    return f"{told} at {clock.at(why.as_of)}, {clock.zone.key} time" + (f"; {watch}." if why.detector.fresh else ".")
