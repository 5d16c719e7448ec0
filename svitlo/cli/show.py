"""What a person at the terminal sees of a running stack: few lines, in plain words."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rich.console import Console
from rich.text import Text

from svitlo.settings import default_data_dir
from svitlo.stack.places import RunningStack
from svitlo.stack.supervisor import Options

_LOG_LINE = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (DEBUG|INFO|WARNING|ERROR|CRITICAL)\s+\S+: (.*)$")


def _command() -> str:
    """How the person at this terminal runs svitlo: by name if it is on the path, else by the way it was started."""
    found = shutil.which("svitlo")
    mine = Path(sys.argv[0])
    if found is not None and Path(found).resolve() == mine.resolve():
        return "svitlo"
    if mine.name == "__main__.py":
        return "python -m svitlo"
    with contextlib.suppress(ValueError):
        return str(mine.absolute().relative_to(Path.cwd()))
    return str(mine)


def _local_zone() -> str | None:
    """This machine's time zone by name, if it says."""
    candidates = [os.environ.get("TZ", "").lstrip(":")]
    with contextlib.suppress(OSError):
        candidates.append(str(Path("/etc/localtime").readlink()).partition("zoneinfo/")[2])
    for name in candidates:
        with contextlib.suppress(ZoneInfoNotFoundError, ValueError):
            if name:
                return ZoneInfo(name).key
    return None


class Screen:
    """Prints progress, alerts and what goes wrong; everything else is in the log files."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)

    @property
    def language(self) -> str:
        """uk or en, by the terminal's locale."""
        if given := os.environ.get("SVITLO_LANGUAGE"):
            return given
        words = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
        return "uk" if words.lower().startswith("uk") else "en"

    def demo_settings(self) -> dict[str, str]:
        """The demo speaks the terminal's language and tells its time, unless told otherwise."""
        found = {"SVITLO_LANGUAGE": self.language}
        if not os.environ.get("SVITLO_TIMEZONE") and (zone := _local_zone()):
            found["SVITLO_TIMEZONE"] = zone
        return found

    def progress(self, text: str) -> None:
        """A step of starting or stopping."""
        self._console.print(Text(f"  {text}", style="dim"))

    def say(self, text: str, style: str = "") -> None:
        """A line of the story, with the time."""
        line = Text(datetime.now().astimezone().strftime("%H:%M:%S "), style="dim")
        line.append(text, style=style)
        self._console.print(line)

    def ready(self, stack: RunningStack, options: Options) -> None:
        """The stack is up: where it is and what to do next."""
        command = _command()
        self._console.print()
        self._console.print(Text("Svitlo is running.", style="bold green"))
        self._console.print(f"  API and status page  {stack.http_url}")
        self._console.print(f"  MQTT for the boards  {stack.board_url}")
        self._console.print(f"  data and logs        {options.data_dir}")
        self._console.print()
        self._console.print("Add a place and a board for it, in another terminal:")
        where = "" if options.data_dir == default_data_dir() else f" --data-dir {options.data_dir}"
        self._console.print(Text(f"  {command} site add my-house --name 'My house' --public{where}", style="cyan"))
        self._console.print(Text(f"  {command} device add my-house{where}", style="cyan"))
        self._console.print()
        self._console.print("Stop with Ctrl-C.")

    def demo_ready(self, stack: RunningStack) -> None:
        """The demo is up."""
        self._console.print()
        self._console.print(
            Text("Svitlo is running with three houses. Their outages are real: we kill or freeze the", style="bold")
        )
        self._console.print(Text("board's process, and the broker or the silence tells.", style="bold"))
        self._console.print(f"  API and status page  {stack.http_url}")
        self._console.print("  Stop with Ctrl-C.")
        self._console.print()

    def service_line(self, service: str, line: str) -> None:
        """A line a service wrote: alerts are shown as they are, warnings shortly, the rest stays in the log."""
        found = _LOG_LINE.match(line)
        if found is None:
            if service == "notifier" and line.strip():
                self._alert(line)
            return
        level, message = found.groups()
        if level in ("ERROR", "CRITICAL"):
            self._console.print(Text(f"  {service}: {message}", style="red"))

    def _alert(self, line: str) -> None:
        style = "bold yellow" if "💡" in line else "bold bright_blue" if "🔌" in line else ""
        self._console.print(Text(f"         {line}", style=style))
