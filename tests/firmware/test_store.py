"""What the board keeps in small files: whole or as before, whatever happens to the flash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.firmware.conftest import Scripts

OLD = "as it was before"
NEW = "as it should be from now on"


def readers(result: dict[str, Any]) -> set[str | None]:
    """What the readers after each cut saw: the same each time, nothing left lying about, and writable again."""
    for first, second, third, left, usable in result["outcomes"]:
        assert first == second == third
        assert left == 0
        assert usable
    return {outcome[0] for outcome in result["outcomes"]}


def test_what_is_written_is_read(scripts: Scripts) -> None:
    assert scripts.run("store", "plain") == [None, True, True, True, True, 260, ["j-1", "j-2"], None]


def test_writing_the_same_again_changes_nothing_in_flash(scripts: Scripts) -> None:
    said, changes_of_the_same, changes_of_both = scripts.run("store", "same")

    assert said
    assert changes_of_the_same == 1  # the look for a leftover, which is not there
    assert changes_of_both > len(NEW)


@pytest.mark.parametrize("rename", ["plain", "fat"])
@pytest.mark.parametrize("repair", ["once", "again"], ids=["one-cut", "cut-again-in-repair"])
def test_power_lost_at_any_byte_leaves_the_old_or_the_new(scripts: Scripts, rename: str, repair: str) -> None:
    result = scripts.run("store", "cuts", "write", "old", rename, repair)

    assert result["steps"] > len(NEW) + 4
    assert readers(result) == {OLD, NEW}


@pytest.mark.parametrize("repair", ["once", "again"], ids=["one-cut", "cut-again-in-repair"])
def test_power_lost_in_a_files_first_write_leaves_nothing_or_the_new(scripts: Scripts, repair: str) -> None:
    assert readers(scripts.run("store", "cuts", "write", "none", "plain", repair)) == {None, NEW}


def test_power_lost_in_the_first_write_of_all_leaves_nothing_or_the_new(scripts: Scripts) -> None:
    assert set(scripts.run("store", "first")) == {None, NEW}


@pytest.mark.parametrize("repair", ["once", "again"], ids=["one-cut", "cut-again-in-repair"])
def test_power_lost_while_removing_brings_nothing_back(scripts: Scripts, repair: str) -> None:
    assert readers(scripts.run("store", "cuts", "remove", "old", "plain", repair)) == {OLD, None}


def test_power_lost_while_removing_beside_a_leftover_brings_nothing_back(scripts: Scripts) -> None:
    assert set(scripts.run("store", "leftover")) == {OLD, None}


def test_power_lost_at_any_block_of_a_littlefs_leaves_the_old_or_the_new(scripts: Scripts) -> None:
    result = scripts.run("store", "littlefs", timeout=90)

    assert result["steps"] > 100
    assert result["erases"] > 10  # it had to tidy up, so cuts fell into that too
    assert {seen for seen, *_ in result["outcomes"]} == {OLD, NEW}
    for _, other, _, wrote, after in result["outcomes"]:
        assert (other, wrote, after) == ("untouched", True, "next")


def test_a_damaged_file_reads_as_none(scripts: Scripts) -> None:
    result = scripts.run("store", "damage", "none")

    assert result["count"] == 83
    assert result["damaged"] == [[None, None, True, OLD]]


def test_a_whole_leftover_is_taken_where_the_file_is_damaged(scripts: Scripts) -> None:
    assert scripts.run("store", "damage", "new")["damaged"] == [[NEW, NEW, True, OLD]]


def test_a_leftover_beside_a_whole_file_is_cleared_away(scripts: Scripts) -> None:
    assert scripts.run("store", "damage", "none")["beside"] == [[OLD, 0]]
    assert scripts.run("store", "stale") == [OLD, 0]


def test_a_full_flash_keeps_the_old(scripts: Scripts) -> None:
    result = scripts.run("store", "full")

    assert result["before"]
    assert result["said"] == [True, False, False]  # the same again needs no room
    assert result["read"] == [OLD, None]
    assert result["after"] == [True, NEW]
    assert result["files"] == ["thing"]


def test_a_full_littlefs_keeps_the_old(scripts: Scripts) -> None:
    result = scripts.run("store", "no_room")

    assert result["said"] == [False, False]
    assert result["read"] == OLD
    assert result["after"] == [True, True]


def test_the_only_whole_copy_is_not_written_over_by_a_flash_that_fails(scripts: Scripts) -> None:
    assert scripts.run("store", "failing") == [NEW, False, NEW, True, OLD]


def test_what_cannot_be_read_for_lack_of_heap_is_not_gone(scripts: Scripts) -> None:
    """A reader that is told None may write what it would begin with, over a password or a configuration that worked."""
    assert scripts.run("store", "starved") == ["MemoryError", False, OLD] * 2
