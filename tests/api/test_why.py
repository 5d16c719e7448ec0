"""Why a site is as it is: the sentence, and what it rests on."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
import msgspec
import pytest

from services.api.tick import Details, Tick
from services.api.why import Board, Facts, OpenOutage, Site, Why, explain, remembered_of_device, remembered_of_site
from services.api.why.facts import BoardMemory, SiteMemory
from services.api.why.words import tell_length
from svitlo.contracts import Cause, ChildTally
from svitlo.maintenance import Window
from tests.api.explained import NOW, POLICY, ago, board, lost, never, site
from tests.api.records import Records

KYIV = ZoneInfo("Europe/Kyiv")
WATCHING = Tick(ago(2), ago(9000), Details(instance="1"))


def told(
    place: Site, *boards: Board, tick: Tick | None = WATCHING, windows: tuple[Window, ...] = (), named: bool = True
) -> Why:
    facts = Facts(site=place, boards=boards, windows=windows, tick=tick)
    return explain(facts, now=NOW, zone=KYIV, policy=POLICY, named=named)


OFF: dict[str, Any] = {"state": "off", "since": ago(109)}
CHILDREN = ChildTally(total=12, on=8, partial=1, off=3, unknown=0)
UNDER = SiteMemory(children=CHILDREN)
NONE_ON = SiteMemory(children=ChildTally(total=3, on=0, partial=0, off=2, unknown=1))
NOBODY = SiteMemory(children=ChildTally(total=2, on=0, partial=0, off=0, unknown=2))
BLIND = Tick(ago(2), None)
SETTLING = Tick(ago(2), ago(20))
GONE = Tick(ago(300), ago(9000))
PENDING_OFF = SiteMemory(pending="off", pending_at=ago(10))

SENTENCES: list[tuple[Site, list[Board], Tick | None, str]] = [
    (site(), [board()], WATCHING, "On since 16:05:00: its board is alive; the rule `any` needs one alive."),
    (
        site(**OFF),
        [lost(), lost("stairs")],
        WATCHING,
        "Off since 18:03:11: both boards are silent; the rule `any` needs one alive.",
    ),
    (
        site(**OFF, rule="all"),
        [board("a"), lost("b", "lwt"), lost("c", "mains"), never("d")],
        WATCHING,
        "Off since 18:03:11: 1 of 4 boards is alive, 1 is silent, 1 says itself that it has no mains, 1 was never "
        "heard; the rule `all` needs every one alive.",
    ),
    (
        site(rule="majority"),
        [board("a"), board("b"), lost("c")],
        WATCHING,
        "On since 16:05:00: 2 of 3 boards are alive, 1 is silent; the rule `majority` needs more than half alive, 2 of "
        "3.",
    ),
    (
        site(**OFF, rule="majority"),
        [board("a"), lost("b", weight=4)],
        WATCHING,
        "Off since 18:03:11: 1 of 2 boards is alive, 1 is silent; the rule `majority` needs more than half of the "
        "weight alive, 3 of 5; 1 is.",
    ),
    (
        site(rule="k", k=2),
        [board("a"), board("b"), board("c")],
        WATCHING,
        "On since 16:05:00: all 3 boards are alive; the rule `k` needs 2 alive.",
    ),
    (
        site("unknown", since=None, rule="k", k=4),
        [board("a", weight=3), never("b")],
        WATCHING,
        "Unknown: 1 of 2 boards is alive, 1 was never heard; the rule `k` needs a weight of 4 alive, and only a "
        "weight of 3 has a vote.",
    ),
    (
        site("unknown", since=ago(60)),
        [board("a", "paused", paused_at=ago(60)), never("b")],
        WATCHING,
        "Unknown since 18:04:00: 1 of 2 boards said goodbye, 1 was never heard, so nobody has a vote.",
    ),
    (site("unknown", since=None), [], WATCHING, "Unknown: no board stands for it."),
    (
        site("late", "on"),
        [board("a", "late", 16)],
        WATCHING,
        "Late, but on as far as is known since 16:05:00: its board is overdue; the rule `any` needs one alive.",
    ),
    (
        site("backup", "on"),
        [board("a"), lost("b", "mains")],
        WATCHING,
        "On backup since 16:05:00: 1 of 2 boards is alive, 1 says itself that it has no mains; the rule `any` needs "
        "one alive.",
    ),
    (
        site("partial", "on", memory=UNDER),
        [board()],
        WATCHING,
        "Partly on since 16:05:00: its board is alive; the rule `any` needs one alive. 3 of 12 sites under it are "
        "without power.",
    ),
    (
        site("partial", "on", memory=UNDER),
        [],
        WATCHING,
        "Partly on since 16:05:00: it has no boards of its own; 9 of the 12 sites under it have power.",
    ),
    (
        site(**OFF, memory=NONE_ON),
        [],
        WATCHING,
        "Off since 18:03:11: it has no boards of its own; none of the 3 sites under it has power.",
    ),
    (
        site("unknown", since=None, memory=NOBODY),
        [],
        WATCHING,
        "Unknown: it has no boards of its own; nothing is known of the 2 sites under it.",
    ),
    (
        site("maintenance", "off", since=ago(109)),
        [lost()],
        WATCHING,
        "In maintenance, off since 18:03:11: its board is silent; the rule `any` needs one alive.",
    ),
    (
        site(),
        [board(heard=14)],
        BLIND,
        "On since 16:05:00: its board was alive when last heard; the rule `any` needs one alive. We are blind, so "
        "nothing is decided.",
    ),
    (
        site(),
        [board("a", heard=60), lost("b")],
        SETTLING,
        "On since 16:05:00: 1 of 2 boards is silent, 1 is not heard yet since we see again; the rule `any` needs one "
        "alive. While that may come out either way, the state stays.",
    ),
    (
        site(memory=PENDING_OFF),
        [lost()],
        WATCHING,
        "On since 16:05:00: its board is silent; the rule `any` needs one alive. That says off, which is not confirmed "
        "yet.",
    ),
    (
        site("unknown", since=ago(10)),
        [lost("a"), board("b", "paused", paused_at=ago(10))],
        WATCHING,
        "Unknown since 18:04:50: 1 of 2 boards is silent, 1 said goodbye; the rule `any` needs one alive. That was so "
        "before the site became unknown, and is no new loss.",
    ),
    (
        site(),
        [never()],
        WATCHING,
        "On since 16:05:00: its board was never heard, so nobody has a vote. That says unknown; the detector has not "
        "said so yet.",
    ),
    (
        site(**OFF),
        [lost()],
        GONE,
        "When last known, off since 18:03:11: its board is silent; the rule `any` needs one alive.",
    ),
    (
        site("unknown", since=None),
        [never()],
        None,
        "When last known, unknown: its board was never heard, so nobody has a vote.",
    ),
]


@pytest.mark.parametrize(("place", "boards", "tick", "sentence"), SENTENCES)
def test_the_sentence_says_why(place: Site, boards: list[Board], tick: Tick | None, sentence: str) -> None:
    assert told(place, *boards, tick=tick).summary == sentence


BOARDS: list[tuple[Board, str]] = [
    (board(), "last heard 4 s ago, at 18:04:56; silence counts as a loss from 18:05:19"),
    (board("a", "late", 16), "overdue: last heard 16 s ago, at 18:04:44; silence counts as a loss from 18:05:07"),
    (lost(), "last heard 1 min 49 s ago, at 18:03:11; its silence counted as a loss at 18:03:34"),
    (lost(by="lwt"), "last heard 1 min 49 s ago, at 18:03:11; the broker told its last will at 18:03:34"),
    (
        lost(by="mains"),
        "last heard 1 min 49 s ago, at 18:03:11; its own sensor told the loss of the mains at 18:03:34",
    ),
    (never(), "never heard"),
    (
        board("a", "paused", 60, paused_at=ago(60)),
        "said goodbye at 18:04:00, which excuses it until 19:04:00",
    ),
    (
        board(heard=12, memory=BoardMemory(will_at=ago(1), session_at=ago(100))),
        "last heard 12 s ago, at 18:04:48; its last will came at 18:04:59, which counts from 18:05:01",
    ),
]


@pytest.mark.parametrize(("one", "said"), BOARDS)
def test_a_board_says_what_is_held_of_it(one: Board, said: str) -> None:
    assert told(site(), one).devices[0].words == said


def test_a_board_not_heard_since_we_see_again_says_from_when_it_counts() -> None:
    (found,) = told(site(), board(heard=60), tick=SETTLING).devices
    assert found.words == (
        "last heard 1 min ago, at 18:04:00, before we began to see at 18:04:40; silence counts as a loss from 18:05:25"
    )
    assert (found.vote, found.lost_if_silent_at) == ("unseen", ago(-25))


def test_a_will_that_came_as_we_began_to_see_is_not_believed() -> None:
    one = board(heard=60, memory=BoardMemory(will_at=ago(10)))
    assert told(site(), one, tick=SETTLING).devices[0].words.endswith("came at 18:04:50 and is not believed yet")


@pytest.mark.parametrize("tick", [BLIND, GONE, None])
def test_while_nobody_sees_no_deadline_counts(tick: Tick | None) -> None:
    found = told(site(), board(deadline_at=ago(-5)), tick=tick)
    assert (found.devices[0].lost_if_silent_at, found.devices[0].deadline_at) == (None, None)
    assert found.deadlines == []


def test_a_deadline_written_before_we_saw_again_is_left_out() -> None:
    old = board(heard=60, deadline_at=ago(40), updated_at=ago(55))
    assert told(site(), old, tick=SETTLING).devices[0].deadline_at is None
    assert told(site(), board(deadline_at=ago(-9))).devices[0].deadline_at == ago(-9)


WORK = Window(1, "home", True, ago(600), 7200, "Europe/Kyiv", None, "New meter")
OWED = msgspec.json.encode(
    {
        "owed": [{"kind": "power_lost", "site": "home"}, {"kind": "power_restored"}],
        "hold_until": ago(-15).isoformat(),
        "outage": {"detected_at": ago(5).isoformat(), "untold": True},
        "unstable": {"since": ago(900).isoformat(), "changes": 7, "last_at": ago(60).isoformat(), "off": "PT60S"},
    }
).decode()


def guards(found: Why) -> list[tuple[str, datetime | None]]:
    return [(guard.guard.value, guard.until) for guard in found.guards]


def test_a_site_that_is_well_has_no_guard() -> None:
    assert told(site(), board()).guards == []


def test_what_holds_back_is_told_with_its_end() -> None:
    found = told(site("maintenance", "off", memory=remembered_of_site(OWED)), lost(), windows=(WORK,))
    assert guards(found) == [
        ("area", ago(-15)),
        ("maintenance", ago(-6600)),
        ("unstable", ago(-240)),
        ("held", None),
        ("held", None),
    ]
    assert [guard.words for guard in found.guards] == [
        "Many boards vanished together: alerts of this site wait until 18:05:15.",
        "Maintenance until 19:55:00 (New meter): outages are recorded, and nobody is told of them.",
        "The power came or went 7 times since 17:50:00: single changes are told no more until it stayed as it is up "
        "to 18:09:00.",
        "2 events wait to be told: power_lost, power_restored.",
        "Nobody was told of the outage that is on; people are, if it outlasts what is above.",
    ]
    assert [deadline.at for deadline in found.deadlines] == [ago(-15), ago(-240), ago(-6600)]
    assert found.planned is not None
    assert found.summary.startswith("In maintenance until 19:55:00, off since")


def test_alerts_held_everywhere_are_told_of_every_site() -> None:
    holding = Tick(ago(2), ago(9000), Details(holding_alerts_until=ago(-8)))
    assert guards(told(site(), board(), tick=holding)) == [("area", ago(-8))]
    over = Tick(ago(2), ago(9000), Details(holding_alerts_until=ago(1)))
    assert guards(told(site(), board(), tick=over)) == []


def test_an_outage_from_before_we_were_blind_is_held_longer() -> None:
    memory = remembered_of_site(OWED.replace(ago(5).isoformat(), ago(100).isoformat()))
    assert guards(told(site(memory=memory), board(), tick=SETTLING))[:2] == [("settling", ago(-25)), ("area", ago(-25))]


def test_while_blind_that_is_the_first_guard() -> None:
    still = SiteMemory(pending="off", pending_for=timedelta(seconds=3))
    assert guards(told(site(memory=still), board(), tick=BLIND)) == [("blind", None), ("pending", None)]


def test_a_verdict_being_confirmed_says_when_it_is() -> None:
    slow = site(confirm_off_s=30.0, memory=PENDING_OFF)
    assert guards(told(slow, lost())) == [("pending", ago(-20))]
    by_policy = Tick(ago(2), ago(9000), Details(policy={"confirm_off_s": 60, "a_later_knob": 1}))
    assert guards(told(site(memory=PENDING_OFF), lost(), tick=by_policy)) == [("pending", ago(-50))]


def test_the_detectors_own_policy_counts() -> None:
    patient = Tick(ago(2), ago(9000), Details(policy={"misses": 5}))
    assert told(site(), board(), tick=patient).devices[0].timeout_s == 53
    assert told(site(), board()).devices[0].timeout_s == 23


def test_what_happens_next_comes_in_order() -> None:
    found = told(
        site(),
        board("a", "late", 16),
        board("b"),
        board("c", heard=12, memory=BoardMemory(will_at=ago(1), session_at=ago(100))),
    )
    assert [(deadline.at, deadline.words) for deadline in found.deadlines] == [
        (ago(-1), "the last will of c counts if nothing contradicts it"),
        (ago(-7), "a counts as lost if it stays silent"),
    ]


def test_without_a_detector_it_says_so() -> None:
    assert told(site(), board(), tick=GONE).warnings == [
        "No detector has written anything for 5 min: this is what was known at 18:00:00."
    ]
    found = told(site("unknown", since=None), never(), tick=None)
    assert found.warnings == ["No detector ever ran here, so nothing is watched."]
    assert (found.as_of, found.detector.fresh) == (None, False)


def test_who_is_nobody_reads_no_names() -> None:
    memory = BoardMemory(unread=True)
    found = told(site(), board("secret-hall", memory=memory), board("secret-roof", "late", 16), named=False)
    assert [one.device for one in found.devices] == ["board 1", "board 2"]
    assert [one.session for one in found.devices] == [None, None]
    assert found.detector.instance is None
    assert "secret" not in found.model_dump_json()
    assert "9f3c01ab" not in found.model_dump_json()


@pytest.mark.parametrize("text", ["[]", "{", '{"dark": 3, "pending": 4}', '{"dark": {}, "owed": 1}', "null", "\x00"])
def test_a_memory_of_another_version_is_left_out_and_that_is_told(text: str) -> None:
    assert remembered_of_device(text).unread
    assert remembered_of_site(text).unread
    found = told(site(memory=remembered_of_site(text)), board(memory=remembered_of_device(text)))
    assert found.warnings == ["What the detector remembers of the site, hall cannot be read here, and is left out."]
    assert not remembered_of_device(None).unread


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-1, "0 s"),
        (0.4, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3725, "1 h 2 min"),
        (7200, "2 h"),
        (90061, "1 d 1 h"),
    ],
)
def test_a_length_is_told_in_its_two_largest_units(seconds: float, said: str) -> None:
    assert tell_length(timedelta(seconds=seconds)) == said


# Over HTTP


@pytest.fixture
async def home(records: Records) -> None:
    """A public site without power: one board lost, one never heard."""
    now = datetime.now(UTC)
    await records.site("home")
    await records.device("home", "secret-hall", "lost")
    await records.device("home", "secret-roof")
    memory = {"dark": {"number": 1, "start_lo": now.isoformat(), "start_hi": now.isoformat()}}
    await records.execute(
        "UPDATE device_state SET boot = '9f3c01ab', conn = 3, lost_at = :at, lost_by = 'timeout', last_proof_at = :at, "
        "memory = CAST(:memory AS jsonb)",
        at=now,
        memory=json.dumps(memory),
    )
    await records.state("home", "off", since=now, memory='{"outage": {"detected_at": "2026-11-20T12:00:00Z"}}')
    await records.outage("home", now)


async def ask(client: httpx.AsyncClient, key: str | None = None) -> dict[str, Any]:
    response = await client.get("/api/v1/sites/home/why", headers={"X-API-Key": key} if key else {})
    assert response.status_code == 200
    found: dict[str, Any] = response.json()
    return found


@pytest.mark.usefixtures("home")
async def test_a_reader_with_a_key_is_told_all(client: httpx.AsyncClient, records: Records) -> None:
    found = await ask(client, await records.key())
    assert (found["site"], found["state"], found["power"], found["cause"]) == ("home", "off", "off", "presumed")
    assert UUID(found["outage"]["id"])
    assert found["rule"] == {
        "rule": "any",
        "words": "the rule `any` needs one alive",
        "needs": 1,
        "alive": 0,
        "dead": 1,
        "unseen": 0,
        "abstains": 1,
        "verdict": "off",
    }
    hall, roof = found["devices"]
    assert (hall["device"], hall["vote"], hall["lost_by"], hall["timeout_s"]) == ("secret-hall", "dead", "timeout", 23)
    assert hall["session"] == {"boot": "9f3c01ab", "conn": 3, "since": None}
    assert hall["dark"]["end_hi"] is None
    assert (roof["device"], roof["vote"], roof["liveness"], roof["session"]) == (
        "secret-roof",
        "abstains",
        "never_seen",
        None,
    )
    assert found["detector"]["fresh"] is True
    assert found["warnings"] == found["guards"] == []


@pytest.mark.usefixtures("home")
async def test_a_public_reader_is_told_the_same_without_names(client: httpx.AsyncClient) -> None:
    response = await client.get("/api/v1/sites/home/why")
    assert [one["device"] for one in response.json()["devices"]] == ["board 1", "board 2"]
    assert "secret" not in response.text
    assert response.json()["summary"].startswith("Off since ")


@pytest.mark.usefixtures("home")
async def test_it_answers_while_no_detector_runs(client: httpx.AsyncClient, records: Records) -> None:
    await records.execute("UPDATE service_ticks SET at = now() - interval '1 hour'")
    found = await ask(client)
    assert found["warnings"][0].startswith("No detector has written anything for 1 h")
    await records.execute("DELETE FROM service_ticks")
    found = await ask(client)
    assert found["warnings"] == ["No detector ever ran here, so nothing is watched."]
    assert found["summary"].startswith("When last known, off since ")


@pytest.mark.usefixtures("home")
async def test_the_ticks_details_are_read(client: httpx.AsyncClient, records: Records) -> None:
    details = {"instance": "7", "policy": {"misses": 4, "grace_s": 3.0}, "proven_at": "2026-11-20T12:00:00Z"}
    await records.execute("UPDATE service_ticks SET details = CAST(:details AS jsonb)", details=json.dumps(details))
    found = await ask(client, await records.key())
    assert (found["detector"]["instance"], found["detector"]["proven_at"]) == ("7", "2026-11-20T12:00:00Z")
    assert found["devices"][0]["timeout_s"] == 43
    for otherwise in ('{"policy": 3}', "[]"):
        await records.execute("UPDATE service_ticks SET details = CAST(:details AS jsonb)", details=otherwise)
        assert (await ask(client))["devices"][0]["timeout_s"] == 23


@pytest.mark.usefixtures("home")
async def test_maintenance_from_above_is_told(client: httpx.AsyncClient, records: Records) -> None:
    await records.site("street")
    await records.execute(
        "UPDATE sites SET parent_id = (SELECT id FROM sites WHERE slug = 'street') WHERE slug = 'home'"
    )
    await records.work("street", datetime.now(UTC) - timedelta(minutes=5), reason="New cable")
    found = await ask(client)
    assert [guard["guard"] for guard in found["guards"]] == ["maintenance"]
    assert "(New cable)" in found["guards"][0]["words"]
    assert found["planned"] is not None


async def test_without_a_key_a_private_site_has_no_why(client: httpx.AsyncClient, records: Records) -> None:
    await records.site("closed", public=False)
    await records.site("gone")
    await records.remove_site("gone")
    answers = [await client.get(f"/api/v1/sites/{name}/why") for name in ("closed", "missing", "gone", "No%00Slug")]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    key = {"X-API-Key": await records.key()}
    assert (await client.get("/api/v1/sites/closed/why", headers=key)).status_code == 200
    assert (await client.get("/api/v1/sites/gone/why", headers=key)).status_code == 404


def test_the_open_outage_is_told() -> None:
    outage = OpenOutage(id=UUID(int=1), started_lo=ago(109), started_hi=ago(86), cause=Cause.POWER)
    found = told(site(**OFF, outage=outage), lost())
    assert (found.cause, found.outage and found.outage.started_lo) == (Cause.POWER, ago(109))
