"""`svitlo bot`: who may do what by the bot, and where else alerts go."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated, Any

import typer

from svitlo.cli.context import AsJson, DataDir, show_json, show_table, shown_command, target, with_session
from svitlo.errors import UserError

app = typer.Typer(help="The bot: who may do what by it, and where else alerts go.", no_args_is_help=True)
targets = typer.Typer(
    help="Targets beside Telegram, by Apprise: e-mail, ntfy, Discord, webhooks.", no_args_is_help=True
)
app.add_typer(targets, name="target")

Number = Annotated[int, typer.Argument(metavar="NUMBER", min=1, help="Its number, from svitlo bot target list.")]


@app.command()
def owner(
    user_id: Annotated[int | None, typer.Argument(metavar="USER_ID", min=1, help="A person's Telegram number.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Make somebody an owner; without USER_ID, print a one-time word to say to the bot."""
    from services.notifier import people
    from svitlo.clock import utc_now

    async def work(session: Any) -> str:
        if user_id is not None:
            await people.grant(session, user_id, people.Role.OWNER, None, actor="cli")
            return f"{user_id} is an owner now; the bot answers them to /admin."
        word = await people.invite(session, people.Role.OWNER, None, utc_now(), actor="cli")
        return f"Say this to the bot in a private chat, once, within 24 hours:\n  /own {word}"

    typer.echo(with_session(target(data_dir), work))


@app.command("people")
def people_(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List who may do what by the bot."""
    from services.notifier import people

    found = with_session(target(data_dir), people.list_people)
    if as_json:
        show_json([asdict(grant) for grant in found])
        return
    rows = [(g.user_id, g.role.value, g.site or "everything", g.granted_by, g.created_at) for g in found]
    empty = f"Nobody yet. Make yourself an owner: {shown_command(data_dir, 'bot', 'owner')}"
    show_table("People", ("person", "role", "of", "by", "since"), rows, empty)


@targets.command()
def add(
    address: Annotated[str, typer.Argument(metavar="URL", help="An Apprise URL; - reads it from standard input.")],
    sites: Annotated[list[str], typer.Option("--site", metavar="SITE", help="A site it follows; may be repeated.")],
    name: Annotated[str | None, typer.Option("--name", help="What to call it.")] = None,
    language: Annotated[str, typer.Option("--language", help="uk or en; the installation's if not given.")] = "",
    data_dir: DataDir = None,
) -> None:
    """Send the alerts of sites to an address too."""
    from services.notifier import targets as store
    from services.notifier.channels.apprise import scheme
    from svitlo.settings import load_settings

    spoken = language or load_settings().language
    if spoken not in ("uk", "en"):
        raise typer.BadParameter("there are uk and en", param_hint="--language")
    if name is not None and (not name.strip() or len(name) > 200 or not name.isprintable()):
        raise UserError("a target's name must be 1 to 200 printable characters")
    secret = (sys.stdin.readline() if address == "-" else address).strip()
    found = scheme(secret)
    if found is None:
        raise UserError("this is no URL that Apprise understands: https://appriseit.com/services lists them")

    kind = store.kind_of(secret, found)

    async def work(session: Any) -> store.Target:
        return await store.add_target(session, secret, kind, sites, name=name, language=spoken)

    made = with_session(target(data_dir), work)
    typer.echo(f"Target {made.number} ({store.service_of(kind)}) follows {', '.join(made.sites)} now.")
    typer.echo(f"Try it: {shown_command(data_dir, 'bot', 'target', 'test', str(made.number))}")


@targets.command("list")
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


@targets.command()
def remove(number: Number, data_dir: DataDir = None) -> None:
    """Forget a target."""
    from services.notifier import targets as store

    async def work(session: Any) -> store.Target:
        return await store.remove_target(session, number)

    with_session(target(data_dir), work)
    typer.echo(f"Removed target {number}.")


@targets.command("test")
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
