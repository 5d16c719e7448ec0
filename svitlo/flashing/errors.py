"""What can go wrong between this computer and a board, in words for the person who holds it."""

from __future__ import annotations

from svitlo.errors import SvitloError


class FlashError(SvitloError):
    """The board could not be written; the text says in what state it is and what to do next."""


class BoardSilentError(FlashError):
    """Nothing answers on the port."""


class PortLostError(FlashError):
    """The port went away in the middle."""
