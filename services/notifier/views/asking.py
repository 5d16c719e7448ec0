"""The buttons under an alert."""

from __future__ import annotations

from services.notifier.channels.base import Button
from services.notifier.texts import Words


def alert_buttons(site: int, words: Words) -> tuple[tuple[Button, ...], ...]:
    """History, week, eight hours of silence; the bot reads them as `bot.callbacks.Ask`."""
    asks = (("h", "ask-history"), ("w", "ask-week"), ("m", "ask-mute"))
    return (tuple(Button(words.say(label), f"r:{what}:{site}") for what, label in asks),)
