"""What admins read, in both languages."""

from __future__ import annotations

import html
from datetime import UTC, datetime, timedelta

import pytest

from services.notifier.people import Grant, Role
from services.notifier.texts import words
from services.notifier.views import Reader
from services.notifier.views.admins import (
    Fix,
    Operation,
    Progress,
    Silence,
    beat_text,
    broadcast_text,
    fix_text,
    operation_text,
    outage_label,
    people_text,
    progress_text,
)
from tests.notifier.conftest import KYIV

NOW = datetime(2026, 11, 21, 15, tzinfo=UTC)


def reader(language: str) -> Reader:
    return Reader(words=words(language), zone=KYIV, now=NOW, escape=lambda text: html.escape(text, quote=False))


def progress(count: int, state: str = "done") -> Progress:
    return Progress(state=state, total=count, sent=count, failed=0, dropped=0)


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("uk", "Хто що може:\n• 42 — власник, усі місця\n• 7 — перегляд, A &amp; B"),
        ("en", "Who may do what:\n• 42 — owner, all places\n• 7 — viewer, A &amp; B"),
    ],
)
def test_people(language: str, expected: str) -> None:
    grants = [
        Grant(1, 42, Role.OWNER, None, None, None, "cli", NOW),
        Grant(2, 7, Role.VIEWER, 3, "ab", "A & B", "telegram:42", NOW),
    ]
    assert people_text(grants, reader(language)) == expected


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        (
            "uk",
            "Чатів: 12, недоступних: 3\nУ черзі 2 повідомлення, найдавніше чекає 1 хв\n\nНе доставлено за добу:\n"
            "• 2 × a &lt;b&gt;\n\nПлати:\n🔇 Дім (h-1): ще не озивалася\n💓 Школа (h-2): 8 с тому",
        ),
        (
            "en",
            "Chats: 12, out of reach: 3\n2 messages queued, the oldest waits 1 min\n\nNot delivered in the last day:\n"
            "• 2 × a &lt;b&gt;\n\nBoards:\n🔇 Дім (h-1): never heard\n💓 Школа (h-2): 8 s ago",
        ),
    ],
)
def test_operation(language: str, expected: str) -> None:
    found = Operation(
        chats=12,
        blocked=3,
        queued=2,
        oldest_s=75.0,
        failures=(("a <b>", 2),),
        boards=(
            Silence(device="h-1", place="Дім", last_seen_at=None, late=True),
            Silence(device="h-2", place="Школа", last_seen_at=NOW - timedelta(seconds=8), late=False),
        ),
    )
    assert operation_text(found, reader(language)) == expected


def test_many_boards_are_cut() -> None:
    board = Silence(device="h" * 48, place="М" * 120, last_seen_at=None, late=True)
    found = Operation(chats=0, blocked=0, queued=0, oldest_s=None, failures=(), boards=(board,) * 500)
    said = operation_text(found, reader("uk"))
    assert said.endswith("…і ще 475")
    assert len(said) < 4096


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (
            "uk",
            {
                0: "0 чатів",
                1: "1 чат",
                2: "2 чати",
                5: "5 чатів",
                11: "11 чатів",
                21: "21 чат",
                22: "22 чати",
                101: "101 чат",
            },
        ),
        ("en", {count: f"{count} chat{'' if count == 1 else 's'}" for count in (0, 1, 2, 5, 11, 21, 22, 101)}),
    ],
)
def test_chats_are_counted_in_good_grammar(language: str, said: dict[int, str]) -> None:
    for count, expected in said.items():
        assert progress_text(progress(count), reader(language)).endswith(expected)
        assert expected in reader(language).words.say("cast-preview", count=count)


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("uk", "⏹ Зупинено. Встигли отримати 5 чатів\nНе вдалося: 1\nНе надсилалося: 4"),
        ("en", "⏹ Stopped. 5 chats got it before\nFailed: 1\nNot sent: 4"),
    ],
)
def test_a_stopped_broadcast(language: str, expected: str) -> None:
    found = Progress(state="cancelled", total=10, sent=5, failed=1, dropped=4)
    assert progress_text(found, reader(language)) == expected


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        (
            "uk",
            "Виправлення: Дім\nБуло: 11:00 20 листопада – 13:00 (2 год)\n"
            "Стане: 10:00 20 листопада – 14:00 21 листопада (1 день 4 год)\nПричина: a &lt; b",
        ),
        (
            "en",
            "Correction: Дім\nWas: 11:00 20 November – 13:00 (2 h)\n"
            "Becomes: 10:00 20 November – 14:00 21 November (1 day 4 h)\nReason: a &lt; b",
        ),
    ],
)
def test_a_correction_is_shown_with_its_dates(language: str, expected: str) -> None:
    fix = Fix(
        place="Дім",
        started=NOW - timedelta(hours=30),
        ended=NOW - timedelta(hours=28),
        new_started=NOW - timedelta(hours=31),
        new_ended=NOW - timedelta(hours=3),
        reason="a < b",
    )
    assert fix_text(fix, reader(language)) == expected


def test_outages_on_buttons() -> None:
    assert outage_label(NOW - timedelta(hours=3), NOW - timedelta(hours=1), reader("uk")) == "14:00 – 16:00 (2 год)"
    assert outage_label(NOW - timedelta(hours=3), None, reader("en")) == "goes on since 14:00"


def test_the_first_beat() -> None:
    ago = NOW - timedelta(seconds=12)
    assert beat_text("h-1", timedelta(0), ago, -61, reader("uk")) == "✅ h-1: сигнал отримано 12 с тому, −61 дБм"
    assert beat_text("h-1", timedelta(0), ago, None, reader("en")) == "✅ h-1: heartbeat received 12 s ago"
    waiting = beat_text("h-1", timedelta(seconds=75), None, None, reader("en"))
    assert waiting == "⏳ h-1: waiting for the first heartbeat… 1 min"


def test_a_broadcast_is_escaped() -> None:
    assert broadcast_text("<b> & co", reader("uk")) == "📣 &lt;b&gt; &amp; co"
