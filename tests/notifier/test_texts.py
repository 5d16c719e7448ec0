"""Words, durations and clock times in both languages."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from services.notifier.texts import LANGUAGES, language_of, sources, words
from services.notifier.views import (
    ALERT_KINDS,
    HEADLINE_NAME,
    Alert,
    Reader,
    SiteStatus,
    StillOff,
    alert_text,
    reminders_text,
    status_text,
)
from svitlo.contracts import Cause, EventKind, Flapping, PowerState, SiteStateWord
from tests.notifier.conftest import KYIV

NOW = datetime(2026, 11, 20, 18, 10, tzinfo=UTC)  # 20:10 in Kyiv
LOST_AT = datetime(2026, 11, 20, 16, 3, tzinfo=UTC)


def plain(text: str) -> str:
    return text


def reader(language: str = "uk", now: datetime = NOW) -> Reader:
    return Reader(words=words(language), zone=KYIV, now=now, escape=plain)


def alert(kind: EventKind, at: datetime = LOST_AT, *, place: str = "Шевченка 12", **known: object) -> Alert:
    facts: dict[str, object] = {
        "kind": kind,
        "cause": Cause.PRESUMED,
        "place": place,
        "occurred_lo": at,
        "occurred_hi": at + timedelta(seconds=20),
        "detected_at": NOW,
    }
    return Alert(**(facts | known))  # type: ignore[arg-type]


def flapping(power: PowerState = PowerState.ON, *, changes: int = 12, off_s: float = 545.0) -> Flapping:
    return Flapping(since=LOST_AT, changes=changes, off_s=off_s, power=power)


def span(days: int = 0, hours: int = 0, minutes: int = 0, seconds: int = 0) -> timedelta:
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


@pytest.mark.parametrize(
    ("given", "uk", "en"),
    [
        (span(), "1 с", "1 s"),
        (span(seconds=59), "59 с", "59 s"),
        (span(minutes=-5), "1 с", "1 s"),
        (span(minutes=1), "1 хв", "1 min"),
        (span(minutes=59, seconds=59), "59 хв", "59 min"),
        (span(hours=2), "2 год", "2 h"),
        (span(hours=2, minutes=5), "2 год 5 хв", "2 h 5 min"),
        (span(hours=23, minutes=59), "23 год 59 хв", "23 h 59 min"),
        (span(days=1), "1 день", "1 day"),
        (span(days=1, minutes=7), "1 день", "1 day"),
        (span(days=2, hours=3, minutes=59), "2 дні 3 год", "2 days 3 h"),
        (span(days=5), "5 днів", "5 days"),
        (span(days=11), "11 днів", "11 days"),
        (span(days=21), "21 день", "21 days"),
        (span(days=22, hours=22), "22 дні 22 год", "22 days 22 h"),
    ],
)
def test_durations_show_their_two_largest_units(given: timedelta, uk: str, en: str) -> None:
    assert (words("uk").duration(given), words("en").duration(given)) == (uk, en)


@pytest.mark.parametrize(
    ("count", "uk", "en"),
    [
        (0, "…і ще 0 місць", "…and 0 more places"),
        (1, "…і ще 1 місце", "…and 1 more place"),
        (2, "…і ще 2 місця", "…and 2 more places"),
        (5, "…і ще 5 місць", "…and 5 more places"),
        (11, "…і ще 11 місць", "…and 11 more places"),
        (21, "…і ще 21 місце", "…and 21 more places"),
        (22, "…і ще 22 місця", "…and 22 more places"),
    ],
)
def test_plurals_follow_each_language(count: int, uk: str, en: str) -> None:
    said = [words(language).say("status-more", count=count) for language in LANGUAGES]
    assert said == [uk, en]


@pytest.mark.parametrize(
    ("count", "uk", "en"),
    [
        (0, "0 змін", "0 changes"),
        (1, "1 зміна", "1 change"),
        (2, "2 зміни", "2 changes"),
        (5, "5 змін", "5 changes"),
        (11, "11 змін", "11 changes"),
        (21, "21 зміна", "21 changes"),
        (22, "22 зміни", "22 changes"),
        (101, "101 зміна", "101 changes"),
    ],
)
def test_changes_are_counted_as_each_language_does(count: int, uk: str, en: str) -> None:
    told = [
        alert_text(alert(kind, flapping=flapping(changes=count)), reader(language)).splitlines()[1]
        for kind, language in product((EventKind.UNSTABLE, EventKind.STABLE), LANGUAGES)
    ]
    assert told == [
        f"Уже {uk}. Про кожну не писатиму, доки не стане стабільно.",
        f"{en} so far. I will not report each one until the power is stable.",
        f"{uk} з 18:03 до 18:03, без світла загалом 9 хв",
        f"{en} between 18:03 and 18:03, off for 9 min in all",
    ]


@pytest.mark.parametrize(
    ("language", "lost", "restored"),
    [
        (
            "uk",
            "🔌 Шевченка 12 — світла немає з 18:03\nДо того світло було 3 год",
            "💡 Шевченка 12 — світло є з 20:10\nНе було 2 год 7 хв",
        ),
        (
            "en",
            "🔌 Шевченка 12 — power off since 18:03\nBefore that it was on for 3 h",
            "💡 Шевченка 12 — power on since 20:10\nIt was off for 2 h 7 min",
        ),
    ],
)
def test_alerts_say_place_state_and_time_and_then_how_long(language: str, lost: str, restored: str) -> None:
    before = alert(EventKind.POWER_LOST, power_since=LOST_AT - timedelta(hours=3))
    assert alert_text(before, reader(language)) == lost
    after = alert(EventKind.POWER_RESTORED, NOW, outage_started=LOST_AT)
    assert alert_text(after, reader(language)) == restored


def test_what_is_not_known_is_not_said() -> None:
    assert alert_text(alert(EventKind.POWER_LOST), reader()) == "🔌 Шевченка 12 — світла немає з 18:03"
    assert alert_text(alert(EventKind.POWER_RESTORED, NOW), reader()) == "💡 Шевченка 12 — світло є з 20:10"


def test_a_loss_is_shown_from_the_last_proof_and_a_restore_from_its_own() -> None:
    moment = datetime(2026, 11, 20, 15, 59, 50, tzinfo=UTC)
    assert "з 17:59" in alert_text(alert(EventKind.POWER_LOST, moment), reader())
    assert "з 18:00" in alert_text(alert(EventKind.POWER_RESTORED, moment), reader())


@pytest.mark.parametrize(
    ("cause", "uk", "en"),
    [
        (
            Cause.NETWORK,
            "↩️ Шевченка 12 — світло було, не зникало\nПовідомлення про 18:03 скасовано: плата лише втрачала звʼязок.",
            "↩️ Шевченка 12 — power was on after all\n"
            "The message about 18:03 is withdrawn: the board had only lost its connection.",
        ),
        (
            Cause.POWER,
            "✏️ Шевченка 12 — без світла з 18:03 до 19:03 (уточнено)\nУсього 1 год",
            "✏️ Шевченка 12 — was off from 18:03 to 19:03 (corrected)\n1 h in all",
        ),
    ],
)
def test_a_revision_is_a_short_correction(cause: Cause, uk: str, en: str) -> None:
    revised = alert(
        EventKind.OUTAGE_REVISED, cause=cause, outage_started=LOST_AT, outage_ended=LOST_AT + timedelta(hours=1)
    )
    assert [alert_text(revised, reader(language)) for language in LANGUAGES] == [uk, en]


def test_power_that_comes_and_goes_is_told_as_one() -> None:
    unstable = alert(EventKind.UNSTABLE, flapping=flapping(changes=5))
    assert [alert_text(unstable, reader(language)) for language in LANGUAGES] == [
        "⚡ Шевченка 12 — світло блимає з 18:03\nУже 5 змін. Про кожну не писатиму, доки не стане стабільно.",
        "⚡ Шевченка 12 — on and off since 18:03\n"
        "5 changes so far. I will not report each one until the power is stable.",
    ]


def test_a_board_whose_connection_comes_and_goes_is_not_called_power() -> None:
    unstable = alert(EventKind.UNSTABLE, flapping=flapping(changes=5), cause=Cause.NETWORK)
    assert [alert_text(unstable, reader(language)).split("\n")[0] for language in LANGUAGES] == [
        "📶 Шевченка 12 — плата зникає зі звʼязку від 18:03",
        "📶 Шевченка 12 — board unreachable on and off since 18:03",
    ]


@pytest.mark.parametrize(
    ("power", "uk", "en"),
    [
        (
            PowerState.ON,
            "💡 Шевченка 12 — світло є з 18:25, більше не блимає\n12 змін з 18:03 до 18:25, без світла загалом 9 хв",
            "💡 Шевченка 12 — power on since 18:25, stable again\n"
            "12 changes between 18:03 and 18:25, off for 9 min in all",
        ),
        (
            PowerState.OFF,
            "🔌 Шевченка 12 — світла немає з 18:25, більше не блимає\n"
            "12 змін з 18:03 до 18:25, без світла загалом 9 хв",
            "🔌 Шевченка 12 — power off since 18:25, stable now\n"
            "12 changes between 18:03 and 18:25, off for 9 min in all",
        ),
        (
            PowerState.UNKNOWN,
            "❔ Шевченка 12 — стан невідомий\n12 змін з 18:03 до 18:25, без світла загалом 9 хв",
            "❔ Шевченка 12 — state unknown\n12 changes between 18:03 and 18:25, off for 9 min in all",
        ),
    ],
)
def test_when_it_is_stable_again_one_message_sums_it_up(power: PowerState, uk: str, en: str) -> None:
    stable = alert(EventKind.STABLE, occurred_hi=LOST_AT + span(minutes=22), flapping=flapping(power))
    assert [alert_text(stable, reader(language)) for language in LANGUAGES] == [uk, en]


def test_a_summary_dates_the_power_as_its_own_outage_does() -> None:
    last: dict[str, Any] = {
        "outage_started": LOST_AT + span(minutes=20),
        "outage_ended": LOST_AT + span(minutes=21),
        "occurred_hi": LOST_AT + span(minutes=22),
    }
    told = [
        alert_text(alert(EventKind.STABLE, flapping=flapping(power, off_s=0.0), **last), reader("en"))
        for power in (PowerState.OFF, PowerState.ON)
    ]
    assert told == [
        "🔌 Шевченка 12 — power off since 18:23, stable now\n12 changes between 18:03 and 18:23",
        "💡 Шевченка 12 — power on since 18:24, stable again\n12 changes between 18:03 and 18:24",
    ]


def test_an_outage_nobody_watched_is_told_as_one_with_both_its_ends() -> None:
    missed = alert(
        EventKind.POWER_RESTORED, NOW - span(minutes=30), outage_started=LOST_AT, cause=Cause.POWER, reconstructed=True
    )
    assert [alert_text(missed, reader(language)) for language in LANGUAGES] == [
        "💡 Шевченка 12 — світло є; не було з 18:03 до 19:40\nУсього 1 год 37 хв. Svitlo тоді не стежило.",
        "💡 Шевченка 12 — power on; it was off from 18:03 to 19:40\n1 h 37 min in all. Svitlo was not watching then.",
    ]


def test_a_late_alert_says_so_in_its_first_line() -> None:
    late = alert(EventKind.POWER_LOST, detected_at=NOW - timedelta(seconds=121))
    assert alert_text(late, reader()).splitlines()[0].endswith("з 18:03 (із запізненням)")
    timely = alert(EventKind.POWER_LOST, detected_at=NOW - timedelta(seconds=119))
    assert "запізненням" not in alert_text(timely, reader())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", [EventKind.POWER_LOST, EventKind.POWER_RESTORED, EventKind.UNSTABLE, EventKind.STABLE])
@pytest.mark.parametrize("past", [False, True])
def test_the_first_40_characters_say_place_and_state_even_of_a_long_name(
    language: str, kind: EventKind, past: bool
) -> None:
    name = "Багатоповерховий будинок на вулиці Шевченка, 12, секція 3"
    told = alert(kind, place=name, flapping=flapping(PowerState.OFF), outage_started=LOST_AT, reconstructed=past)
    headline, full_name, *_ = alert_text(told, reader(language)).splitlines()
    state = {
        ("uk", EventKind.POWER_LOST): "світла немає",
        ("uk", EventKind.POWER_RESTORED): "світло є",
        ("en", EventKind.POWER_LOST): "power off",
        ("en", EventKind.POWER_RESTORED): "power on",
        ("uk", EventKind.UNSTABLE): "світло блимає",
        ("en", EventKind.UNSTABLE): "on and off",
        ("uk", EventKind.STABLE): "світла немає",
        ("en", EventKind.STABLE): "power off",
    }[language, kind]
    assert state in headline[:40]
    assert headline[2:].startswith(name[: HEADLINE_NAME - 3])
    assert full_name == name


@pytest.mark.parametrize(
    ("cause", "ended", "uk", "en"),
    [
        (Cause.NETWORK, None, "світло було", "power was on"),
        (Cause.POWER, None, "світла немає", "power off"),
        (Cause.POWER, LOST_AT + timedelta(hours=1), "без світла", "was off"),
    ],
)
def test_the_first_40_characters_of_a_correction_say_what_was(
    cause: Cause, ended: datetime | None, uk: str, en: str
) -> None:
    name = "Багатоповерховий будинок на вулиці Шевченка, 12, секція 3"
    told = alert(EventKind.OUTAGE_REVISED, place=name, cause=cause, outage_started=LOST_AT, outage_ended=ended)
    for language, state in (("uk", uk), ("en", en)):
        assert state in alert_text(told, reader(language)).splitlines()[0][:40]


def test_the_first_40_characters_of_a_reminder_say_place_and_state() -> None:
    name = "Багатоповерховий будинок на вулиці Шевченка, 12, секція 3"
    for language, state in (("uk", "світла немає"), ("en", "still off")):
        assert state in reminders_text([StillOff(name, LOST_AT)], reader(language))[:40]


def test_times_are_the_readers_with_the_date_when_it_is_another_day() -> None:
    say = words("uk").time
    assert say(LOST_AT, KYIV, NOW) == "18:03"
    assert say(LOST_AT - timedelta(days=1), KYIV, NOW) == "18:03 19 листопада"
    assert say(LOST_AT.replace(year=2025), KYIV, NOW) == "18:03 20 листопада 2025"
    assert words("en").time(LOST_AT - timedelta(days=1), KYIV, NOW) == "18:03 19 November"
    # Midnight is the reader's, not Greenwich's: 22:30 UTC is already tomorrow in Kyiv.
    assert say(datetime(2026, 11, 19, 22, 30, tzinfo=UTC), KYIV, NOW) == "00:30"


def test_clock_changes_move_the_times_and_not_the_durations() -> None:
    before = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # 03:30 summer time; at 04:00 clocks go back to 03:00
    after = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)  # 03:30 again
    text = alert_text(alert(EventKind.POWER_RESTORED, after, outage_started=before), reader(now=after))
    assert text == "💡 Шевченка 12 — світло є з 03:30\nНе було 1 год"
    spring = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)  # 02:30; at 03:00 clocks go on to 04:00
    assert words("uk").time(spring + timedelta(hours=1), KYIV, NOW.replace(month=3, day=29)) == "04:30"


def test_a_status_names_state_since_how_long_and_the_cause() -> None:
    sites = [
        SiteStatus(place="Шевченка 12", state=SiteStateWord.OFF, since=LOST_AT, cause=Cause.PRESUMED),
        SiteStatus(place="Лесі Українки 3", state=SiteStateWord.ON, since=NOW - timedelta(days=2), cause=None),
        SiteStatus(place="Школа", state=SiteStateWord.UNKNOWN, since=None, cause=None),
    ]
    assert status_text(sites, reader()) == (
        "🔌 Шевченка 12 — світла немає з 18:03 (2 год 7 хв)\n"
        "Плата перестала відповідати; причину ще не підтверджено.\n\n"
        "💡 Лесі Українки 3 — світло є з 20:10 18 листопада (2 дні)\n\n"
        "❔ Школа — стан невідомий"
    )


def test_a_status_tells_what_stands_under_a_place_and_dates_only_what_it_can() -> None:
    lit: dict[str, Any] = {"since": LOST_AT, "cause": None, "power": PowerState.ON}
    sites = [
        SiteStatus(place="Район", state=SiteStateWord.PARTIAL, children=12, children_off=3, **lit),
        SiteStatus(place="Село", state=SiteStateWord.ON, children=4, **lit),
        SiteStatus(place="Дім", state=SiteStateWord.LATE, **lit),
        SiteStatus(place="Школа", state=SiteStateWord.BACKUP, **lit),
        SiteStatus(place="Клуб", state=SiteStateWord.MAINTENANCE, **lit),
        SiteStatus(place="Сад", state=SiteStateWord.MAINTENANCE, since=NOW, cause=None, power=PowerState.OFF),
    ]
    assert status_text(sites, reader()) == (
        "🌗 Район — світло є не всюди\nБез світла 3 з 12\n\n"
        "💡 Село — світло є з 18:03 (2 год 7 хв)\n\n"
        "⏳ Дім — плата мовчить, чекаємо\n\n"
        "🔋 Школа — резервне живлення\n\n"
        "🛠 Клуб — технічні роботи\nСвітло є з 18:03 (2 год 7 хв)\n\n"
        "🛠 Сад — технічні роботи\nСвітла немає з 20:10 (1 с)"
    )
    assert status_text([sites[0], sites[-1]], reader("en")) == (
        "🌗 Район — power on in parts\n3 of 12 without power\n\n🛠 Сад — maintenance\nPower off since 20:10 (1 s)"
    )


def test_a_status_of_very_many_sites_fits_one_message() -> None:
    site = SiteStatus(place="Будинок " + "х" * 100, state=SiteStateWord.OFF, since=LOST_AT, cause=Cause.POWER)
    text = status_text([site] * 200, reader())
    assert len(text) < 4096
    said = re.fullmatch(r"…і ще (\d+) місц\w+", text.split("\n\n")[-1])
    assert said is not None
    assert int(said[1]) + text.count("🔌") == 200


def test_names_are_escaped_wherever_they_stand() -> None:
    def marked(text: str) -> str:
        return text.replace("<", "&lt;")

    careful = Reader(words=words("uk"), zone=KYIV, now=NOW, escape=marked)
    site = SiteStatus(place="<b>", state=SiteStateWord.ON, since=None, cause=None)
    assert "<b>" not in status_text([site], careful)
    long_name = "<b>" * 20
    for kind in ALERT_KINDS:
        assert "<b>" not in alert_text(alert(kind, place=long_name, outage_started=LOST_AT), careful)


def test_both_languages_have_the_same_texts_with_the_same_values() -> None:
    def shape(language: str) -> dict[str, set[str]]:
        source = "\n".join(sources(language))
        marks = [*re.finditer(r"^([a-z0-9-]+) =", source, re.MULTILINE)]
        ends = [mark.start() for mark in marks[1:]] + [len(source)]
        return {
            mark[1]: set(re.findall(r"\$(\w+)", source[mark.start() : end]))
            for mark, end in zip(marks, ends, strict=True)
        }

    assert shape("uk") == shape("en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_cause_and_state_can_be_said(language: str, caplog: pytest.LogCaptureFixture) -> None:
    for kind, cause, ended, past in product(ALERT_KINDS, Cause, (None, NOW), (True, False)):
        said = alert(kind, cause=cause, outage_started=LOST_AT, outage_ended=ended, reconstructed=past)
        assert alert_text(said, reader(language))
    for kind, power in product((EventKind.UNSTABLE, EventKind.STABLE), PowerState):
        assert alert_text(alert(kind, flapping=flapping(power)), reader(language))
    for state, power, cause in product(SiteStateWord, PowerState, Cause):
        site = SiteStatus(place="x", state=state, since=LOST_AT, cause=cause, power=power, children=3, children_off=1)
        assert status_text([site], reader(language))
    assert caplog.records == []


def test_the_language_comes_from_the_persons_own_or_the_setting() -> None:
    tags = ("uk", "en-GB", "EN", "pl", "", None)
    assert [language_of(tag, "uk") for tag in tags] == ["uk", "en", "en", "uk", "uk", "uk"]
    assert language_of("pl", "en") == "en"
    assert words("xx").language == "uk"
