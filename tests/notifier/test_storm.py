"""What several pending alerts become, in both languages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.rules import Held
from services.notifier.storm import Bundle, Queued, gather
from services.notifier.texts import words
from services.notifier.views import Alert, Reader, bundle_text
from svitlo.contracts import Cause, EventKind
from tests.notifier.conftest import KYIV

NOW = datetime(2026, 11, 20, 18, 10, tzinfo=UTC)  # 20:10 in Kyiv
LOST, RESTORED, REVISED = EventKind.POWER_LOST, EventKind.POWER_RESTORED, EventKind.OUTAGE_REVISED
NAMES = ("Шевченка 12", "Лесі Українки 5", "Франка 7", "Сковороди 1", "Хвильового 3")


def outage(number: int) -> UUID:
    return uuid5(UUID(int=5), str(number))


def queued(number: int, site: int, kind: EventKind, of: int = 1, ago_min: float = 1, **known: Any) -> Queued:
    """Alert `number` of a chat's queue: of a site and of one of its outages."""
    at = NOW - timedelta(minutes=ago_min)
    own = {name: known.pop(name) for name in ("parent", "area", "held", "never", "end_told") if name in known}
    values: dict[str, Any] = {"cause": Cause.PRESUMED, "place": NAMES[site], "occurred_lo": at, "occurred_hi": at}
    alert = Alert(kind=kind, detected_at=known.pop("detected_at", at), **{**values, **known})
    return Queued(id=number, site_id=site, outage_id=outage(10 * site + of), alert=alert, **own)


def said(bundle: Bundle, language: str = "uk", now: datetime = NOW, *, morning: bool = False) -> list[str]:
    reader = Reader(words=words(language), zone=KYIV, now=now, escape=str)
    return bundle_text(bundle.entries, reader, morning=morning).splitlines()


def test_one_alert_stays_as_it_is() -> None:
    bundle = gather([queued(1, 0, LOST)])
    assert (bundle.told, bundle.vanished, bundle.site_id, bundle.kind) == ((1,), (), 0, LOST)
    assert said(bundle) == ["🔌 Шевченка 12 — світла немає з 20:09"]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("uk", ["💡 Шевченка 12 — світло є; не було 3 хв", "Не було з 20:05 до 20:08"]),
        ("en", ["💡 Шевченка 12 — power on; it was off for 3 min", "Off from 20:05 to 20:08"]),
    ],
)
def test_off_and_on_still_queued_are_one_note(language: str, text: list[str]) -> None:
    on_again = queued(2, 0, RESTORED, ago_min=2, outage_started=NOW - timedelta(minutes=5))
    bundle = gather([queued(1, 0, LOST, ago_min=5), on_again])
    assert bundle.told == (1, 2)
    assert said(bundle, language) == text


def test_a_note_that_comes_late_says_so() -> None:
    bundle = gather([queued(1, 0, LOST, ago_min=55), queued(2, 0, RESTORED, ago_min=50)])
    assert said(bundle)[0] == "💡 Шевченка 12 — світло є; не було 5 хв (із запізненням)"


def test_off_on_and_off_again_ends_with_off() -> None:
    before = NOW - timedelta(minutes=3)
    queue = [
        queued(1, 0, LOST, 1, 5),
        queued(2, 0, RESTORED, 1, 3),
        queued(3, 0, LOST, 2, 1, power_since=before),
    ]
    bundle = gather(queue)
    assert bundle.told == (1, 2, 3)
    assert said(bundle) == [
        "🔌 Шевченка 12 — світла немає з 20:09",
        "До того світло було 2 хв",
        "Раніше світла не було 2 хв",
    ]


