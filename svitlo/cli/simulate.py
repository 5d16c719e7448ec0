"""`svitlo simulate`: virtual boards against the running stack."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from svitlo.cli.context import DataDir, Target, change_accounts, target

if TYPE_CHECKING:
    from svitlo.simulator.plan import Rates

PREFIX = "sim"
SITES_DIGITS = 4


def simulate(
    devices: Annotated[int, typer.Option("--devices", min=1, max=100_000, help="How many boards.")] = 100,
    per_site: Annotated[int, typer.Option("--per-site", min=1, max=100, help="Boards at each site.")] = 2,
    interval: Annotated[int, typer.Option("--interval", min=1, max=3600, help="Seconds between beats.")] = 10,
    duration: Annotated[float, typer.Option("--duration", min=0, help="Seconds to run; 0: until Ctrl-C.")] = 0,
    seed: Annotated[int, typer.Option("--seed", help="The same seed, the same history.")] = 1,
    power_cuts: Annotated[float, typer.Option("--power-cuts", min=0, help="Per site and hour.")] = 0.5,
    network_losses: Annotated[float, typer.Option("--network-losses", min=0, help="Per board and hour.")] = 0.2,
    flaps: Annotated[float, typer.Option("--flaps", min=0, help="Per board and hour.")] = 0.2,
    clean: Annotated[bool, typer.Option("--clean", help="Only remove the simulated sites and devices.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Run virtual boards over real MQTT connections, with outages, network losses and flaps by a seed."""
    from svitlo.simulator.plan import Rates

    where = target(data_dir)
    if clean:
        count = change_accounts(where, _remove)
        typer.echo(f"Removed {count} simulated devices and their sites.")
        return
    layout = _layout(devices, per_site)
    generations = change_accounts(where, lambda session: _register(session, layout))
    typer.echo(f"{devices} boards at {len(layout)} sites, one beat every {interval} s, seed {seed}. Stop with Ctrl-C.")
    rates = Rates(power_cuts, network_losses, flaps)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(where, layout, generations, interval, duration or 365 * 86_400.0, seed, rates))


def _layout(devices: int, per_site: int) -> dict[str, list[str]]:
    sites: dict[str, list[str]] = {}
    for number in range(devices):
        site = f"{PREFIX}-{number // per_site + 1:0{SITES_DIGITS}}"
        sites.setdefault(site, []).append(f"{site}-{number % per_site + 1}")
    return sites


async def _register(session: Any, layout: dict[str, list[str]]) -> dict[str, int]:
    """Add what is missing; the generation of each device's password."""
    from svitlo import registry

    known = {site.slug: site for site in await registry.list_sites(session)}
    for site, names in layout.items():
        if site not in known:
            await registry.add_site(session, site, f"Simulated {site[len(PREFIX) + 1 :]}", actor="simulate")
        present = known[site].devices if site in known else ()
        for name in names:
            if name not in present:
                await registry.add_device(session, site, name, actor="simulate")
    wanted = {name for names in layout.values() for name in names}
    return {row.id: row.generation for row in await registry.list_devices(session) if row.id in wanted}


async def _remove(session: Any) -> int:
    from svitlo import registry

    sites = [site for site in await registry.list_sites(session) if site.slug.startswith(f"{PREFIX}-")]
    gone = {name for site in sites for name in site.devices if name.startswith(f"{PREFIX}-")}
    for name in sorted(gone):
        await registry.remove_device(session, name, actor="simulate")
    for site in sites:
        await registry.remove_site(session, site.slug, actor="simulate")
    return len(gone)


async def _run(
    where: Target,
    layout: dict[str, list[str]],
    generations: dict[str, int],
    interval: int,
    duration: float,
    seed: int,
    rates: Rates,
) -> None:
    from svitlo.accounts.passwords import derive_password
    from svitlo.simulator.board import VirtualBoard
    from svitlo.simulator.fleet import SimulatedFleet
    from svitlo.simulator.plan import draw

    boards = {
        name: VirtualBoard(
            name,
            derive_password(where.secret, name, generation),
            where.broker.host,
            where.broker.port,
            interval_s=interval,
            keepalive_s=max(5, min(interval, 60)),
        )
        for name, generation in generations.items()
    }
    fleet = SimulatedFleet(boards, layout)
    # A day's history at a time: nobody wants to draw a year's before the first beat.
    history = draw({site: tuple(names) for site, names in layout.items()}, min(duration, 86_400.0), rates, seed)
    totals = await fleet.run(
        history, duration, lambda line: typer.echo(f"{datetime.now().astimezone():%H:%M:%S} {line}")
    )
    typer.echo(f"Sent {totals.beats} beats over {totals.connects} connections; {totals.happenings} happenings.")
