"""Words in a person's language: Fluent messages, durations, clock times."""

from __future__ import annotations

import functools
import logging
from datetime import datetime, timedelta
from importlib import resources
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from fluent.runtime import FluentBundle, FluentResource

log = logging.getLogger(__name__)

LANGUAGES = ("uk", "en")


class Words:
    """Everything that can be said in one language."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._bundle = FluentBundle([language], use_isolating=False)
        for source in sources(language):
            self._bundle.add_resource(FluentResource(source))

    def say(self, message: str, **values: str | int) -> str:
        """The message with its values put in; they must be escaped already where the channel wants that."""
        pattern = self._bundle.get_message(message).value
        if pattern is None:
            raise KeyError(message)
        said, errors = self._bundle.format_pattern(pattern, values)
        if errors:
            log.error("the text %s (%s) has faults: %s", message, self.language, errors)
        return str(said)

    def duration(self, span: timedelta) -> str:
        """The two largest units of a span, cut and not rounded: `2 год 7 хв`; below a minute seconds, at least one."""
        seconds = max(1, int(span.total_seconds()))
        if seconds < 60:
            return self.say("duration-seconds", seconds=seconds)
        minutes = seconds // 60
        days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
        parts = []
        if days:
            parts.append(self.say("duration-days", days=days))
        if hours:
            parts.append(self.say("duration-hours", hours=hours))
        if minutes and not days:
            parts.append(self.say("duration-minutes", minutes=minutes))
        return " ".join(parts)

    def time(self, moment: datetime, zone: ZoneInfo, now: datetime) -> str:
        """The clock time in `zone`; with the date unless that is today's, with the year unless that is this year's."""
        local, today = moment.astimezone(zone), now.astimezone(zone)
        if local.date() == today.date():
            pattern = "HH:mm"
        elif local.year == today.year:
            pattern = "HH:mm d MMMM"
        else:
            pattern = "HH:mm d MMMM y"
        return str(format_datetime(local, pattern, tzinfo=zone, locale=self.language))


def sources(language: str) -> list[str]:
    """The Fluent files of a language, one a concern."""
    folder = resources.files("services.notifier").joinpath("locales", language)
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".ftl")), key=lambda file: file.name)
    return [file.read_text(encoding="utf-8") for file in files]


@functools.cache
def words(language: str) -> Words:
    """The words of a language; an unknown one is taken for Ukrainian."""
    return Words(language if language in LANGUAGES else LANGUAGES[0])


def language_of(code: str | None, default: str) -> str:
    """Our language for an IETF tag such as `en-GB`, or the default."""
    primary = (code or "").partition("-")[0].lower()
    return primary if primary in LANGUAGES else default