@pytest.mark.parametrize(
    ("language", "earlier"), [("uk", "Раніше світла не було 3 год"), ("en", "Earlier it was off for 3 h")]
)
def test_a_night_that_ends_in_the_dark_tells_of_the_outage_before(language: str, earlier: str) -> None:
    held: dict[str, Any] = {"held": Held.QUIET, "held_until": NOW}
    queue = [
        queued(1, 0, LOST, 1, 540, **held),
        queued(2, 0, RESTORED, 1, 360, outage_started=NOW - timedelta(minutes=540), **held),
        queued(3, 0, LOST, 2, 90, power_since=NOW - timedelta(minutes=360), **held),
    ]
    assert said(gather(queue), language, morning=True)[-1] == earlier
    listed = said(gather([*queue, queued(4, 1, LOST, 1, 60, **held)]), language, morning=True)
    assert listed.index(f"   {earlier}") == 1 + next(n for n, line in enumerate(listed) if "18:40" in line)


def test_the_end_of_an_outage_that_was_told_counts_beside_what_came_after() -> None:
    end = queued(1, 0, RESTORED, of=1, ago_min=10, outage_started=NOW - timedelta(minutes=130))
    short = [
        queued(2, 0, LOST, of=2, ago_min=5),
        queued(3, 0, RESTORED, of=2, ago_min=3, outage_started=NOW - timedelta(minutes=5)),
    ]
    both = ["💡 Шевченка 12 — світло є; не було 2 год 2 хв (із запізненням)", "Зникало 2 рази, є з 20:07"]
    assert said(gather([end, *short])) == both
    assert said(gather([end, short[0]]))[-1] == "Раніше світла не було 2 год"
    assert said(gather([end])) == ["💡 Шевченка 12 — світло є з 20:00 (із запізненням)", "Не було 2 год"]


@pytest.mark.parametrize("correction_first", [True, False])
def test_a_correction_of_another_outage_stands_beside_how_it_is_now(correction_first: bool) -> None:
    taken_back = queued(1 if correction_first else 3, 0, REVISED, 1, 60, cause=Cause.NETWORK)
    queue = sorted([taken_back, queued(2, 0, LOST, 2, 1)], key=lambda item: item.id)
    bundle = gather(queue)
    assert bundle.kind is LOST
    assert said(bundle) == [
        "🔌 Шевченка 12 — світла немає з 20:09",
        "↩️ Повідомлення про 19:10 скасовано: плата лише втрачала звʼязок.",
    ]
    listed = said(gather([*queue, queued(9, 1, LOST, 1, 1)]), "en")
    assert "   ↩️ The message about 19:10 is withdrawn: the board had only lost its connection." in listed


def test_of_several_corrections_of_one_outage_the_last_counts() -> None:
    refined = queued(1, 0, REVISED, 1, 60, outage_started=NOW - timedelta(minutes=50))
    over = replace(refined.alert, outage_ended=NOW - timedelta(minutes=30))
    queue = [refined, replace(refined, id=2, alert=over), queued(3, 0, LOST, 2, 1)]
    assert said(gather(queue))[1:] == ["✏️ Уточнено: світла не було з 19:20 до 19:40"]


def test_what_is_late_in_a_list_is_marked_beside_what_is_not() -> None:
    lines = said(gather([queued(1, 0, LOST, ago_min=55), queued(2, 1, LOST, ago_min=0.1)]))
    assert [line.endswith("(із запізненням)") for line in lines] == [False, True, False]
    both_late = said(gather([queued(1, 0, LOST, ago_min=55), queued(2, 1, LOST, ago_min=50)]))
    assert [line.endswith("(із запізненням)") for line in both_late] == [True, False, False]


