"""A board in set-up mode on the real MicroPython, and what a phone makes of its page."""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx

from svitlo.simulator.micropython import UmqttSource, environment, interpreter
from tests.support.wait import free_port

SCRIPT = Path(__file__).parents[1] / "firmware" / "portal_mpy.py"
SCAN = [["home", -48, 3], ["home", -80, 3], ["café", -77, 0], ['<script>alert("1")</script>', -65, 3], ["", -30, 3]]


class Page(HTMLParser):
    """What a browser would make of the page: fields, choices, and the tags there are."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self.choices: dict[str, str] = {}
        self.chosen: str | None = None
        self.tags: list[str] = []
        self.error = ""
        self.wrong: str | None = None
        self.text = ""
        self._where = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self._where = "error" if given.get("role") == "alert" else tag
        if tag == "input" and "name" in given:
            self.fields[given["name"]] = given.get("value", "")
        if "aria-invalid" in given:
            self.wrong = given["name"]
        if tag == "textarea":
            self.fields[given["name"]] = ""
        if tag == "option":
            self._choice = given["value"]
            self.choices[self._choice] = ""
            if "selected" in given:
                self.chosen = self._choice

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._where == "error":
            self.error += data
            self._where = ""
        elif self._where == "textarea":
            self.fields["c"] += data
        elif self._where == "option":
            self.choices[self._choice] += data

    def handle_endtag(self, tag: str) -> None:
        self._where = ""


class SetUp:
    """A board in set-up mode, with its page and name server on ports of its own; without umqtt, run by the test."""

    def __init__(self, folder: Path, umqtt: UmqttSource | None = None) -> None:
        self.folder = folder
        self.config = self.folder / "config.json"
        self.world = self.folder / "world"
        self.world.mkdir(exist_ok=True)
        self.http, self.dns = free_port(), free_port(socket.SOCK_DGRAM)
        (self.world / "portal-ports").write_text(f"{self.http} {self.dns}")
        (self.world / "scan").write_text(json.dumps(SCAN))
        self.url = f"http://127.0.0.1:{self.http}/"
        self._umqtt = umqtt
        self._process: subprocess.Popen[str] | None = None

    def start(self, error: str = "", patience_ms: int = 0, read_ms: int = 0, stays_ms: int = 300) -> SetUp:
        """Run the board; the arguments are those of portal_mpy.py."""
        assert self._umqtt
        command = interpreter("56wk", SCRIPT)
        self._process = subprocess.Popen(
            [*command, error, str(patience_ms), str(read_ms), str(stays_ms)],
            cwd=self.folder,
            env=environment(self._umqtt),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.await_page()
        return self

    def await_page(self, timeout: float = 30) -> None:
        deadline = time.monotonic() + timeout
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.http)) == 0:
                    return
            assert self._process is None or self._process.poll() is None, "the board's script ended"
            assert time.monotonic() < deadline, "no page"
            time.sleep(0.05)

    def get(self, path: str = "", **headers: str) -> httpx.Response:
        return httpx.get(self.url + path, headers=headers, timeout=20, trust_env=False)

    def page(self, path: str = "", **headers: str) -> Page:
        return Page(self.get(path, **headers).text)

    def send(self, page: Page | None = None, origin: str | None = None, **typed: str) -> Page:
        """Fill the form in as a person would and press the button."""
        fields = {**(page or self.page()).fields, "s": "home", "p": "wifi-password", "o": "", **typed}
        headers = {"Origin": origin or self.url.rstrip("/")}
        answer = httpx.post(self.url + "?l=en", data=fields, headers=headers, timeout=20, trust_env=False)
        assert answer.status_code == 200
        return Page(answer.text)

    def ask(self, name: str, kind: int = 1, timeout: float = 10) -> bytes:
        """The answer of the name server; empty if there is none."""
        labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
        return self.tell(
            struct.pack(">6H", 0x1234, 0x0100, 1, 0, 0, 0) + labels + struct.pack(">BHH", 0, kind, 1), timeout
        )

    def tell(self, query: bytes, timeout: float = 0.3) -> bytes:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
            caller.settimeout(timeout)
            caller.sendto(query, ("127.0.0.1", self.dns))
            try:
                return caller.recv(1000)
            except TimeoutError:
                return b""

    def connect(self, data: bytes = b"") -> socket.socket:
        caller = socket.create_connection(("127.0.0.1", self.http), timeout=30)
        caller.sendall(data)
        return caller

    def raw(self, data: bytes) -> bytes:
        """The whole answer to bytes sent as they are, or what of it arrived."""
        with self.connect() as caller:
            got = b""
            try:
                caller.sendall(data)
                while not got.endswith(b"\r\n\r\n") and (more := caller.recv(4096)):
                    got += more
            except ConnectionError:
                pass
            return got

    def end(self, timeout: float = 30) -> dict[str, Any]:
        """What the script says when the board has been reset."""
        assert self._process
        out = self._process.communicate(timeout=timeout)[0]
        assert self._process.returncode == 0, out
        result: dict[str, Any] = json.loads(out.splitlines()[-1])
        return result

    def kill(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.kill()
            print(self._process.communicate()[0])
