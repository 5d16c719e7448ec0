"""What the page says in each language, and how it tells times. Adding a language is adding a row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from svitlo.contracts import SiteStateWord


@dataclass(frozen=True)
class Words:
    """One language. `months` are short, as in a date; `units` are days, hours and minutes."""

    code: str
    name: str
    title: str
    headline: Callable[[int, int], str]
    no_places: str
    states: dict[SiteStateWord, str]
    since: str
    no_data: str
    going: str
    some_off: str
    work_until: str
    unstable: str
    last_outage: str
    previous_outage: str
    no_outages: str
    stale: str
    stale_advice: str
    unavailable: str
    unavailable_advice: str
    yesterday: str
    months: tuple[str, ...]
    units: tuple[str, str, str]
    moments: str
    as_of: str
    refresh: str
    programs: str


def _headline_uk(lit: int, total: int) -> str:
    word = "місця" if total % 10 == 1 and total % 100 != 11 else "місць"
    return f"Світло є у {lit} з {total} {word}"


def _headline_en(lit: int, total: int) -> str:
    return f"{lit} of {total} {'place' if total == 1 else 'places'} {'has' if lit == 1 else 'have'} power"


UK = Words(
    code="uk",
    name="Українська",
    title="Світло",
    headline=_headline_uk,
    no_places="Відкритих місць поки що немає",
    states={
        SiteStateWord.ON: "Світло є",
        SiteStateWord.OFF: "Світла немає",
        SiteStateWord.PARTIAL: "Є частково",
        SiteStateWord.LATE: "Сигнал запізнюється",
        SiteStateWord.BACKUP: "На резерві",
        SiteStateWord.UNKNOWN: "Невідомо",
        SiteStateWord.MAINTENANCE: "Техроботи",
    },
    since="з {moment}",
    no_data="даних ще не було",
    going="триває {duration}",
    some_off="без світла {off} з {total}",
    work_until="до {moment}",
    unstable="Світло то зникає, то вертається",
    last_outage="Останнє відключення",
    previous_outage="Попереднє відключення",
    no_outages="Відключень не зафіксовано",
    stale="Дані можуть бути застарілі",
    stale_advice="Спостереження зараз не працює: нижче те, що було відомо востаннє.",
    unavailable="Дані зараз недоступні",
    unavailable_advice="База даних не відповідає. Сторінка спробує ще раз сама.",
    yesterday="вчора",
    months=("січ.", "лют.", "бер.", "квіт.", "трав.", "черв.", "лип.", "серп.", "вер.", "жовт.", "лист.", "груд."),
    units=("дн", "год", "хв"),
    moments="менше хвилини",
    as_of="Станом на {moment}, час {zone}.",
    refresh="Оновлюється кожні 30 секунд.",
    programs="Для програм: OpenAPI",
)

EN = Words(
    code="en",
    name="English",
    title="Svitlo",
    headline=_headline_en,
    no_places="There are no public places yet",
    states={
        SiteStateWord.ON: "Power on",
        SiteStateWord.OFF: "No power",
        SiteStateWord.PARTIAL: "Partly on",
        SiteStateWord.LATE: "Signal late",
        SiteStateWord.BACKUP: "On backup",
        SiteStateWord.UNKNOWN: "Unknown",
        SiteStateWord.MAINTENANCE: "Maintenance",
    },
    since="since {moment}",
    no_data="no data yet",
    going="for {duration}",
    some_off="{off} of {total} without power",
    work_until="until {moment}",
    unstable="Power comes and goes",
    last_outage="Last outage",
    previous_outage="Previous outage",
    no_outages="No outages recorded",
    stale="This may be out of date",
    stale_advice="Monitoring is not running now: below is what was last known.",
    unavailable="No data right now",
    unavailable_advice="The database does not answer. This page tries again by itself.",
    yesterday="yesterday",
    months=("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    units=("d", "h", "min"),
    moments="less than a minute",
    as_of="As of {moment}, {zone} time.",
    refresh="Refreshes every 30 seconds.",
    programs="For programs: OpenAPI",
)

LANGUAGES = {words.code: words for words in (UK, EN)}


def choose(asked: str | None, accept_language: str, default: str) -> Words:
    """The language asked for, else the first we have in `Accept-Language` (RFC 9110, 12.5.4), else `default`."""
    if asked in LANGUAGES:
        return LANGUAGES[asked]
    wishes: list[tuple[float, str]] = []
    for entry in accept_language.split(","):
        tag, _, weight = entry.partition(";")
        code = tag.strip().lower().partition("-")[0]
        if code in LANGUAGES and (quality := _quality(weight)) > 0:
            wishes.append((quality, code))
    # The first of equal wishes wins: max keeps it.
    return LANGUAGES[max(wishes, key=lambda wish: wish[0])[1] if wishes else default]


def _quality(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


def tell_moment(words: Words, moment: datetime, now: datetime, zone: ZoneInfo) -> str:
    """A moment as people say it in `zone`: the time alone for today, the day with it before."""
    there, today = moment.astimezone(zone), now.astimezone(zone).date()
    time = f"{there:%H:%M}"
    if there.date() == today:
        return time
    if there.date() == today - timedelta(days=1):
        return f"{words.yesterday} {time}"
    year = "" if there.year == today.year else f" {there.year}"
    return f"{there.day} {words.months[there.month - 1]}{year}, {time}"


def tell_duration(words: Words, duration: timedelta) -> str:
    """A duration in its two largest units, rounded down to the minute."""
    days, hours, minutes = words.units
    whole = max(int(duration.total_seconds()) // 60, 0)
    if whole == 0:
        return words.moments
    parts = [(whole // 1440, days), (whole // 60 % 24, hours), (whole % 60, minutes)]
    first = next(index for index, (count, _) in enumerate(parts) if count)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count)