def test_a_queue_tells_the_times_as_they_are_known_now() -> None:
    began, ended = NOW - timedelta(minutes=120), NOW - timedelta(minutes=80)
    known = {"outage_started": began, "outage_ended": ended}
    queue = [queued(1, 0, LOST, 1, 100, **known), queued(2, 0, RESTORED, 1, 20, **known)]
    refined = queued(3, 0, REVISED, 1, 80, **known)
    assert said(gather([*queue, refined]), now=NOW - timedelta(minutes=19)) == [
        "💡 Шевченка 12 — світло є; не було 40 хв",
        "Не було з 18:10 до 18:50",
    ]
    still = {"outage_started": began}
    dark = [queued(1, 0, LOST, 1, 100, **still), queued(2, 0, REVISED, 1, 100, **still)]
    assert said(gather(dark))[0] == "🔌 Шевченка 12 — світла немає з 18:10 (із запізненням)"


@pytest.mark.parametrize(
    ("count", "text"),
    [(2, "Зникало 2 рази, є з 20:09"), (5, "Зникало 5 разів, є з 20:09"), (21, "Зникало 21 раз, є з 20:09")],
)
def test_several_outages_are_counted(count: int, text: str) -> None:
    queue = []
    for number in range(count):
        ago = 2 * (count - number)
        queue += [queued(2 * number, 0, LOST, number, ago), queued(2 * number + 1, 0, RESTORED, number, ago - 1)]
    assert said(gather(queue))[1] == text


@pytest.mark.parametrize("cause", [Cause.NETWORK, Cause.DEVICE])
def test_a_loss_taken_back_before_it_was_told_vanishes_with_the_retraction(cause: Cause) -> None:
    bundle = gather([queued(1, 0, LOST), queued(2, 0, REVISED, cause=cause)])
    assert (bundle.entries, bundle.told, bundle.vanished, bundle.kind) == ((), (), (1, 2), None)


def test_a_loss_told_before_is_taken_back() -> None:
    queue = [queued(2, 0, RESTORED), queued(3, 0, REVISED, cause=Cause.NETWORK, outage_started=NOW)]
    bundle = gather(queue)
    assert (bundle.told, bundle.vanished) == ((3,), (2,))
    assert said(bundle)[0] == "↩️ Шевченка 12 — світло було, не зникало"


def test_a_refinement_of_what_is_still_queued_needs_no_words() -> None:
    bundle = gather([queued(1, 0, LOST), queued(2, 0, REVISED)])
    assert bundle.told == (1, 2)
    assert said(bundle) == ["🔌 Шевченка 12 — світла немає з 20:09"]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        (
            "uk",
            [
                "⚡ Без світла 2 з 3",
                "🔌 Шевченка 12 — світла немає з 20:09",
                "🔌 Сковороди 1 — світла немає з 20:09",
                "💡 Лесі Українки 5 — світло є; не було 2 хв",
            ],
        ),
        (
            "en",
            [
                "⚡ Power off in 2 of 3",
                "🔌 Шевченка 12 — power off since 20:09",
                "🔌 Сковороди 1 — power off since 20:09",
                "💡 Лесі Українки 5 — power on; it was off for 2 min",
            ],
        ),
    ],
)
def test_several_places_are_a_list_with_those_without_power_first(language: str, text: list[str]) -> None:
    queue = [
        queued(1, 1, LOST, ago_min=3),
        queued(2, 0, LOST),
        queued(3, 1, RESTORED, ago_min=1),
        queued(4, 3, LOST),
    ]
    bundle = gather(queue)
    assert (bundle.told, bundle.site_id) == ((1, 2, 3, 4), None)
    assert said(bundle, language) == text


@pytest.mark.parametrize(("count", "text"), [(2, "🔌 Світла немає: 2 місця"), (5, "🔌 Світла немає: 5 місць")])
def test_a_list_of_losses_says_so_at_once(count: int, text: str) -> None:
    assert said(gather([queued(site + 1, site, LOST) for site in range(count)]))[0] == text


