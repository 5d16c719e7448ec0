"""From what the board's console says to what the person at it should do."""

from __future__ import annotations

import pytest

from svitlo.flashing.advice import advise


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("3.1 wifi: could not join Flat 7: wrong password", "refuses the password"),
        ("3.1 wifi: could not join Flat 7: no such network in reach", "is not heard"),
        ("63.0 wifi: no network, starting over", "is not heard"),
        ("3.1 link: refused by the broker: wrong user name or password (code 4)", "rotated or removed"),
        ("3.1 link: certificate not accepted: dates", "svitlo broker tls"),
        ("3.1 link: [Errno 111] ECONNREFUSED", "svitlo up runs with --lan"),
        ("3.1 link: -202", "svitlo up runs with --lan"),
        ("3.1 link: no answer from the broker", "svitlo up runs with --lan"),
        ("MemoryError: memory allocation failed", "--erase"),
    ],
)
def test_a_telling_line_gives_advice(line: str, wanted: str) -> None:
    advice = advise(["0.1 home-1: firmware 1.0.0, boot 0011aabb (number 1), reset hard", line, "4.0 next attempt"])
    assert advice is not None
    assert wanted in advice


def test_the_last_telling_line_counts() -> None:
    advice = advise(
        [
            "wifi: could not join Flat 7: wrong password",
            "wifi: joined, address 192.168.1.7",
            "link: [Errno 104] ECONNRESET",
        ]
    )
    assert advice is not None
    assert "--lan" in advice


def test_a_board_that_is_fine_so_far_gives_none() -> None:
    assert advise(["wifi: joining Flat 7", "wifi: joined, address 10.104.113.110"]) is None
