"""What the buttons under alerts ask for."""

from __future__ import annotations

from aiogram.filters.callback_data import CallbackData

HISTORY, WEEK, MUTE = "h", "w", "m"


class Ask(CallbackData, prefix="r"):
    """A wish about one site: its history (`h`), its week (`w`), or eight hours of silence (`m`)."""

    what: str
    site: int
