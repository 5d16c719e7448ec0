"""The chip's own loader, through esptool: which chip it is, and writing MicroPython into its flash."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from svitlo.flashing.errors import BoardSilentError, PortLostError
from svitlo.flashing.images import Chip
from svitlo.flashing.ports import explain

Progress = Callable[[int, int], None]

NO_ANSWER = (
    "no answer on {port}: hold the button BOOT (or IO0), press EN (or plug the cable in), let BOOT go after a second, "
    "and run the same command again; if it stays silent, try another cable"
)
AGAIN = "if it does not start any more, run the same command again, it begins anew"


class Loader:
    """A chip that waits in its loader."""

    def __init__(self, esp: Any, port: str) -> None:
        self._esp = esp
        self._port = port
        self.chip = Chip(esp.CHIP_NAME, esp.IMAGE_CHIP_ID, esp.BOOTLOADER_FLASH_OFFSET)

    def write(self, image: bytes, *, erase: bool, baud: int, progress: Progress) -> None:
        """Write an image where it belongs and compare it; erase: the whole flash first. Raises `PortLostError`.

        progress takes bytes sent and bytes to send; they go packed, so they are fewer than the image's.
        """
        from esptool import cmds  # type: ignore[import-untyped]

        with _watched(progress), _translated(self._port, "MicroPython was written"):
            esp = cmds.run_stub(self._esp)
            if baud > esp.ESP_ROM_BAUD:
                esp.change_baud(baud)
            cmds.attach_flash(esp)
            cmds.write_flash(esp, [(self.chip.offset, image)], erase_all=erase)
            self._esp = esp

    def restart(self) -> None:
        """Leave the loader: what is in the flash starts. Raises `PortLostError`."""
        from esptool import cmds

        with _translated(self._port, "it was restarted"):
            cmds.reset_chip(self._esp, "hard-reset")


@contextmanager
def loader(port: str) -> Iterator[Loader]:
    """Reset the board into its loader and talk to it; the port is free again afterwards.

    Raises `FlashError` when the port cannot be opened, `BoardSilentError` when no chip answers.
    """
    import serial  # type: ignore[import-untyped]
    from esptool import cmds
    from esptool.util import FatalError  # type: ignore[import-untyped]

    try:
        serial.Serial(port, exclusive=True).close()
    except (OSError, ValueError) as error:
        raise explain(port, error) from error
    _quieten()
    try:
        esp = cmds.detect_chip(port)
    except FatalError as error:
        raise BoardSilentError(NO_ANSWER.format(port=port)) from error
    except OSError as error:
        raise PortLostError(f"the board went away from {port} (unplugged?): {AGAIN}") from error
    with esp:
        yield Loader(esp, port)


@contextmanager
def _translated(port: str, meanwhile: str) -> Iterator[None]:
    from esptool.util import FatalError

    try:
        yield
    except OSError as error:  # pyserial's own too
        raise PortLostError(f"the board went away from {port} while {meanwhile} (unplugged?): {AGAIN}") from error
    except FatalError as error:
        reason = str(error).splitlines()[0].partition(". ")[0]
        raise PortLostError(
            f"the chip on {port} gave up while {meanwhile} ({reason}); if it does not start any more, run the same "
            "command again, it begins anew; if it ends there each time, add --baud 115200 or try a shorter cable"
        ) from error


_watchers: list[Progress] = []


@contextmanager
def _watched(progress: Progress) -> Iterator[None]:
    _watchers.append(progress)
    try:
        yield
    finally:
        _watchers.remove(progress)


@cache
def _quieten() -> None:
    """esptool has one logger a process and prints to it; what is worth seeing of it is how far it is."""
    from esptool.logger import TemplateLogger, log  # type: ignore[import-untyped]

    class Watcher(TemplateLogger):  # type: ignore[misc]
        def progress_bar(
            self, cur_iter: int, total_iters: int, prefix: str = "", suffix: str = "", bar_length: int = 30
        ) -> None:
            for watcher in _watchers:
                watcher(cur_iter, total_iters)

        def _drop(self, *args: Any, **kwargs: Any) -> None:
            pass

        print = note = warning = error = stage = set_verbosity = _drop

    log.set_verbosity("silent")  # what holds on to the logger from before
    log.set_logger(Watcher())
