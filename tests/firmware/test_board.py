"""The board itself: its boots counted, its resets told from power losses, its uptime and its clock."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.firmware.conftest import Scripts

HARD, WATCHDOG, DEEPSLEEP, SOFT = 2, 3, 4, 5


class Flash:
    """One board's folder, booted again and again."""

    def __init__(self, scripts: Scripts, folder: Path) -> None:
        self._scripts = scripts
        self.folder = folder
        self.boots_file = folder / "state" / "boots"
        (folder / "world").mkdir(parents=True)

    def boot(self, cause: int | None = None) -> dict[str, Any]:
        """A boot; without a cause the power came on."""
        reset = self.folder / "world" / "reset_cause"
        if cause is None:
            reset.unlink(missing_ok=True)
        else:
            reset.write_text(str(cause))
        told: dict[str, Any] = self._scripts.run("board", "boot", folder=self.folder)
        return told

    def full(self, yes: bool) -> None:
        """Fill the flash, or make room in it."""
        mark = self.folder / "world" / "flash-full"
        mark.touch() if yes else mark.unlink()


@pytest.fixture
def flash(scripts: Scripts, tmp_path: Path) -> Flash:
    return Flash(scripts, tmp_path / "board")


def test_uptime_goes_on_when_the_ticks_wrap(scripts: Scripts) -> None:
    uptimes = scripts.run("board", "uptime")["uptimes"]

    assert uptimes == pytest.approx([86_400 * day for day in range(1, 31)], abs=20)


def test_time_is_the_real_epoch_or_null(scripts: Scripts) -> None:
    clock = scripts.run("board", "uptime")

    assert clock["epoch"] == pytest.approx(time.time(), abs=20)
    assert clock["cold"] is None


def test_boots_are_counted_through_resets_and_power_losses(flash: Flash) -> None:
    told = [flash.boot(cause) for cause in (None, WATCHDOG, HARD, None, SOFT)]

    assert [boot["boots"] for boot in told] == [1, 2, 3, 4, 5]
    assert [boot["cause"] for boot in told] == ["power_on", "watchdog", "hard", "power_on", "soft"]
    assert len({boot["boot"] for boot in told}) == 5


def test_a_boot_writes_its_number_once_and_nothing_else(scripts: Scripts) -> None:
    result = scripts.run("board", "writes")

    assert result["writes"] == ["boots"]
    # Twice a look for a leftover, then opening, one digit, four bytes of CRC, the renaming.
    assert result["changes"] == 9
    assert result["boots"] == 2


def test_an_era_lasts_from_one_power_on_to_the_next(flash: Flash) -> None:
    eras = [flash.boot(cause)["era"] for cause in (None, WATCHDOG, HARD, SOFT, DEEPSLEEP, None, WATCHDOG)]

    assert len(set(eras[:5])) == 1
    assert len(set(eras[5:])) == 1
    assert eras[0] != eras[5]


@pytest.mark.parametrize(
    ("code", "word"),
    [(1, "power_on"), (2, "hard"), (3, "watchdog"), (4, "deepsleep"), (5, "soft"), (0, "unknown"), (77, "unknown")],
)
def test_a_reset_is_called_by_the_contracts_words(flash: Flash, code: int, word: str) -> None:
    flash.boot()

    assert flash.boot(code)["cause"] == word


@pytest.mark.parametrize("code", [0, HARD, WATCHDOG])
def test_an_empty_rtc_memory_is_a_power_loss_whatever_the_register_says(flash: Flash, code: int) -> None:
    before = flash.boot()
    (flash.folder / "world" / "rtc_memory").unlink()

    after = flash.boot(code)

    assert after["cause"] == "power_on"
    assert after["era"] != before["era"]
    assert after["boots"] == 2


@pytest.mark.parametrize("code", [HARD, WATCHDOG])
def test_an_rtc_memory_of_an_older_boot_is_a_power_loss(flash: Flash, code: int) -> None:
    flash.boot()
    memory = (flash.folder / "world" / "rtc_memory").read_bytes()
    flash.boot()
    (flash.folder / "world" / "rtc_memory").write_bytes(memory)

    assert flash.boot(code)["cause"] == "power_on"


def test_a_power_on_that_rtc_memory_outlived_begins_a_new_era(flash: Flash) -> None:
    before = flash.boot()

    after = flash.boot(1)

    assert (after["cause"], after["boots"]) == ("power_on", 2)
    assert after["era"] != before["era"]


