"""Which serial port the board is on."""

from __future__ import annotations

import errno
from dataclasses import dataclass

from svitlo.flashing.errors import FlashError

BRIDGES = {
    0x10C4: "Silicon Labs CP210x",
    0x1A86: "WCH CH340 or CH9102",
    0x0403: "FTDI",
    0x067B: "Prolific PL2303",
    0x303A: "Espressif's own USB",
}
"""USB vendor ids of what sits on ESP32 boards."""


@dataclass(frozen=True)
class Port:
    """A serial port; `bridge` is None for what is not known from ESP32 boards."""

    name: str
    bridge: str | None
    description: str

    def __str__(self) -> str:
        about = self.bridge or self.description
        return f"{self.name} ({about})" if about else self.name


def list_ports() -> list[Port]:
    """The USB serial ports of this computer, by name."""
    from serial.tools import list_ports as system  # type: ignore[import-untyped]

    found = [
        Port(info.device, BRIDGES.get(info.vid), info.description) for info in system.comports() if info.vid is not None
    ]
    return sorted(found, key=lambda port: port.name)


def choose(ports: list[Port]) -> Port:
    """The port of the only board that is plugged in. Raises `FlashError` when it is not clear which."""
    boards = [port for port in ports if port.bridge is not None]
    if len(boards) == 1:
        return boards[0]
    if boards:
        raise FlashError(f"several boards are plugged in, choose one with --port: {', '.join(map(str, boards))}")
    others = f"; unknown USB ports: {', '.join(map(str, ports))} (choose one with --port)" if ports else ""
    raise FlashError(
        "no board found: plug it in with a USB cable that carries data (many only charge), and on Windows or macOS "
        f"install the driver of its USB bridge{others}"
    )


def named(name: str) -> Port:
    """The port a person chose, with what is known of it."""
    return next((port for port in list_ports() if port.name == name), Port(name, None, ""))


def why_not(name: str) -> FlashError:
    """Why a port cannot be opened, found out by opening it once more."""
    import serial  # type: ignore[import-untyped]

    try:
        serial.Serial(name, exclusive=True).close()
    except (OSError, ValueError) as error:
        return explain(name, error)
    return FlashError(f"{name} could not be opened at first; run the same command again")


def explain(name: str, error: Exception) -> FlashError:
    """The same failure in words that say what to do."""
    text, code = str(error), getattr(error, "errno", None)
    if code == errno.EACCES or "Permission denied" in text or "Access is denied" in text:
        return FlashError(
            f"{name}: permission denied; on Linux add yourself to the port's group (sudo usermod -aG dialout $USER, "
            "on Arch uucp) and log in anew, on Windows close the program that holds the port"
        )
    if code in (errno.EBUSY, errno.EAGAIN) or "exclusively lock" in text or "busy" in text:
        return FlashError(f"{name} is busy: close the other program that uses it (a serial monitor, an IDE, mpremote)")
    if code in (errno.ENOENT, errno.ENODEV, errno.ENXIO) or "FileNotFoundError" in text:
        return FlashError(f"there is no port {name}; is the board plugged in? Without --port it is found by itself")
    return FlashError(f"{name} cannot be used: {text}")
