"""What a person at the terminal sees of a running stack: few lines, in plain words, in their language."""

from __future__ import annotations

import contextlib
import os
import re
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from svitlo.cli.context import shown_command
from svitlo.stack.places import RunningStack
from svitlo.stack.supervisor import Options

_LOG_LINE = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (DEBUG|INFO|WARNING|ERROR|CRITICAL)\s+\S+: (.*)$")
_ALERT = re.compile(r"^[💡🔌↩✏]")
_CLOCK = 9
"""Columns the time of a line takes, and so the indent of what belongs to it."""

_WORDS = {
    "en": {
        "running": "Svitlo is running.",
        "page": "status page and API",
        "mqtt": "MQTT for the boards",
        "data": "data and logs",
        "alerts": "alerts",
        "alerts-here": "here (set SVITLO_TELEGRAM_TOKEN to send them to Telegram)",
        "alerts-telegram": "Telegram",
        "add": "Add a place and a board for it, in another terminal:",
        "name": "My house",
        "stop": "Stop with Ctrl-C.",
        "demo": (
            "Three simulated houses are running. We really cut their boards off; the lines with 🔌 and 💡 are "
            "what people would get in Telegram."
        ),
    },
    "uk": {
        "running": "Світло працює.",
        "page": "сторінка стану та API",
        "mqtt": "MQTT для плат",
        "data": "дані та журнали",
        "alerts": "сповіщення",
        "alerts-here": "тут (задайте SVITLO_TELEGRAM_TOKEN, щоб слати їх у Telegram)",
        "alerts-telegram": "Telegram",
        "add": "Додайте місце і плату для нього в іншому терміналі:",
        "name": "Мій дім",
        "stop": "Зупинити: Ctrl-C.",
        "demo": (
            "Працюють три уявні будинки. Їхні плати ми вимикаємо насправді; рядки з 🔌 та 💡 — це те, що люди "
            "отримали б у Telegram."
        ),
    },
}


def _local_zone() -> str | None:
    """This machine's time zone by name, if it says."""
    candidates = [os.environ.get("TZ", "").lstrip(":")]
    with contextlib.suppress(OSError):
        candidates.append(str(Path("/etc/localtime").readlink()).partition("zoneinfo/")[2])
    for name in candidates:
        with contextlib.suppress(ZoneInfoNotFoundError, ValueError, OSError):
            if name:
                return ZoneInfo(name).key
    return None


class Screen:
    """Prints progress, alerts and what goes wrong; everything else is in the log files."""

    def __init__(self) -> None:
        # On a terminal lines are folded at words; in a file or a pipe they stay whole.
        self._console = Console(highlight=False, markup=False, emoji=False)
        self._console.soft_wrap = not self._console.is_terminal
        self._zone: ZoneInfo | None = None
        self._warned: set[str] = set()

    @property
    def language(self) -> str:
        """uk or en, by the terminal's locale."""
        if (given := os.environ.get("SVITLO_LANGUAGE")) in _WORDS:
            return given
        words = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
        return "uk" if words.lower().startswith("uk") else "en"

    def demo_settings(self) -> dict[str, str]:
        """The demo speaks the terminal's language and tells its time, unless told otherwise."""
        zone = os.environ.get("SVITLO_TIMEZONE") or _local_zone() or "UTC"
        self._zone = ZoneInfo(zone)
        return {"SVITLO_LANGUAGE": self.language, "SVITLO_TIMEZONE": zone}

    def progress(self, text: str) -> None:
        """A step of starting or stopping."""
        self._console.print(Text(f"  {text}", style="dim"))

    def say(self, text: str, style: str = "") -> None:
        """A line of the story, with the time."""
        clock = datetime.now(self._zone).astimezone(self._zone).strftime("%H:%M:%S ")
        self._indented(text, style, Text(clock, style="dim"))

    def ready(self, stack: RunningStack, options: Options) -> None:
        """The stack is up: where it is and what to do next."""
        words = _WORDS[self.language]
        telegram = bool(os.environ.get("SVITLO_TELEGRAM_TOKEN") or os.environ.get("SVITLO_TELEGRAM_TOKEN_FILE"))
        rows = {
            "page": stack.http_url,
            "mqtt": stack.board_url,
            "data": str(options.data_dir),
            "alerts": words["alerts-telegram" if telegram else "alerts-here"],
        }
        self._console.print()
        self._console.print(Text(words["running"], style="bold green"))
        self._rows({words[key]: value for key, value in rows.items()})
        self._console.print()
        self._console.print(words["add"])
        name = words["name"]
        for arguments in (("site", "add", "my-house", "--name", name, "--public"), ("device", "add", "my-house")):
            self._console.print(Text(f"  {shown_command(options.data_dir, *arguments)}", style="cyan"), soft_wrap=True)
        self._console.print()
        self._console.print(words["stop"])

    def demo_ready(self, stack: RunningStack) -> None:
        """The demo is up."""
        words = _WORDS[self.language]
        self._console.print()
        self._console.print(Text(words["demo"], style="bold"))
        self._rows({words["page"]: stack.http_url})
        self._console.print(f"  {words['stop']}")
        self._console.print()

    def service_line(self, service: str, line: str) -> None:
        """A line a service wrote: alerts and what belongs to them, warnings once, errors; the rest is in the log."""
        found = _LOG_LINE.match(line)
        if found is None:
            if service == "notifier" and (_ALERT.match(line) or line.startswith("   ")):
                style = "bold yellow" if "💡" in line else "bold bright_blue" if "🔌" in line else ""
                self._indented(line, style, Text(" " * _CLOCK))
            return
        level, message = found.groups()
        if level in ("ERROR", "CRITICAL"):
            self._console.print(Text(f"  {service}: {message}", style="red"))
        elif level == "WARNING" and message not in self._warned and len(self._warned) < 100:
            self._warned.add(message)
            self._console.print(Text(f"  {service}: {message}", style="yellow"))

    def _indented(self, text: str, style: str, head: Text) -> None:
        if not self._console.is_terminal:
            self._console.print(head + Text(text, style=style), soft_wrap=True)
            return
        room = max(self._console.width - _CLOCK, 20)
        first, *rest = Text(text, style=style).wrap(self._console, room)
        self._console.print(head + first)
        for part in rest:
            self._console.print(Padding(part, (0, 0, 0, _CLOCK)))

    def _rows(self, rows: dict[str, str]) -> None:
        width = max(len(key) for key in rows)
        for key, value in rows.items():
            self._console.print(f"  {key:<{width}}  {value}", soft_wrap=True)
