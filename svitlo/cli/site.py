"""`svitlo site`: the places whose power is watched."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from svitlo.cli.context import AsJson, DataDir, show_json, show_table, shown_command, target, with_session

app = typer.Typer(help="Sites: the places whose power is watched.", no_args_is_help=True)

Slug = Annotated[str, typer.Argument(metavar="SLUG", help="The site's id: a-z, 0-9 and -.")]


@app.command()
def add(
    slug: Slug,
    name: Annotated[str, typer.Option("--name", help="What people read, such as 'Shevchenka 12'.")],
    parent: Annotated[str | None, typer.Option("--parent", help="The site this one belongs to.")] = None,
    public: Annotated[bool, typer.Option("--public", help="Let anybody see and follow it.")] = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Add a site."""
    from svitlo import registry

    async def work(session: Any) -> registry.SiteRow:
        return await registry.add_site(session, slug, name, parent=parent, public=public)

    site = with_session(target(data_dir), work)
    if as_json:
        show_json(asdict(site))
        return
    typer.echo(f"Added site {slug}. Next, a board for it: {shown_command(data_dir, 'device', 'add', slug)}")
    if not public:
        typer.echo(f"It is private: people follow it in Telegram with /subscribe {site.invite}")


@app.command("list")
def list_(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List the sites."""
    from svitlo import registry

    sites = with_session(target(data_dir), registry.list_sites)
    if as_json:
        show_json([asdict(site) for site in sites])
        return
    rows = [(s.slug, s.name, s.parent, "yes" if s.public else "no", ", ".join(s.devices)) for s in sites]
    show_table(
        "Sites",
        ("site", "name", "parent", "public", "devices"),
        rows,
        "No sites yet. Add one: "
        + shown_command(data_dir, "site", "add", "my-house", "--name", "My house", "--public"),
    )


@app.command()
def show(slug: Slug, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Show one site."""
    from svitlo import registry

    async def work(session: Any) -> registry.SiteRow:
        return await registry.get_site(session, slug)

    site = with_session(target(data_dir), work)
    if as_json:
        show_json(asdict(site))
        return
    shown = asdict(site) | {"public": "yes" if site.public else "no", "devices": ", ".join(site.devices)}
    show_table("Site", ("", ""), [(key, value) for key, value in shown.items() if key != "id"], "")


@app.command()
def remove(slug: Slug, data_dir: DataDir = None) -> None:
    """Remove a site from sight; its history stays."""
    from svitlo import registry

    async def work(session: Any) -> None:
        await registry.remove_site(session, slug)

    with_session(target(data_dir), work)
    typer.echo(f"Removed site {slug}.")