def test_noise_in_rtc_memory_is_a_power_loss(scripts: Scripts) -> None:
    result = scripts.run("board", "noise")

    assert result["tried"] == 25
    assert result["warm"] == ["watchdog", True]
    assert result["seen"] == [["power_on", False]]
    assert result["boots"] == [1]


def test_a_damaged_counter_goes_on_from_rtc_memory_or_starts_again(scripts: Scripts) -> None:
    assert scripts.run("board", "spoil")["counts"] == [[False, 1], [True, 13]]


def test_power_lost_while_counting_never_turns_the_count_back(scripts: Scripts) -> None:
    result = scripts.run("board", "cut")

    assert result["steps"] > 6
    assert result["counts"] == [42, 43]


def test_a_full_flash_stops_no_boot_and_resets_still_count(flash: Flash) -> None:
    flash.boot()
    flash.full(True)
    told = [flash.boot(cause) for cause in (None, WATCHDOG, WATCHDOG)]
    flash.full(False)
    told.append(flash.boot(WATCHDOG))
    told.append(flash.boot())

    assert [boot["boots"] for boot in told] == [2, 3, 4, 5, 6]
    assert [boot["cause"] for boot in told] == ["power_on", "watchdog", "watchdog", "watchdog", "power_on"]
    assert len({boot["era"] for boot in told[:4]}) == 1


def test_a_port_without_rtc_memory_boots_and_counts(scripts: Scripts) -> None:
    assert scripts.run("board", "bare") == {"boots": [1, 2], "cause": "power_on"}


def test_the_age_of_an_era_knows_nothing_of_the_clock(scripts: Scripts) -> None:
    result = scripts.run("board", "set_twice")

    assert result["ages"] == [50, 80, 80, 85]  # before NTP, after it, after a reset, after NTP again
    assert result["same"]
    set_once, set_again = result["epochs"]
    assert 946_684_800 + 846_000_000 <= set_once < 946_684_800 + 846_000_100
    assert set_again >= 946_684_800 + 846_000_500


def test_a_clock_behind_what_rtc_memory_says_begins_a_new_era(scripts: Scripts) -> None:
    assert scripts.run("board", "clock_lost") == {"same": False, "age": 0}


def test_a_clock_nobody_sets_shows_the_last_known_time_and_tells_it_to_nobody(scripts: Scripts) -> None:
    result = scripts.run("board", "guess")

    assert result.pop("behind") in range(-2, 5)
    assert result == {"never": False, "guessed": True, "told": [None, 0, None], "set": True}


def test_ntp_that_keeps_silent_is_asked_with_growing_pauses(scripts: Scripts) -> None:
    result = scripts.run("board", "ntp")

    pauses = [after - before for before, after in pairwise(result["asked"])]
    assert result["asked"][0] == 0
    assert pauses[:6] == pytest.approx([64, 124, 244, 484, 964, 1924], abs=4)
    assert pauses[6:] == pytest.approx([3604] * len(pauses[6:]), abs=4)
    assert len(pauses) > 60
    assert (result["before"], result["after"], result["epoch"]) == (False, False, None)
    assert result["open"] == 0


def test_ntp_that_answered_is_asked_again_after_a_day(scripts: Scripts) -> None:
    result = scripts.run("board", "ntp", 846_000_000, 846_090_000, 846_180_000)

    assert result["asked"] == pytest.approx([0, 86_400, 2 * 86_400], abs=20)
    assert (result["before"], result["after"]) == (True, True)
    assert result["open"] == 0


def test_ntp_that_fails_any_way_is_asked_again(scripts: Scripts) -> None:
    result = scripts.run("board", "ntp", "silence", "refused", "broken", 1_000, 846_000_000)

    assert result["asked"][:5] == pytest.approx([0, 64, 184, 424, 904], abs=20)
    # A day after the answer it fails again, and the pauses begin anew.
    assert result["asked"][5:8] == pytest.approx([87_304, 87_368, 87_492], abs=40)
    assert (result["before"], result["after"]) == (False, True)
    assert result["epoch"] == pytest.approx(946_684_800 + 846_000_000 + 3 * 86_400 - 600 - 904, abs=30)
    assert result["open"] == 0
