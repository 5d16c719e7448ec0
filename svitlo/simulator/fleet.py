"""Any number of virtual boards, and the happenings that befall them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from svitlo.simulator.board import VirtualBoard
from svitlo.simulator.plan import Happening, Kind

CONNECT_PER_S = 200.0
"""Boards that connect in a second at the start, so that a laptop's broker is not stormed."""

Teller = Callable[[str], None]


@dataclass(frozen=True)
class Totals:
    """What a simulation did."""

    beats: int
    connects: int
    happenings: int


class SimulatedFleet:
    """Boards by device id, and which site each stands for."""

    def __init__(self, boards: Mapping[str, VirtualBoard], sites: Mapping[str, Sequence[str]]) -> None:
        self.boards = dict(boards)
        self.sites = {site: tuple(devices) for site, devices in sites.items()}
        self._done = 0

    @property
    def connected(self) -> int:
        """How many boards are connected."""
        return sum(board.connected for board in self.boards.values())

    async def run(self, history: Sequence[Happening], duration_s: float, tell: Teller) -> Totals:
        """Run all boards for `duration_s` seconds and let the history happen to them."""
        tasks = []
        try:
            for board in self.boards.values():
                tasks.append(asyncio.create_task(board.run(), name=f"board {board.device_id}"))
                await asyncio.sleep(1 / CONNECT_PER_S)
            began = time.monotonic()
            for happening in history:
                await _until(began + happening.at_s)
                tasks.append(asyncio.create_task(self._happen(happening, tell), name=f"{happening.kind}"))
            await _until(began + duration_s)
        finally:
            # The end of a simulation is no outage.
            await asyncio.gather(*(board.goodbye() for board in self.boards.values()), return_exceptions=True)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        boards = self.boards.values()
        return Totals(sum(b.beats for b in boards), sum(b.connects for b in boards), self._done)

    async def _happen(self, happening: Happening, tell: Teller) -> None:
        tell(f"{happening.target}: {happening.kind} for {happening.length_s:.0f} s")
        self._done += 1
        match happening.kind:
            case Kind.POWER_CUT:
                boards = [self.boards[name] for name in self.sites[happening.target]]
                for board in boards:
                    board.cut_power()
                await asyncio.sleep(happening.length_s)
                for board in boards:
                    board.restore_power()
            case Kind.NETWORK_LOSS:
                board = self.boards[happening.target]
                board.lose_network()
                await asyncio.sleep(happening.length_s)
                board.restore_network()
            case Kind.FLAP:
                until = time.monotonic() + happening.length_s
                while time.monotonic() < until:
                    self.boards[happening.target].drop()
                    await asyncio.sleep(2)
        tell(f"{happening.target}: {happening.kind} is over")


async def _until(moment: float) -> None:
    await asyncio.sleep(max(0.0, moment - time.monotonic()))