@pytest.mark.parametrize(
    ("parent", "language", "text"),
    [
        ("Оболонь", "uk", "🔌 Оболонь — світла немає з 20:09, місць: 4\nВодночас світло зникло ще у 36 місцях."),
        (None, "uk", "🔌 Світла немає одразу в багатьох місцях (40) з 20:09"),
        (
            "Оболонь",
            "en",
            "🔌 Оболонь — power off since 20:09, places: 4\n36 other places lost power at the same time.",
        ),
        (None, "en", "🔌 Power off in many places at once (40) since 20:09"),
    ],
)
def test_many_places_gone_at_once_are_one_area(parent: str | None, language: str, text: str) -> None:
    area = uuid5(UUID(int=5), "area")
    queue = [queued(site + 1, site, LOST, parent=parent, area=area, area_sites=40) for site in range(4)]
    assert "\n".join(said(gather(queue), language)[:-4]) == text


@pytest.mark.parametrize(
    ("others", "text"), [(1, "ще в 1 місці."), (2, "ще у 2 місцях."), (21, "ще в 21 місці."), (11, "ще у 11 місцях.")]
)
def test_one_place_of_an_area_says_that_it_is_not_alone(others: int, text: str) -> None:
    assert said(gather([queued(1, 0, LOST, area_sites=others + 1)]))[1].endswith(text)


@pytest.mark.parametrize(
    ("above", "name", "first", "second"),
    [
        ("Франка 7", "Секція 1", "🔌 Франка 7, Секція 1 — світла немає з 20:09", None),
        (
            "Подільський район",
            "Франка 7",
            "🔌 Подільський…, Франка 7 — світла немає з 20:09",
            "Подільський район, Франка 7",
        ),
        ("Франка 7", "Франка 7, секція 1", "🔌 Франка 7, секція 1 — світла немає з 20:09", None),
        ("Поділ", "Дитячий садок № 117", "🔌 Дитячий садок № 117 — світла немає з 20:09", "Поділ, Дитячий садок № 117"),
    ],
)
def test_a_section_is_told_with_its_building(above: str, name: str, first: str, second: str | None) -> None:
    lines = said(gather([queued(1, 0, LOST, place=name, above=above)]))
    assert lines[0] == first
    assert lines[1:2] == ([second] if second else [])


@pytest.mark.parametrize(
    ("kind", "others", "off", "uk", "en"),
    [
        (LOST, 3, 0, "Франка 7: без світла 1 з 4", "Франка 7: power off in 1 of 4"),
        (LOST, 3, 3, "Франка 7: без світла всі 4", "Франка 7: power off in all 4"),
        (RESTORED, 3, 2, "Франка 7: без світла 2 з 4", "Франка 7: power off in 2 of 4"),
        (RESTORED, 3, 0, None, None),
        (LOST, 0, 0, None, None),
    ],
)
def test_an_alert_of_a_section_says_whether_it_is_alone(
    kind: EventKind, others: int, off: int, uk: str | None, en: str | None
) -> None:
    around: dict[str, Any] = {"above": "Франка 7", "parent": "Франка 7", "others": others, "others_off": off}
    queue = [queued(1, 0, kind, place="Секція 1", **around)]
    for language, line in (("uk", uk), ("en", en)):
        assert said(gather(queue), language)[1:] == ([line] if line else [])


def test_in_a_list_a_common_building_is_named_once() -> None:
    queue = [queued(n, n, LOST, place=f"Секція {n}", above="Франка 7", parent="Франка 7") for n in (1, 2)]
    assert said(gather(queue)) == [
        "🔌 Світла немає: 2 місця — Франка 7",
        "🔌 Секція 1 — світла немає з 20:09",
        "🔌 Секція 2 — світла немає з 20:09",
    ]
    queue.append(queued(3, 3, LOST, place="Секція 1", above="Лугова 1", parent="Лугова 1"))
    assert said(gather(queue))[1:] == [
        "🔌 Франка 7, Секція 1 — світла немає з 20:09",
        "🔌 Франка 7, Секція 2 — світла немає з 20:09",
        "🔌 Лугова 1, Секція 1 — світла немає з 20:09",
    ]


