"""`svitlo site`: the places whose power is watched."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from svitlo.cli import poster
from svitlo.cli.context import AsJson, DataDir, show_json, show_table, shown_command, target, with_session
from svitlo.errors import UserError

if TYPE_CHECKING:
    from svitlo import registry

app = typer.Typer(help="Sites: the places whose power is watched.", no_args_is_help=True)


class Rule(StrEnum):
    """How a site's devices tell its power."""

    ANY = "any"
    ALL = "all"
    MAJORITY = "majority"
    K = "k"


Slug = Annotated[str, typer.Argument(metavar="SLUG", help="The site's id: a-z, 0-9 and -.")]
RuleOption = Annotated[
    Rule | None,
    typer.Option("--rule", help="How many devices must live for it to have power: any means one."),
]
K = Annotated[int | None, typer.Option("--k", min=1, help="With --rule k: how much weight of them must live.")]
ConfirmOff = Annotated[
    str | None,
    typer.Option("--confirm-off", metavar="S", help="Seconds it must look off before it is; or: default."),
]
ConfirmOn = Annotated[
    str | None,
    typer.Option("--confirm-on", metavar="S", help="Seconds it must look on before it is; or: default."),
]


@app.command()
def add(
    slug: Slug,
    name: Annotated[str, typer.Option("--name", help="What people read, such as 'Shevchenka 12'.")],
    parent: Annotated[str | None, typer.Option("--parent", help="The site this one belongs to.")] = None,
    public: Annotated[bool, typer.Option("--public", help="Let anybody see and follow it.")] = False,
    rule: RuleOption = None,
    k: K = None,
    confirm_off: ConfirmOff = None,
    confirm_on: ConfirmOn = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Add a site."""
    from svitlo import registry

    async def work(session: Any) -> tuple[registry.SiteRow, bool]:
        site = await registry.add_site(
            session,
            slug,
            name,
            parent=parent,
            public=public,
            rule=(rule or Rule.ANY).value,
            k=k,
            confirm_off_s=_seconds(confirm_off),
            confirm_on_s=_seconds(confirm_on),
        )
        return site, parent is not None and (await registry.get_site(session, parent)).public

    site, under_public = with_session(target(data_dir), work)
    if as_json:
        show_json(_plain(site))
        return
    typer.echo(f"Added site {slug}. Next, a board for it: {shown_command(data_dir, 'device', 'add', slug)}")
    if not public:
        typer.echo(f"It is private: people follow it in Telegram with /subscribe {site.invite}")
    if under_public and not public:
        open_it = shown_command(data_dir, "site", "set", slug, "--public")
        typer.echo(f"All may see {parent}, so it shows nothing of this one. To count it there: {open_it}")


@app.command("list")
def list_(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List the sites."""
    from svitlo import registry

    sites = with_session(target(data_dir), registry.list_sites)
    if as_json:
        show_json([_plain(site) for site in sites])
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
        show_json(_plain(site))
        return
    shown = {
        "slug": site.slug,
        "name": site.name,
        "parent": site.parent,
        "public": "yes" if site.public else "no",
        "invite": site.invite,
        "devices": ", ".join(
            device if weight == 1 else f"{device} (weight {weight})"
            for device, weight in zip(site.devices, site.weights, strict=True)
        ),
        "rule": site.rule if site.k is None else f"k: {site.k} of {sum(site.weights)}",
        "confirm off": _shown_seconds(site.confirm_off_s),
        "confirm on": _shown_seconds(site.confirm_on_s),
        "created_at": site.created_at,
    }
    show_table("Site", ("", ""), list(shown.items()), "")


@app.command("set")
def set_(
    slug: Slug,
    name: Annotated[str | None, typer.Option("--name", help="What people read.")] = None,
    parent: Annotated[str | None, typer.Option("--parent", help="The site this one belongs to.")] = None,
    no_parent: Annotated[bool, typer.Option("--no-parent", help="It belongs to no other site.")] = False,
    public: Annotated[bool | None, typer.Option("--public/--private", help="Who may see and follow it.")] = None,
    rule: RuleOption = None,
    k: K = None,
    confirm_off: ConfirmOff = None,
    confirm_on: ConfirmOn = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Change what is given of a site; the rest stays."""
    from svitlo import registry

    if parent is not None and no_parent:
        raise UserError("--parent and --no-parent cannot go together; give one of them")
    if not no_parent and all(given is None for given in (name, parent, public, rule, k, confirm_off, confirm_on)):
        raise UserError("nothing to change was given; svitlo site set --help shows what can be")

    async def work(session: Any) -> registry.SiteRow:
        return await registry.change_site(
            session,
            slug,
            name=name,
            parent=None if no_parent else registry.KEEP if parent is None else parent,
            public=public,
            rule=None if rule is None else rule.value,
            k=k,
            confirm_off_s=registry.KEEP if confirm_off is None else _seconds(confirm_off),
            confirm_on_s=registry.KEEP if confirm_on is None else _seconds(confirm_on),
        )

    site = with_session(target(data_dir), work)
    if site.k is not None and site.k > sum(site.weights):
        typer.echo(
            f"svitlo: the devices of {slug} weigh {sum(site.weights)} together; with k {site.k} it stays unknown",
            err=True,
        )
    if as_json:
        show_json(_plain(site))
        return
    typer.echo(f"Changed site {slug}.")


@app.command()
def rename(
    slug: Annotated[str, typer.Argument(metavar="OLD", help="Its id so far.")],
    new_slug: Annotated[str, typer.Argument(metavar="NEW", help="Its new id: a-z, 0-9 and -.")],
    data_dir: DataDir = None,
) -> None:
    """Give a site another id; its history, devices and followers stay."""
    from svitlo import registry

    async def work(session: Any) -> registry.SiteRow:
        return await registry.rename_site(session, slug, new_slug)

    with_session(target(data_dir), work)
    typer.echo(f"Site {slug} is {new_slug} now, in its addresses and MQTT topics too.")


@app.command()
def remove(slug: Slug, data_dir: DataDir = None) -> None:
    """Remove a site from sight; its history stays."""
    from svitlo import registry

    async def work(session: Any) -> None:
        await registry.remove_site(session, slug)

    with_session(target(data_dir), work)
    typer.echo(f"Removed site {slug}.")


app.command()(poster.poster)


def _plain(site: registry.SiteRow) -> dict[str, Any]:
    """A site for programs: its weights by device."""
    return asdict(site) | {"weights": dict(zip(site.devices, site.weights, strict=True))}


def _seconds(given: str | None) -> float | None:
    """A confirmation; None is the setting of all sites. Raises `UserError`."""
    if given is None or given == "default":
        return None
    try:
        return float(given)
    except ValueError:
        raise UserError(f"{given!r} is no number of seconds; write one, or: default") from None


def _shown_seconds(seconds: float | None) -> str:
    return "default" if seconds is None else f"{seconds:g} s"
