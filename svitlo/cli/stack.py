"""`svitlo up` and `svitlo demo`."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer

from svitlo.cli.context import DataDir, data_dir
from svitlo.cli.show import Screen
from svitlo.log import configure
from svitlo.stack import supervisor
from svitlo.stack.places import RunningStack

HttpPort = Annotated[int | None, typer.Option("--http-port", min=1, max=65535, help="The API's port.")]
MqttPort = Annotated[int | None, typer.Option("--mqtt-port", min=1, max=65535, help="The MQTT broker's port.")]

HTTP_PORT, MQTT_PORT = 8080, 1883


def up(
    where: DataDir = None,
    http_port: HttpPort = None,
    mqtt_port: MqttPort = None,
    lan: Annotated[bool, typer.Option("--lan", help="Listen for boards and readers on the local network.")] = False,
) -> None:
    """Run the whole stack on this machine: Mosquitto, PostgreSQL and the four services."""
    configure("warning")
    screen = Screen()
    options = supervisor.Options(
        data_dir=data_dir(where),
        host=supervisor.EVERYWHERE if lan else "127.0.0.1",
        http_port=http_port or HTTP_PORT,
        mqtt_port=mqtt_port or MQTT_PORT,
        on_line=screen.service_line,
    )

    async def wait(stack: RunningStack) -> None:
        screen.ready(stack, options)
        await asyncio.Event().wait()

    _run(options, screen, wait)


def demo(
    where: DataDir = None,
    http_port: HttpPort = None,
    mqtt_port: MqttPort = None,
    once: Annotated[bool, typer.Option("--once", help="End after the story has been told once.")] = False,
) -> None:
    """Run the stack with three houses whose boards run the real firmware, and cut their power."""
    from svitlo.simulator.demo import DEMO_ENV, tell

    configure("warning")
    screen = Screen()
    directory = data_dir(where)
    if where is None:
        directory = directory.with_name(directory.name + "-demo")
    options = supervisor.Options(
        data_dir=directory,
        http_port=http_port or supervisor.free_port("127.0.0.1", HTTP_PORT),
        mqtt_port=mqtt_port or supervisor.free_port("127.0.0.1", MQTT_PORT),
        extra=DEMO_ENV | screen.demo_settings(),
        on_line=screen.service_line,
    )

    async def story(stack: RunningStack) -> None:
        screen.demo_ready(stack)
        await tell(stack, directory, screen, once=once)

    _run(options, screen, story)


def _run(options: supervisor.Options, screen: Screen, work: Callable[[RunningStack], Awaitable[None]]) -> None:
    async def main() -> None:
        task = asyncio.current_task()
        assert task is not None
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, task.cancel)
        async with supervisor.running(options, screen.progress) as stack:
            await work(stack)

    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(main())