def test_a_long_list_is_cut_and_counted() -> None:
    queue = [queued(site, 0, LOST) for site in range(1, 201)]
    queue = [replace(item, site_id=item.id, outage_id=outage(item.id)) for item in queue]
    lines = said(gather(queue))
    assert sum(len(line) + 1 for line in lines) < 3200
    assert lines[0] == "🔌 Світла немає: 200 місць"
    assert lines[-1] == f"… і ще {200 - (len(lines) - 2)} місць"


def test_the_morning_sums_up_and_is_not_late() -> None:
    held: dict[str, Any] = {"held": Held.QUIET, "held_until": NOW}
    queue = [
        queued(1, 0, LOST, ago_min=300, **held),
        queued(2, 1, LOST, ago_min=200, **held),
        queued(3, 0, RESTORED, ago_min=100, **held),
    ]
    bundle = gather(queue)
    assert bundle.held is Held.QUIET
    assert said(bundle, morning=True) == [
        "🌙 За тихі години:",
        "⚡ Без світла 1 з 2",
        "🔌 Лесі Українки 5 — світла немає з 16:50",
        "💡 Шевченка 12 — світло є; не було 3 год 20 хв",
    ]


def test_after_a_mute_only_what_stands_otherwise_is_told() -> None:
    held: dict[str, Any] = {"held": Held.MUTE, "held_until": NOW}
    queue = [
        queued(1, 0, LOST, **held),
        queued(2, 0, RESTORED, **held),
        queued(3, 1, LOST, **held),
        queued(4, 2, RESTORED, **held),
    ]
    bundle = gather(queue)
    assert (bundle.told, bundle.vanished) == ((3, 4), (1, 2))


def test_a_loss_kept_back_whose_end_was_told_meanwhile_vanishes() -> None:
    queue = [queued(1, 0, LOST, held=Held.QUIET, outage_ended=NOW, end_told=True)]
    assert gather(queue).vanished == (1,)


def test_other_times_of_an_outage_whose_end_was_told_meanwhile_are_told() -> None:
    held: dict[str, Any] = {"held": Held.QUIET, "outage_ended": NOW}
    queue = [queued(1, 0, LOST, end_told=True, **held), queued(2, 0, REVISED, cause=Cause.POWER, **held)]
    assert (gather(queue).told, gather(queue).vanished) == ((2,), (1,))


@pytest.mark.parametrize("refined", [False, True])
def test_who_wants_no_returns_reads_in_the_morning_of_the_outage_that_is_over(refined: bool) -> None:
    known: dict[str, Any] = {
        "held": Held.QUIET,
        "outage_started": NOW - timedelta(minutes=300),
        "outage_ended": NOW - timedelta(minutes=180),
        "held_until": NOW,
    }
    queue = [queued(1, 0, LOST, ago_min=290 if refined else 300, **known)]
    if refined:
        queue.append(queued(2, 0, REVISED, ago_min=300, cause=Cause.POWER, **known))
    bundle = gather(queue)
    assert bundle.vanished == ()
    assert said(bundle, morning=True) == [
        "💡 Шевченка 12 — світло є; не було 2 год",
        "Не було з 15:10 до 17:10",
    ]


def test_who_wants_no_returns_reads_of_each_outage_of_the_night() -> None:
    ends: dict[str, Any] = {"held": Held.QUIET, "held_until": NOW}
    first = queued(1, 0, LOST, 1, 300, outage_ended=NOW - timedelta(minutes=280), **ends)
    second = queued(2, 0, LOST, 2, 200, outage_ended=NOW - timedelta(minutes=140), **ends)
    going_on = queued(3, 0, LOST, 3, 30, **ends)
    assert said(gather([first, second]), "en", morning=True) == [
        "💡 Шевченка 12 — power on; it was off for 1 h 20 min",
        "Off 2 times, on since 17:50",
    ]
    assert said(gather([first, second, going_on]), "en", morning=True) == [
        "🔌 Шевченка 12 — power off since 19:40",
        "Earlier it was off 2 times, for 1 h 20 min in all",
    ]


