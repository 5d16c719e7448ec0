"""`svitlo bot`: who may do what by the bot, and where else alerts go."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from svitlo.cli import targets
from svitlo.cli.context import AsJson, DataDir, show_json, show_table, shown_command, target, with_session

app = typer.Typer(help="The bot: who may do what by it, and where else alerts go.", no_args_is_help=True)
app.add_typer(targets.app, name="target")


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
