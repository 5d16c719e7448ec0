"""`svitlo site` and `svitlo device`: rules, weights, moves and names."""

from __future__ import annotations

import re

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from svitlo import registry
from tests.cli.conftest import CommandLine


@pytest.fixture
def house(svitlo: CommandLine) -> CommandLine:
    """A house with two boards, beside a shed."""

    async def work(session: AsyncSession) -> None:
        await registry.add_site(session, "house", "House")
        await registry.add_site(session, "shed", "Shed")
        await registry.add_device(session, "house", "hall")
        await registry.add_device(session, "house", "attic")

    svitlo.prepare(work)
    return svitlo


def cells(shown: str) -> dict[str, str]:
    """A table of two columns."""
    rows = (re.split(r"\s*[│┃]\s*", line)[1:3] for line in shown.splitlines() if "│" in line)
    return {row[0]: row[1] for row in rows}


def test_a_site_is_added_with_its_rule_and_confirmations(svitlo: CommandLine) -> None:
    given = ("--rule", "k", "--k", "2", "--confirm-off", "5", "--confirm-on", "0.5")
    site = svitlo("site", "add", "house", "--name", "House", *given, "--json").json
    assert (site["rule"], site["k"], site["confirm_off_s"], site["confirm_on_s"]) == ("k", 2, 5, 0.5)
    assert svitlo("site", "add", "shed", "--name", "Shed", "--json").json["rule"] == "any"


def test_who_adds_a_private_part_of_a_public_site_is_told_that_it_does_not_show_there(svitlo: CommandLine) -> None:
    svitlo("site", "add", "block", "--name", "Block", "--public")
    said = svitlo("site", "add", "flat", "--name", "Flat", "--parent", "block").out
    assert "All may see block, so it shows nothing of this one" in said
    assert "svitlo site set flat --public" in said
    said = svitlo("site", "add", "hall", "--name", "Hall", "--parent", "block", "--public").out
    assert "shows nothing" not in said
    assert "shows nothing" not in svitlo("site", "add", "bed", "--name", "Bed", "--parent", "flat").out


def test_what_is_set_changes_and_the_rest_stays(house: CommandLine) -> None:
    house("site", "set", "house", "--parent", "shed", "--public", "--rule", "majority", "--confirm-off", "7")
    site = house("site", "set", "house", "--name", "Home", "--json").json
    assert (site["name"], site["parent"], site["public"], site["rule"]) == ("Home", "shed", True, "majority")
    assert site["confirm_off_s"] == 7


def test_what_was_set_is_taken_back(house: CommandLine) -> None:
    house("site", "set", "house", "--parent", "shed", "--public", "--confirm-off", "7", "--confirm-on", "8")
    site = house("site", "set", "house", "--no-parent", "--private", "--confirm-off", "default", "--json").json
    assert (site["parent"], site["public"], site["confirm_off_s"], site["confirm_on_s"]) == (None, False, None, 8)


def test_show_tells_the_rule_and_the_weights(house: CommandLine) -> None:
    house("device", "attach", "attic", "house", "--weight", "3")
    house("site", "set", "house", "--rule", "k", "--k", "2", "--confirm-off", "5")
    shown = cells(house("site", "show", "house").out)
    assert (shown["rule"], shown["devices"]) == ("k: 2 of 4", "attic (weight 3), hall")
    assert (shown["confirm off"], shown["confirm on"]) == ("5 s", "default")
    assert house("site", "show", "house", "--json").json["weights"] == {"attic": 3, "hall": 1}


def test_a_k_that_its_devices_cannot_reach_is_pointed_out(house: CommandLine) -> None:
    assert "it stays unknown" in house("site", "set", "house", "--rule", "k", "--k", "3").err
    assert house("site", "set", "house", "--k", "2").err == ""


def test_a_site_is_renamed(house: CommandLine) -> None:
    assert "house is castle now" in house("site", "rename", "house", "castle").out
    assert house("site", "show", "castle", "--json").json["devices"] == ["attic", "hall"]


def test_a_device_is_attached_weighed_and_detached(house: CommandLine) -> None:
    assert "stands for house, shed now" in house("device", "attach", "hall", "shed").out
    assert "has weight 4 at shed now" in house("device", "attach", "hall", "shed", "--weight", "4").out
    assert house("site", "show", "shed", "--json").json["weights"] == {"hall": 4}
    assert "stands for shed now" in house("device", "detach", "hall", "house").out


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("site set house", "site set --help"),
        ("site set house --parent shed --no-parent", "cannot go together"),
        ("site set house --parent house", "its own parent"),
        ("site set house --rule k", "the rule k needs k"),
        ("site set house --confirm-off soon", "no number of seconds"),
        ("site set house --confirm-on nan", "0 to 86400"),
        ("site set nowhere --public", "site list shows what there is"),
        ("site add house --name House", "already"),
        ("site rename house shed", "already"),
        ("device attach hall house", "stands for 'house' already"),
        ("device attach cellar house", "no device 'cellar'"),
        ("device attach cellar house --weight 2", "no device 'cellar'"),
        ("device detach hall house", "svitlo device remove hall"),
        ("device detach hall shed", "does not stand for 'shed'"),
    ],
)
def test_what_cannot_be_is_one_line(house: CommandLine, given: str, says: str) -> None:
    assert says in house.refused(*given.split())


@pytest.mark.parametrize("given", ["site set house --rule most", "device attach hall shed --weight 0"])
def test_what_is_no_command_is_wrong_usage(house: CommandLine, given: str) -> None:
    assert house.try_(*given.split()).code == 2