@pytest.mark.parametrize(
    "held", [{"held": Held.MUTE}, {"held": Held.LONG, "held_until": NOW}], ids=["in a mute", "too short"]
)
def test_what_only_refines_a_loss_that_is_not_told_vanishes_with_it(held: dict[str, Any]) -> None:
    known = {"outage_ended": NOW - timedelta(minutes=2), **held}
    queue = [queued(1, 0, LOST, ago_min=5, **known), queued(2, 0, REVISED, ago_min=6, cause=Cause.POWER, **known)]
    assert gather(queue).vanished == (1, 2)


def test_what_was_off_in_a_mute_is_not_mentioned_though_its_times_were_refined() -> None:
    known: dict[str, Any] = {"held": Held.MUTE, "outage_ended": NOW}
    kinds = (LOST, REVISED, RESTORED)
    queue = [queued(number, 0, kind, cause=Cause.POWER, **known) for number, kind in enumerate(kinds, 1)]
    assert gather(queue).vanished == (1, 2, 3)
    assert gather([*queue, queued(4, 0, REVISED, of=7, cause=Cause.NETWORK, held=Held.MUTE)]).told == (1, 2, 3, 4)


def test_a_loss_that_is_over_by_the_time_it_is_told_does_not_say_that_it_goes_on() -> None:
    """Whoever is told of losses only, is not owed the end."""
    known: dict[str, Any] = {"outage_started": NOW - timedelta(minutes=30), "outage_ended": NOW - timedelta(minutes=10)}
    bundle = gather([queued(1, 0, LOST, ago_min=30, **known)])
    assert bundle.told == (1,)
    assert said(bundle) == [
        "💡 Шевченка 12 — світло є; не було 20 хв (із запізненням)",
        "Не було з 19:40 до 20:00",
    ]
    several = gather([queued(1, 0, LOST, ago_min=30, **known), queued(2, 1, LOST)])
    assert [line[0] for line in said(several)] == ["⚡", "🔌", "💡"]


def test_a_loss_taken_back_before_it_was_told_vanishes_for_those_too_who_are_owed_no_retraction() -> None:
    bundle = gather([queued(1, 0, LOST, never=True, outage_ended=NOW), queued(2, 1, LOST)])
    assert (bundle.told, bundle.vanished) == ((2,), (1,))


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=25))
def test_the_last_word_on_each_place_is_the_truth(steps: Sequence[tuple[int, bool]]) -> None:
    """Places flip in any order, some losses never were; what was told before is that all were on."""
    power = dict.fromkeys(range(5), True)
    queue: list[Queued] = []
    for number, (site, retract) in enumerate(steps, 1):
        if power[site]:
            queue.append(replace(queued(number, site, LOST, 1, 100 - number), outage_id=outage(1000 + number)))
        elif retract:
            latest = queue[_last_index(queue, site)]
            revised = queued(number, site, REVISED, 1, 100 - number, cause=Cause.NETWORK)
            queue.append(replace(revised, outage_id=latest.outage_id))
        else:
            latest = queue[_last_index(queue, site)]
            queue.append(replace(queued(number, site, RESTORED, 1, 100 - number), outage_id=latest.outage_id))
        power[site] = not power[site]
    bundle = gather(queue)
    assert sorted((*bundle.told, *bundle.vanished)) == [item.id for item in queue]
    told = {entry.alert.place: entry.alert.kind for entry in bundle.entries}
    for site, on in power.items():
        if not on:
            assert told[NAMES[site]] is LOST
        else:
            assert told.get(NAMES[site]) in (None, RESTORED)


def _last_index(queue: Sequence[Queued], site: int) -> int:
    return max(index for index, item in enumerate(queue) if item.site_id == site)
