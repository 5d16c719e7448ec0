"""What the board remembers while nobody hears it: with the right times, within the contract, sparing the flash."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from svitlo.contracts import DeviceChannel, Journal
from svitlo.contracts.payloads import decode_device

if TYPE_CHECKING:
    from tests.firmware.conftest import Scripts

GOLDEN = Path(__file__).parents[1] / "contracts" / "golden" / "journal.json"
BOOT_NOW = ["boot", -20.0]
LOST_AND_BACK_AT_NOON = [["mains_lost", -556.0], ["mains_back", -526.0]]


def decoded(payload: str) -> Journal:
    """A payload as the server takes it."""
    journal = decode_device(DeviceChannel.JOURNAL, payload.encode())
    assert isinstance(journal, Journal)
    return journal


def test_the_golden_payload_comes_off_the_board_as_it_is(scripts: Scripts) -> None:
    payload = scripts.run("journal", "golden")["payload"]

    assert json.loads(payload) == json.loads(GOLDEN.read_text())
    assert decoded(payload).boot == "9f3c01ab"


def test_this_boots_entries_are_dated_by_uptime_without_a_clock(scripts: Scripts) -> None:
    result = scripts.run("journal", "one_boot")

    assert result["empty"] is None
    journal = decoded(result["payload"])
    assert journal.boot == "b0"
    assert [(entry.kind, entry.t_s) for entry in journal.entries] == [
        ("boot", -120.2),
        ("net_lost", -20.2),
        ("net_back", -20.0),
    ]
    assert result["flash"] == []
    assert (result["lost"], result["undated"]) == (0, 0)


def test_a_batch_lost_on_the_way_is_sent_again_dated_anew(scripts: Scripts) -> None:
    result = scripts.run("journal", "resend")

    assert result["first"] == [["mains_lost", -60.0], ["mains_back", -50.0]]
    assert result["again"] == [["mains_lost", -65.0], ["mains_back", -55.0]]


def test_what_was_noted_while_a_batch_was_on_its_way_is_kept(scripts: Scripts) -> None:
    result = scripts.run("journal", "resend")

    assert result["left"] == 4
    assert [kind for kind, _ in result["rest"]] == ["mains_lost", "mains_back", "mains_lost", "mains_back", "net_lost"]
    assert result["after"] is None
    assert result["flash"] == []


def test_an_overflow_while_a_batch_is_on_its_way_forgets_nothing_else(scripts: Scripts) -> None:
    result = scripts.run("journal", "dropped_on_the_way")

    assert result == {"left": 54, "lost": 5, "flash": []}


def test_another_power_on_dates_what_flash_kept_by_the_clock(scripts: Scripts) -> None:
    result = scripts.run("journal", "new_boots", "clock")

    assert result["first"] == [*LOST_AND_BACK_AT_NOON, BOOT_NOW]
    assert (result["undated"], result["flash"]) == (0, [])


def test_what_needs_the_clock_waits_for_it(scripts: Scripts) -> None:
    result = scripts.run("journal", "new_boots", "unset")

    assert result["first"] == [BOOT_NOW]
    assert result["waiting"] == 2
    assert result["second"] == LOST_AND_BACK_AT_NOON
    assert (result["undated"], result["flash"]) == (0, [])


def test_what_waits_for_the_clock_outlives_boots_without_one(scripts: Scripts) -> None:
    result = scripts.run("journal", "waiting_is_kept")

    assert result["sent"] == [["mains_lost", -160.0], ["mains_back", 0]]
    assert result["undated"] == 1  # what the last boot without a clock noted


@pytest.mark.parametrize("clock", ["rtc", "set-later", "wrong-clock"])
def test_a_reset_dates_what_flash_kept_by_the_rtc_that_went_on(scripts: Scripts, clock: str) -> None:
    result = scripts.run("journal", "new_boots", clock)

    # 1036 s of the era when the reset came, 2 s in it, 20 s of the new boot.
    assert result["first"] == [["mains_lost", -58.0], ["mains_back", -28.0], BOOT_NOW]
    assert (result["undated"], result["flash"]) == (0, [])


@pytest.mark.parametrize("clock", ["never", "back", "rtc-back", "year"])
def test_what_cannot_be_dated_is_dropped_and_counted(scripts: Scripts, clock: str) -> None:
    result = scripts.run("journal", "new_boots", clock)

    assert result["first"] == [BOOT_NOW]
    assert (result["undated"], result["flash"]) == (2, [])


def test_clocks_that_differ_by_seconds_never_date_an_earlier_boot_into_this_one(scripts: Scripts) -> None:
    first = scripts.run("journal", "new_boots", "nearly")["first"]

    assert first == [["mains_lost", -48.0], ["mains_back", -20.0], BOOT_NOW]


def test_entries_before_and_after_the_tick_wrap_keep_their_distance(scripts: Scripts) -> None:
    entries = scripts.run("journal", "wrap")["sent"]

    assert [t_s for _, t_s in entries] == pytest.approx([-1200, -900, -600, -300, 0], abs=5)


def test_nothing_older_than_the_contract_looks_back_is_sent(scripts: Scripts) -> None:
    result = scripts.run("journal", "long_ago")

    assert result["edge"] == [["mains_lost", -31_536_000], ["mains_back", -31_449_600]]
    assert result["rest"] == [["mains_back", -31_449_601]]
    assert result["undated"] == 1


@pytest.mark.parametrize("limit", [4, 16, 64])
def test_the_longest_entries_stay_within_the_contract(scripts: Scripts, limit: int) -> None:
    payloads = scripts.run("journal", "biggest", limit)["payloads"]

    journals = [decoded(payload) for payload in payloads]
    assert sum(len(journal.entries) for journal in journals) == 64
    assert all(len(journal.entries) <= limit for journal in journals)
    assert max(map(len, payloads)) <= 1024
    if limit == 64:
        assert max(map(len, payloads)) > 1024 - 40  # as many as there is room for


@pytest.mark.parametrize(
    ("story", "runs", "lost"),
    [
        (["net_lost:70"], [["net_lost", 64, -64.0]], 6),
        (["mains_lost:70"], [["mains_lost", 64, -64.0]], 6),
        (["mains_lost:64", "net_lost:3"], [["mains_lost", 64, -67.0]], 3),
        (
            ["mains_lost:60", "boot:3", "net_lost:3"],
            [["mains_lost", 60, -66.0], ["boot", 3, -6.0], ["net_lost", 1, -1.0]],
            2,
        ),
        (
            ["boot:2", "net_lost:10", "mains_back:60"],
            [["boot", 2, -72.0], ["net_lost", 2, -62.0], ["mains_back", 60, -60.0]],
            8,
        ),
        (["boot:5", "mains_back:62"], [["boot", 2, -64.0], ["mains_back", 62, -62.0]], 3),
    ],
    ids=["net", "mains", "mains-before-net", "new-net-first", "net-before-boot", "boot-before-mains"],
)
def test_a_full_journal_drops_the_oldest_of_the_least_kind(
    scripts: Scripts, story: list[str], runs: list[list[Any]], lost: int
) -> None:
    result = scripts.run("journal", "overflow", *story)

    assert result["runs"] == runs
    assert result["lost"] == lost


def test_what_a_full_journal_does_not_take_leaves_nothing_in_flash(scripts: Scripts) -> None:
    assert scripts.run("journal", "orphan") == {"left": 0, "flash": []}


def test_flash_writes_have_a_budget(scripts: Scripts) -> None:
    result = scripts.run("journal", "wear")

    assert result["burst"] == 32  # of a thousand notes at once
    assert result["refilled"] == 3  # after an hour and a half
    assert result["most"] == 32  # a quiet year saves no more than that up


def test_what_flash_holds_stays_when_a_storm_of_entries_overruns_the_ring(scripts: Scripts) -> None:
    result = scripts.run("journal", "wear")

    assert (result["files"], result["left"]) == (32, 64)


def test_flash_keeps_the_newest_mains_entries(scripts: Scripts) -> None:
    result = scripts.run("journal", "slots")

    assert result["files"] == 32
    assert result["survived"] == ["mains_lost"] * 32
    assert result["ordered"]
    assert result["flash"] == []


def test_an_entry_costs_a_tenth_of_an_erase_at_most(scripts: Scripts) -> None:
    result = scripts.run("journal", "erases")

    assert result["events"] == 400
    assert 0 < result["erases"] <= 40


def test_power_lost_at_any_block_loses_nothing_that_was_kept(scripts: Scripts) -> None:
    result = scripts.run("journal", "cut", timeout=90)

    assert result["steps"] > 20
    assert result["bad"] == []
    assert {sent for sent, _, _ in result["views"]} >= {0, 1, 2, 3, 4}
    assert all(lost <= 1 and undated == 0 for _, lost, undated in result["views"])


def test_a_damaged_entry_is_dropped_and_counted_and_the_others_are_sent(scripts: Scripts) -> None:
    result = scripts.run("journal", "spoil")

    assert result["size"] == 21
    assert result["views"] == [[1, True, "[['mains_back', -60.0]]"]]
    assert result["rubbish"] == [5, ["j-1"], [["mains_back", -60.0]]]


def test_a_full_flash_leaves_the_journal_in_ram(scripts: Scripts) -> None:
    result = scripts.run("journal", "full")

    assert result["first"] == [["mains_lost", -5.0]]
    assert result["rest"] == [["mains_lost", -5.0], ["mains_back", 0]]
    assert result["flash"] == ["j-0"]


def test_a_full_journal_takes_little_of_the_heap(scripts: Scripts) -> None:
    result = scripts.run("journal", "heap")

    assert result["empty"] < 512
    assert result["full"] < 10_240  # on 64 bits: half of it on the board
