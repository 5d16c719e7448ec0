"""`svitlo bot target`: where else alerts go, and by which rules."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from svitlo.cli.context import AsJson, DataDir, show_json, show_table, shown_command, target, with_session
from svitlo.clock import utc_now
from svitlo.errors import UserError
from svitlo.settings import load_settings

if TYPE_CHECKING:
    from services.notifier.targets import Target, Wishes
    from svitlo.cli.target_rules import Asked

app = typer.Typer(help="Targets beside Telegram, by Apprise: e-mail, ntfy, Discord, webhooks.", no_args_is_help=True)

Number = Annotated[int, typer.Argument(metavar="NUMBER", min=1, help="Its number, from svitlo bot target list.")]
Kinds = Annotated[
    str | None,
    typer.Option("--kinds", help="What to tell: some of lost,restored,revised,unstable, or all, none."),
]
MinMinutes = Annotated[
    int | None, typer.Option("--min-minutes", min=0, max=1440, help="Only outages that last longer; 0: all.")
]
QuietHours = Annotated[
    str | None, typer.Option("--quiet", help="Quiet hours by its clock, such as 23:00-07:00, or none.")
]
QuietMode = Annotated[
    str | None,
    typer.Option("--quiet-mode", help="hold (as one summary when they end; so unless told otherwise) or silent."),
]
Mute = Annotated[
    str | None, typer.Option("--mute", help="Tell nothing for 8h, 2d, or until '2026-11-24 09:00', forever; or off.")
]
Remind = Annotated[
    str | None, typer.Option("--remind", help="A reminder so often while it is off, such as 3h, or none.")
]
Zone = Annotated[
    str | None, typer.Option("--zone", help="Its time zone, such as Europe/Warsaw; default: the installation's.")
]
Language = Annotated[str | None, typer.Option("--language", help="uk or en.")]


@app.command()
def add(
    address: Annotated[str, typer.Argument(metavar="URL", help="An Apprise URL; - reads it from standard input.")],
    sites: Annotated[list[str], typer.Option("--site", metavar="SITE", help="A site it follows; may be repeated.")],
    name: Annotated[str | None, typer.Option("--name", help="What to call it.")] = None,
    kinds: Kinds = None,
    min_minutes: MinMinutes = None,
    quiet: QuietHours = None,
    quiet_mode: QuietMode = None,
    mute: Mute = None,
    remind: Remind = None,
    zone: Zone = None,
    language: Language = None,
    data_dir: DataDir = None,
) -> None:
    """Send the alerts of sites to an address too. Language and time zone are the installation's if not given."""
    from services.notifier import targets as store
    from services.notifier.channels.apprise import scheme
    from svitlo.cli.target_rules import Asked

    if name is not None and (not name.strip() or len(name) > 200 or not name.isprintable()):
        raise UserError("a target's name must be 1 to 200 printable characters")
    secret = (sys.stdin.readline() if address == "-" else address).strip()
    found = scheme(secret)
    if found is None:
        raise UserError("this is no URL that Apprise understands: https://appriseit.com/services lists them")

    kind = store.kind_of(secret, found)
    asked = Asked(
        kinds=kinds,
        min_minutes=min_minutes,
        quiet=quiet,
        quiet_mode=quiet_mode,
        mute=mute,
        remind=remind,
        zone=zone,
        language=language,
    )
    wishes = _wishes(asked, None)

    async def work(session: Any) -> store.Target:
        made = await store.add_target(session, secret, kind, sites, name=name, language=load_settings().language)
        return await store.change_target(session, made.number, wishes) if asked else made

    made = with_session(target(data_dir), work)
    typer.echo(f"Target {made.number} ({store.service_of(kind)}) follows {', '.join(made.sites)} now.")
    typer.echo(f"Try it: {shown_command(data_dir, 'bot', 'target', 'test', str(made.number))}")


@app.command("set")
def set_(
    number: Number,
    sites: Annotated[
        list[str] | None, typer.Option("--site", metavar="SITE", help="Rules for this site alone; may be repeated.")
    ] = None,
    kinds: Kinds = None,
    min_minutes: MinMinutes = None,
    quiet: QuietHours = None,
    quiet_mode: QuietMode = None,
    mute: Mute = None,
    remind: Remind = None,
    zone: Zone = None,
    language: Language = None,
    data_dir: DataDir = None,
) -> None:
    """Change by which rules a target is told, for all its sites or some, and show them; without options only that."""
    from services.notifier import chats_rules
    from services.notifier import targets as store
    from svitlo.cli.target_rules import Asked, shown

    asked = Asked(
        kinds=kinds,
        min_minutes=min_minutes,
        quiet=quiet,
        quiet_mode=quiet_mode,
        mute=mute,
        remind=remind,
        zone=zone,
        language=language,
    )

    async def work(session: Any) -> tuple[store.Target, list[chats_rules.Rules]]:
        found = await store.get_target(session, number)
        if asked:
            found = await store.change_target(session, number, _wishes(asked, found), sites or ())
        return found, await chats_rules.followed(session, found.id)

    found, rules = with_session(target(data_dir), work)
    clock = _clock(found)
    typer.echo(f"Target {number} ({store.service_of(found.kind)}), language {found.language}, time zone {clock.key}")
    for of_place in rules:
        typer.echo(shown(of_place, clock, utc_now()))


@app.command("list")
def list_(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List the targets; of an address only the service is shown."""
    from services.notifier import targets as store
    from services.notifier.channels.apprise import masked

    found = with_session(target(data_dir), store.list_targets)
    if as_json:
        show_json([asdict(r) | {"target": masked(r.target), "service": store.service_of(r.kind)} for r in found])
        return
    rows = [
        (r.number, r.name, store.service_of(r.kind), ", ".join(r.sites), r.language, r.inactive_reason or "works")
        for r in found
    ]
    columns = ("number", "name", "service", "follows", "language", "state")
    show_table("Targets", columns, rows, "No targets yet.")


@app.command()
def remove(number: Number, data_dir: DataDir = None) -> None:
    """Forget a target."""
    from services.notifier import targets as store

    async def work(session: Any) -> store.Target:
        return await store.remove_target(session, number)

    with_session(target(data_dir), work)
    typer.echo(f"Removed target {number}.")


@app.command("test")
def try_(number: Number, data_dir: DataDir = None) -> None:
    """Send a test message now; one that was switched off after an error works again if it arrives."""
    from services.notifier import targets as store
    from services.notifier.channels.apprise import deliver
    from services.notifier.channels.base import ChannelError, Said
    from services.notifier.texts import words

    where = target(data_dir)

    async def find(session: Any) -> store.Target:
        return await store.get_target(session, number)

    async def enable(session: Any) -> None:
        await store.enable_target(session, number)

    found = with_session(where, find)
    try:
        deliver(found.target, Said(text=words(found.language).say("target-test")))
    except ChannelError as error:
        raise UserError(f"target {number} did not take the message: {error}") from error
    with_session(where, enable)
    typer.echo(f"Target {number} took the message.")


def _wishes(asked: Asked, known: Target | None) -> Wishes:
    from svitlo.cli.target_rules import wishes

    return wishes(asked, _clock(known), utc_now())


def _clock(known: Target | None) -> ZoneInfo:
    """The clock of a target: its own, else the installation's. Raises `UserError`."""
    from svitlo.maintenance import find_zone

    return find_zone((known.timezone if known else None) or load_settings().timezone)
