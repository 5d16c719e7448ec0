"""`svitlo device flash`: from a bare board on a USB cable to its first heartbeat."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from svitlo.cli.board_config import authority, board_config
from svitlo.cli.context import DataDir, Target, target, with_session
from svitlo.errors import UserError

if TYPE_CHECKING:
    from svitlo.cli.flash_screen import TerminalScreen
    from svitlo.flashing.console import Console

WAIT_S = 90.0


@dataclass(frozen=True)
class Beat:
    """The last heartbeat the server has of a board."""

    boot: str | None
    boots: int | None
    rssi: int | None
    fw: str | None


def flash(
    device_id: Annotated[str, typer.Argument(metavar="ID", help="The device's id.")],
    port: Annotated[str, typer.Option("--port", help="Serial port; found by itself with one board.")] = "",
    ssid: Annotated[str, typer.Option("--ssid", help="The Wi-Fi network's name; asked for if missing.")] = "",
    wifi_password: Annotated[
        str | None,
        typer.Option(
            "--wifi-password",
            envvar="SVITLO_WIFI_PASSWORD",
            show_envvar=True,
            help="The Wi-Fi network's password; asked for if missing.",
        ),
    ] = None,
    ethernet: Annotated[
        str, typer.Option("--ethernet", metavar="BOARD", help="Cable instead of Wi-Fi: wt32-eth01.")
    ] = "",
    tls: Annotated[bool, typer.Option("--tls", help="Let the board come through the broker's TLS door.")] = False,
    ca: Annotated[
        Path | None, typer.Option("--ca", help="The authority's certificate, DER; with svitlo broker tls it is found.")
    ] = None,
    broker_port: Annotated[
        int | None, typer.Option("--broker-port", min=1, max=65535, help="Another port of the broker.")
    ] = None,
    interval_s: Annotated[int, typer.Option("--interval", min=1, max=3600, help="Seconds between beats.")] = 10,
    led: Annotated[int | None, typer.Option("--led", min=0, max=48, help="Pin of a status LED.")] = None,
    button: Annotated[int | None, typer.Option("--button", min=0, max=48, help="Pin of a button to ground.")] = None,
    mains_pin: Annotated[
        int | None, typer.Option("--mains-pin", min=0, max=48, help="Pin that is low while the mains is there.")
    ] = None,
    image: Annotated[
        Path | None, typer.Option("--image", help="MicroPython (.bin) from a file; downloaded if not given.")
    ] = None,
    keep_micropython: Annotated[
        bool, typer.Option("--keep-micropython", help="Never write MicroPython, only the firmware.")
    ] = False,
    erase: Annotated[
        bool | None,
        typer.Option(
            "--erase/--no-erase",
            show_default=False,
            help="Empty the whole flash and write MicroPython anew; by itself only where there was none.",
        ),
    ] = None,
    baud: Annotated[int, typer.Option("--baud", min=9600, help="Speed of writing MicroPython.")] = 460_800,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the first heartbeat.")] = True,
    where: DataDir = None,
) -> None:
    """Write MicroPython and the firmware onto a board over USB, and wait for its first heartbeat.

    It can be run again at any time, also after it was cut off half-way.
    """
    if find_spec("esptool") is None or find_spec("mpremote") is None:
        raise UserError("esptool and mpremote are not installed: pip install 'svitlo[flash]'")
    if keep_micropython and (erase or image):
        raise UserError("--keep-micropython writes no MicroPython: leave --erase and --image out")
    import platformdirs

    from svitlo.cli.flash_screen import TerminalScreen
    from svitlo.flashing import ports
    from svitlo.flashing.contents import contents
    from svitlo.flashing.job import Job, load

    stack = target(where)
    network = _network(ssid, wifi_password, ethernet)
    config = board_config(stack, device_id, tls=tls, port=broker_port, interval_s=interval_s) | network
    config |= _wiring(led, button, mains_pin)
    certificate = authority(ca, where) if config["mqtt"]["tls"] else None
    chosen = ports.named(port) if port else ports.choose(ports.list_ports())
    screen = TerminalScreen(5 if wait else 4)
    with screen:
        screen.title(f"Flashing {device_id} on {chosen}")
        job = Job(
            chosen.name,
            contents(config, certificate),
            Path(platformdirs.user_cache_dir("svitlo")),
            image=image,
            keep_micropython=keep_micropython,
            erase=erase,
            baud=baud,
        )
        with load(job, screen) as console:
            before = _last_beat(stack, device_id)
            screen.step("restart")
            console.restart()
            screen.result("done")
            if wait:
                await_beat(lambda: _last_beat(stack, device_id), before, console, screen)
        if not wait:
            screen.end(f"The board starts; svitlo device list shows when {device_id} was heard.")


def _network(ssid: str, password: str | None, ethernet: str) -> dict[str, Any]:
    if ethernet and ssid:
        raise UserError("--ssid and --ethernet exclude each other")
    if ethernet:
        return {"ethernet": {"board": ethernet}}
    asks = sys.stdin.isatty()
    if not ssid:
        if not asks:
            raise UserError("name the Wi-Fi network with --ssid (and --wifi-password), or the board with --ethernet")
        ssid = typer.prompt("Wi-Fi network")
    if password is None:
        if not asks:
            raise UserError(f"give the password of {ssid} with --wifi-password (an empty one for an open network)")
        password = typer.prompt("Wi-Fi password (empty for an open network)", "", hide_input=True, show_default=False)
    return {"wifi": {"ssid": ssid, "password": password}}


def _wiring(led: int | None, button: int | None, mains_pin: int | None) -> dict[str, Any]:
    pins = {name: pin for name, pin in (("led", led), ("button", button)) if pin is not None}
    mains = {} if mains_pin is None else {"mains": {"kind": "gpio", "pin": mains_pin, "active": "low"}}
    return ({"pins": pins} if pins else {}) | mains


def _last_beat(stack: Target, device_id: str) -> Beat | None:
    from sqlalchemy import text

    async def work(session: Any) -> Beat | None:
        row = await session.execute(text("SELECT boot, boots, rssi, fw FROM devices WHERE id = :id"), {"id": device_id})
        found = row.one_or_none()
        return Beat(*found) if found is not None and found.boot is not None else None

    return with_session(stack, work)


def await_beat(
    last_beat: Callable[[], Beat | None],
    before: Beat | None,
    console: Console,
    screen: TerminalScreen,
    wait_s: float = WAIT_S,
) -> None:
    """Show what the board says until it is heard. A boot has its own id, so no two clocks are compared."""
    from svitlo.flashing.advice import advise
    from svitlo.flashing.errors import FlashError

    screen.step("first heartbeat")
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        screen.board_says(line)

    until, asked = time.monotonic() + wait_s, 0.0
    while (now := time.monotonic()) < until:
        console.listen(say)
        if now - asked < 1:
            continue
        asked = now
        beat = last_beat()
        if beat is not None and (before is None or beat.boot != before.boot):
            number = "" if beat.boots is None else f" (number {beat.boots})"
            signal = "" if beat.rssi is None else f", signal {beat.rssi} dBm"
            screen.result(f"received: boot {beat.boot}{number}{signal}, firmware {beat.fw or 'unknown'}")
            screen.end("The board is ready: take it off the cable and put it in its place.")
            return
    what = advise(said) or ("what it said last is above" if said else "and it said nothing: press its button EN")
    raise FlashError(
        f"the board is written, but no heartbeat came within {wait_s:.0f} s: {what}. "
        "Meanwhile it keeps trying by itself"
    )
