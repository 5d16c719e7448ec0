"""Words, durations and clock times in both languages."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from importlib import resources
from itertools import product

import pytest

from services.notifier.texts import LANGUAGES, language_of, words
from services.notifier.views import (
    HEADLINE_NAME,
    Alert,
    Reader,
    SiteStatus,
    alert_text,
    status_text,
)
from svitlo.contracts import Cause, EventKind, SiteStateWord
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
            "↩️ Шевченка 12 — світло не зникало\nПовідомлення про 18:03 скасовано: плата лише втрачала звʼязок.",
            "↩️ Шевченка 12 — power was on after all\n"
            "The message about 18:03 is withdrawn: the board had only lost its connection.",
        ),
        (
            Cause.POWER,
            "✏️ Шевченка 12 — уточнено: світла не було з 18:03 до 19:03\nУсього 1 год",
            "✏️ Шевченка 12 — correction: power was off from 18:03 to 19:03\n1 h in all",
        ),
    ],
)
def test_a_revision_is_a_short_correction(cause: Cause, uk: str, en: str) -> None:
    revised = alert(
        EventKind.OUTAGE_REVISED, cause=cause, outage_started=LOST_AT, outage_ended=LOST_AT + timedelta(hours=1)
    )
    assert [alert_text(revised, reader(language)) for language in LANGUAGES] == [uk, en]


def test_a_late_alert_says_so_in_its_first_line() -> None:
    late = alert(EventKind.POWER_LOST, detected_at=NOW - timedelta(seconds=121))
    assert alert_text(late, reader()).splitlines()[0].endswith("з 18:03 (із запізненням)")
    timely = alert(EventKind.POWER_LOST, detected_at=NOW - timedelta(seconds=119))
    assert "запізненням" not in alert_text(timely, reader())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", [EventKind.POWER_LOST, EventKind.POWER_RESTORED])
def test_the_first_40_characters_say_place_and_state_even_of_a_long_name(language: str, kind: EventKind) -> None:
    name = "Багатоповерховий будинок на вулиці Шевченка, 12, секція 3"
    headline, full_name, *_ = alert_text(alert(kind, place=name), reader(language)).splitlines()
    state = {
        ("uk", EventKind.POWER_LOST): "світла немає",
        ("uk", EventKind.POWER_RESTORED): "світло є",
        ("en", EventKind.POWER_LOST): "power off",
        ("en", EventKind.POWER_RESTORED): "power on",
    }[language, kind]
    assert state in headline[:40]
    assert headline[2:].startswith(name[: HEADLINE_NAME - 3])
    assert full_name == name


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
    for kind in EventKind:
        assert "<b>" not in alert_text(alert(kind, place=long_name, outage_started=LOST_AT), careful)


def test_both_languages_have_the_same_texts_with_the_same_values() -> None:
    def shape(language: str) -> dict[str, set[str]]:
        source = resources.files("services.notifier").joinpath("locales", f"{language}.ftl").read_text("utf-8")
        marks = [*re.finditer(r"^([a-z0-9-]+) =", source, re.MULTILINE)]
        ends = [mark.start() for mark in marks[1:]] + [len(source)]
        return {
            mark[1]: set(re.findall(r"\$(\w+)", source[mark.start() : end]))
            for mark, end in zip(marks, ends, strict=True)
        }

    assert shape("uk") == shape("en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_cause_and_state_can_be_said(language: str, caplog: pytest.LogCaptureFixture) -> None:
    for kind, cause, ended in product(EventKind, Cause, (None, NOW)):
        said = alert(kind, cause=cause, outage_started=LOST_AT, outage_ended=ended, power_since=LOST_AT)
        assert alert_text(said, reader(language))
    for state, cause in product(SiteStateWord, Cause):
        site = SiteStatus(place="x", state=state, since=LOST_AT, cause=cause)
        assert status_text([site], reader(language))
    assert caplog.records == []


def test_the_language_comes_from_the_persons_own_or_the_setting() -> None:
    tags = ("uk", "en-GB", "EN", "pl", "", None)
    assert [language_of(tag, "uk") for tag in tags] == ["uk", "en", "en", "uk", "uk", "uk"]
    assert language_of("pl", "en") == "en"
    assert words("xx").language == "uk"
