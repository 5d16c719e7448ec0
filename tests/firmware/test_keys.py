"""The passwords of a board through a rotation, and the orders it obeys."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from svitlo.contracts import Command, CommandWord
from svitlo.firmware import sign

if TYPE_CHECKING:
    from tests.firmware.conftest import Scripts

KEY = bytes(range(32))
STORED = {"order": "r-1", "state": "stored"}
DONE = {"order": "r-1", "state": "done"}

# RFC 4231, test cases 1 to 4, 6 and 7 (5 is of a truncated MAC).
RFC_4231 = [
    (b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    (b"Jefe", b"what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
    (b"\xaa" * 20, b"\xdd" * 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
    (bytes(range(1, 26)), b"\xcd" * 50, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
    (
        b"\xaa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
    (
        b"\xaa" * 131,
        b"This is a test using a larger than block-size key and a larger than block-size data. "
        b"The key needs to be hashed before being used by the HMAC algorithm.",
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
    ),
]


class Board:
    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts

    def steps(self, *steps: Any) -> list[Any]:
        """What each step gave: a name, or (name, argument)."""
        listed = [(step, None) if isinstance(step, str) else step for step in steps]
        (self._scripts.folder / "steps.json").write_text(json.dumps(listed))
        said: list[Any] = self._scripts.run("keys", "steps")
        return said


@pytest.fixture
def board(scripts: Scripts) -> Board:
    return Board(scripts)


def signed(command: str = "update", *, key: bytes = KEY, device: str = "demo-1", **fields: Any) -> dict[str, Any]:
    given = {"order": "o-1", "serial": 1_800_000_000_000}
    if command == "update":
        given |= {"version": "1.1.0", "size": 43_210, "sha256": "ab" * 32}
    given |= fields
    order = Command(command=CommandWord(command), **given)  # type: ignore[arg-type]
    return {"v": 1, "command": command, **given, "mac": sign(key, device, order)}


def rotate(password: str = "second", order: str = "r-1", serial: int = 1_800_000_000_000) -> dict[str, Any]:
    return signed("rotate", order=order, serial=serial, password=password)


def test_hmac_is_that_of_rfc_4231_and_of_python(scripts: Scripts) -> None:
    chance = random.Random(1)
    cases = [(key, data) for key, data, _ in RFC_4231]
    cases += [(chance.randbytes(size), chance.randbytes(chance.randrange(300))) for size in (0, 1, 63, 64, 65, 128)]
    (scripts.folder / "cases.json").write_text(json.dumps([(key.hex(), data.hex()) for key, data in cases]))

    found = scripts.run("keys", "hmac")

    assert found == [hmac.new(key, data, hashlib.sha256).hexdigest() for key, data in cases]
    assert found[: len(RFC_4231)] == [mac for _, _, mac in RFC_4231]


def test_macs_are_the_same_only_when_each_byte_is(scripts: Scripts) -> None:
    assert scripts.run("keys", "same") == [True] + [False] * 36


@pytest.mark.parametrize(
    "order",
    [
        signed(),
        signed("rotate", password="пароль, 64"),
        signed(version="1.1.0-é"),
        {**signed(), "mac": signed()["mac"].upper()},
        {**signed(), "unknown": 1},
    ],
    ids=["update", "rotate", "accents", "capitals", "more"],
)
def test_an_order_signed_for_this_board_is_taken(board: Board, order: dict[str, Any]) -> None:
    assert board.steps(("check", order)) == [None]


@pytest.mark.parametrize(
    "order",
    [
        signed(key=bytes(32)),
        signed(device="demo-2"),
        {**signed(), "size": 43_211},
        {**signed(), "version": "1.1.1"},
        {**signed(), "sha256": "ac" * 32},
        {**signed(), "serial": 1_800_000_000_001},
        {**signed(), "order": "o-2"},
        {**signed("rotate", password="second"), "password": "third"},
        {**signed(), "mac": ""},
        {**signed(), "mac": None},
        {**signed(), "mac": 5},
        {**signed(), "mac": "z" * 64},
        {**signed(), "mac": signed()["mac"][:-2]},
        {**signed(), "mac": signed()["mac"] + "00"},
        {**signed(), "mac": signed()["mac"][:-1]},
    ],
)
def test_an_order_that_is_not_is_refused(board: Board, order: dict[str, Any]) -> None:
    text = "the order is not signed with this board's update_key"

    refused, after = board.steps(("check", order), ("check", signed(serial=1, order="o-9")))

    assert refused == text
    assert after is None  # a forged serial locks nobody out


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"order": None}, "order"),
        ({"serial": "1"}, "serial"),
        ({"serial": 1.5}, "serial"),
        ({"size": True}, "size"),
        ({"version": ""}, "version"),
        ({"sha256": 5}, "sha256"),
    ],
    ids=str,
)
def test_an_order_must_be_complete(board: Board, fields: dict[str, Any], name: str) -> None:
    assert board.steps(("check", {**signed(), **fields})) == [f"the order has no {name}"]


def test_a_line_break_cannot_move_the_fields(board: Board) -> None:
    order = signed(version="1.1.0\n43210")

    assert board.steps(("check", order)) == ["the order's version has control characters"]


def test_without_a_key_nothing_is_obeyed(board: Board) -> None:
    said = board.steps(("boot", {"update_key": None}), ("check", signed()))

    assert said[-1] == "this board has no update_key in its config.json"


def test_an_older_order_is_refused_also_after_a_restart(board: Board) -> None:
    old = "the order is older than the last one"

    said = board.steps(
        ("check", signed(serial=2_000, order="o-2")),
        ("check", signed(serial=1_999, order="o-1")),
        ("check", signed(serial=2_000, order="o-3")),
        ("boot", None),
        ("check", signed(serial=1_999, order="o-1")),
        ("check", signed(serial=2_001, order="o-4")),
        ("check", signed(serial=2_000, order="o-2")),
    )

    assert said == [None, old, old, None, old, None, old]


def test_the_same_order_again_is_no_older_one(board: Board) -> None:
    said = board.steps(("check", signed()), ("check", signed()), ("boot", None), ("check", signed()), "writes")

    assert said == [None, None, None, None, 2]  # the file and its copy, once


def test_an_order_that_cannot_be_remembered_is_refused(board: Board) -> None:
    said = board.steps(("full", True), ("check", signed()), ("full", False), ("check", signed()))

    assert said == [None, "the flash is full: the order cannot be remembered", None, None]


def test_without_a_rotation_there_is_one_password_and_no_writing(board: Board) -> None:
    assert board.steps("password", "accepted", "refused", "password", "accepted", "writes", "report") == [
        "first",
        None,
        False,
        "first",
        None,
        0,
        None,
    ]


def test_a_rotation_from_order_to_done(board: Board) -> None:
    said = board.steps(
        "password", "accepted", ("offer", rotate()), "report", "password", "accepted", "report", "reported", "report"
    )

    assert said == ["first", None, STORED, None, "second", None, DONE, None, None]
    assert board.steps("password", "report") == ["second", None]


def test_a_new_password_that_is_not_yet_taken_is_tried_in_turn(board: Board) -> None:
    said = board.steps(
        *("password", "accepted", ("offer", rotate())),
        *("password", "refused", "password", "refused", "password", "refused"),
        *("password", "accepted", "report"),
        *(("boot", None), "password", "refused", "password", "accepted", "report"),
    )

    assert said[3:9] == ["second", True, "first", True, "second", True]
    assert said[9:12] == ["first", None, None]
    assert said[13:] == ["first", True, "second", None, DONE]


def test_a_password_offered_in_a_session_is_not_proved_by_it(board: Board) -> None:
    said = board.steps("password", ("offer", rotate()), "accepted", "report", "password", "refused", "password")

    assert said == ["first", STORED, None, None, "second", True, "first"]


def test_the_last_word_survives_a_restart_until_it_is_heard(board: Board) -> None:
    board.steps("password", ("offer", rotate()), "password", "accepted")

    assert board.steps("report", ("boot", None), "report", "reported", ("boot", None), "report") == [
        DONE,
        None,
        DONE,
        None,
        None,
        None,
    ]


def test_the_same_rotation_again_is_answered_with_where_it_stands(board: Board) -> None:
    said = board.steps(
        *("password", ("offer", rotate()), ("offer", rotate())),
        *("password", "accepted", ("offer", rotate()), "reported", ("offer", rotate()), "password"),
    )

    assert said == ["first", STORED, STORED, "second", None, DONE, None, DONE, "second"]


def test_a_rotation_the_flash_does_not_take_fails(board: Board) -> None:
    said = board.steps("password", ("full", True), ("offer", rotate()), "password", "refused", ("full", False))

    assert said[2] == {"order": "r-1", "state": "failed", "text": "the flash is full: the old password stays"}
    assert said[3:5] == ["first", False]
    assert board.steps(("offer", rotate()), "password") == [STORED, "second"]


def test_the_password_that_works_outlives_any_number_of_offers(board: Board) -> None:
    """Not the one in config.json, which is kept anyway: the one of an earlier rotation."""
    offers = [("offer", rotate(f"new-{number}", f"r-{number + 2}")) for number in range(9)]
    begin = ("password", ("offer", rotate()), "password", "accepted")

    said = board.steps(*begin, *offers, *["password", "refused"] * 6)

    tried = said[13::2]
    assert tried[0] == "new-8"
    assert {"second", "first"} < set(tried)


def test_no_password_that_ever_worked_is_lost_with_the_state(board: Board) -> None:
    """After three rotations the configuration's password is the oldest, and still tried."""
    steps: list[Any] = []
    for number in range(6):
        steps += [("offer", rotate(f"new-{number}", f"r-{number}")), "password", "accepted"]

    said = board.steps(*steps, *["password", "refused"] * 5)

    assert set(said[18::2]) == {"new-5", "new-4", "new-3", "new-2", "first"}


@pytest.mark.parametrize(
    ("damage", "password"),
    [
        (["keys"], "second"),
        (["keys2"], "second"),
        (["keys", "keys2"], "first"),
    ],
)
@pytest.mark.parametrize("kind", ["spoil", "lose"])
def test_a_damaged_file_locks_nobody_out(board: Board, kind: str, damage: list[str], password: str) -> None:
    board.steps("password", ("offer", rotate()), "password", "accepted")

    said = board.steps(*[(kind, name) for name in damage], ("boot", None), "password", "accepted")

    assert said[-2] == password


def test_a_new_password_in_the_configuration_comes_first(board: Board) -> None:
    board.steps("password", ("offer", rotate()), "password", "accepted")

    said = board.steps(("boot", {"password": "by hand"}), "password", "refused", "password", "refused", "password")

    assert said[1::2] == ["by hand", "second", "first"]


def test_another_board_s_passwords_are_not_tried(board: Board) -> None:
    board.steps("password", ("offer", rotate()), "password", "accepted")

    assert board.steps(("boot", {"device_id": "demo-2"}), "password", "refused") == [None, "first", False]
