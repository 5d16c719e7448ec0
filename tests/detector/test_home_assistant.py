"""The card of each site: what Home Assistant takes, and when a real broker gets it."""

from __future__ import annotations

import asyncio
import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from services.detector import home_assistant, publisher
from services.detector.service import run
from svitlo import registry
from svitlo.contracts import EventKind, PowerState, ServiceStatus, SiteStateWord, encode, topics
from svitlo.db.session import Database
from svitlo.settings import Settings
from tests.support.broker import Broker
from tests.support.house import furnish, speaking_as
from tests.support.integrator import give_key, integrating, kept
from tests.support.service import serving, settings_for
from tests.support.wait import eventually_async

GOLDEN = Path(__file__).parent / "golden"
CONTRACT = Path(__file__).parent.parent / "contracts" / "golden"
SCHEMA = Draft202012Validator(json.loads((GOLDEN / "home_assistant.schema.json").read_text(encoding="utf-8")))
TOPIC_MATCHER = re.compile(r"(?P<component>\w+)/(?:(?P<node_id>[a-zA-Z0-9_-]+)/)?(?P<object_id>[a-zA-Z0-9_-]+)/config")
"""Home Assistant's own (homeassistant/components/mqtt/discovery.py)."""

LONGEST = "a-1" * 16
ODD_NAMES = ['Шевченка 12, "А"', "🏠 don't {{ panic }} \\ / # +", "Ж" * 120]


def settings(broker: Broker, database_url: str, instance: str = "1", language: str = "en") -> Settings:
    return settings_for("detector", broker, database_url, instance=instance, language=language)


def card_of(site: str, name: str, language: str = "uk", site_id: int = 7) -> dict[str, Any]:
    payload = home_assistant.discovery(site, site_id, name, instance="1", language=language, version="0.1.0")
    card: dict[str, Any] = json.loads(payload)
    return card


def card_in(messages: dict[str, bytes], site: str) -> dict[str, Any]:
    """The card of a site among what is kept; empty if there is none."""
    card: dict[str, Any] = json.loads(messages.get(topics.home_assistant_config(site), b"{}"))
    return card


def unique_ids(card: dict[str, Any]) -> set[str]:
    return {component["unique_id"] for component in card["cmps"].values()}


@pytest.fixture
async def house(database: Database, broker: Broker) -> Database:
    await give_key(database)
    await furnish(database, broker, {"home": ["board-1"], "barn": ["board-2"]})
    return database


def test_a_card_in_full() -> None:
    assert card_of("shevchenka-12", "Шевченка 12") == json.loads(
        (GOLDEN / "home_assistant.json").read_text(encoding="utf-8")
    )


@pytest.mark.parametrize("language", ["uk", "en"])
@pytest.mark.parametrize("name", ["Home", *ODD_NAMES])
def test_home_assistant_takes_the_card(name: str, language: str) -> None:
    card = card_of(LONGEST, name, language)
    SCHEMA.validate(card)
    assert card["dev"]["name"] == name


@pytest.mark.parametrize("site", ["a", "-", LONGEST])
def test_home_assistant_takes_the_topic(site: str) -> None:
    found = TOPIC_MATCHER.fullmatch(topics.home_assistant_config(site).removeprefix("homeassistant/"))
    assert found is not None
    assert found.groups() == ("device", None, f"svitlo_{site}")


@pytest.mark.parametrize("language", ["uk", "en"])
def test_each_entity_has_a_name_in_each_language(language: str) -> None:
    assert home_assistant.NAMES[language].keys() == home_assistant.COMPONENTS.keys()


def test_entities_know_every_word_the_detector_may_say() -> None:
    components = card_of("home", "Home")["cmps"]
    assert set(components["state"]["options"]) == {word.value for word in SiteStateWord}
    assert set(components["event"]["event_types"]) == {kind.value for kind in EventKind}
    said = {components["power"]["payload_on"], components["power"]["payload_off"], "unknown"}
    assert said == {word.value for word in PowerState}


@pytest.mark.parametrize(("channel", "golden"), [("state", "site_state"), ("event", "event_power_lost")])
def test_templates_ask_only_for_what_the_contract_has(channel: str, golden: str) -> None:
    payload = json.loads((CONTRACT / f"{golden}.json").read_text(encoding="utf-8"))
    components = card_of("home", "Home")["cmps"].values()
    asked = {
        path
        for component in components
        if component["state_topic"].endswith(f"/{channel}")
        for path in re.findall(r"value_json\.([\w.]+)", component["value_template"])
    }
    assert asked
    for path in asked:
        found = payload
        for field in path.split("."):
            found = found[field]


async def test_an_integrator_finds_the_card_and_everything_it_names(
    house: Database, broker: Broker, database_url: str
) -> None:
    async with serving(run, settings(broker, database_url)):
        async with integrating(broker) as reader:
            await eventually_async(lambda: card_in(reader.kept, "home") and card_in(reader.kept, "barn"))
        messages = await kept(broker)
        card = card_in(messages, "home")
        SCHEMA.validate(card)
        assert card["dev"]["name"] == "Home"
        for component in card["cmps"].values():
            assert component["state_topic"] in messages or component["p"] == "event"
        status = json.loads(messages[card["availability_topic"]])
        assert status["state"] == card["payload_available"]
    messages = await kept(broker)
    assert json.loads(messages[card["availability_topic"]])["state"] == card["payload_not_available"]
    assert card_in(messages, "home") == card, "the card stays while nobody watches, so that Home Assistant says so"


async def test_a_site_that_is_new_gets_a_card_and_a_new_name_gets_onto_it(
    house: Database, broker: Broker, database_url: str
) -> None:
    async with serving(run, settings(broker, database_url)), integrating(broker) as reader:
        await eventually_async(lambda: card_in(reader.kept, "home"))
        async with house.transaction() as session:
            await registry.add_site(session, LONGEST, ODD_NAMES[0])
        await eventually_async(lambda: card_in(reader.kept, LONGEST))
        first = card_in(reader.kept, LONGEST)
        for name in ODD_NAMES[1:]:
            async with house.transaction() as session:
                await registry.change_site(session, LONGEST, name=name)
            await eventually_async(lambda name=name: card_in(reader.kept, LONGEST)["dev"]["name"] == name)  # type: ignore[misc]
        renamed = card_in(reader.kept, LONGEST)
        SCHEMA.validate(renamed)
        assert renamed["dev"]["identifiers"] == first["dev"]["identifiers"]
        assert unique_ids(renamed) == unique_ids(first)
        assert len(reader.live(topics.home_assistant_config("barn"))) <= 1, "the others are left in peace"


async def test_home_assistant_is_told_everything_again_when_it_starts(
    house: Database, broker: Broker, database_url: str
) -> None:
    said = [topics.home_assistant_config("home"), "svitlo/sites/barn/power", "svitlo/sites/barn/state"]
    async with serving(run, settings(broker, database_url)):
        async with integrating(broker) as reader:
            await eventually_async(lambda: card_in(reader.kept, "home") and card_in(reader.kept, "barn"))
        async with integrating(broker) as reader:
            asked_at = asyncio.get_running_loop().time()
            calls = (b"offline", b"online", b"online")  # none waits for the broker to take the one before
            await asyncio.gather(*(reader.say(topics.HOME_ASSISTANT_STATUS, call) for call in calls))
            await eventually_async(lambda: all(reader.live(topic) for topic in said))
            assert reader.live(said[0])[0].at - asked_at > publisher.SPREAD_S[0] / 2, "it is given a moment"
            await eventually_async(lambda: reader.live(topics.home_assistant_config("barn")))
            assert [len(reader.live(topic)) for topic in said] == [1, 1, 1], "once, however often it calls"


async def test_news_does_not_wait_behind_the_cards_of_others(
    house: Database, broker: Broker, database_url: str
) -> None:
    async with house.transaction() as session:
        for number in range(300):
            await registry.add_site(session, f"flat-{number}", "Flat")
    async with serving(run, settings(broker, database_url)), integrating(broker) as reader:

        def cards() -> int:
            return sum(bool(reader.live(topics.home_assistant_config(f"flat-{number}"))) for number in range(300))

        await eventually_async(cards)
        async with house.transaction() as session:
            await registry.change_site(session, "home", name="News")
        state = "svitlo/sites/home/state"
        await eventually_async(lambda: cards() == 300 and b"News" in reader.kept.get(state, b""))
        news = next(n for n, seen in enumerate(reader.heard) if seen.topic == state and b"News" in seen.payload)
        assert any("flat-" in seen.topic and seen.topic.endswith("/config") for seen in reader.heard[news:])


async def test_entities_stay_when_a_site_is_renamed(house: Database, broker: Broker, database_url: str) -> None:
    """Home Assistant drops them with the old card, and would refuse the new one if it came any sooner."""
    async with serving(run, settings(broker, database_url)), integrating(broker) as reader:
        for before_it, slug in pairwise(("home", "dacha", "cabin", "hut")):
            old, new = topics.home_assistant_config(before_it), topics.home_assistant_config(slug)
            await eventually_async(lambda name=before_it: card_in(reader.kept, name))  # type: ignore[misc]
            before = card_in(reader.kept, before_it)
            async with house.transaction() as session:
                await registry.rename_site(session, before_it, slug)
            await eventually_async(lambda topic=new: reader.live(topic))  # type: ignore[misc]
            after = card_in(reader.kept, slug)
            assert after["dev"] == before["dev"]
            assert unique_ids(after) == unique_ids(before)
            assert after["cmps"]["power"]["state_topic"] == f"svitlo/sites/{slug}/power"
            assert [message.payload for message in reader.live(old)][-1] == b""
            waited = reader.live(new)[0].at - reader.live(old)[-1].at
            if waited > publisher.SETTLE_S - 0.5:
                break  # else we heard late that the old one went
        assert waited > publisher.SETTLE_S - 0.5


async def test_a_slug_that_passes_to_another_site_brings_no_entity_with_it(
    house: Database, broker: Broker, database_url: str
) -> None:
    topic = topics.home_assistant_config("home")
    async with serving(run, settings(broker, database_url)), integrating(broker) as reader:
        await eventually_async(lambda: card_in(reader.kept, "home") and card_in(reader.kept, "barn"))
        first, second = card_in(reader.kept, "home"), card_in(reader.kept, "barn")
        seen = len(reader.heard)
        async with house.transaction() as session:
            await registry.remove_site(session, "home")
            await registry.rename_site(session, "barn", "home")
        await eventually_async(lambda: card_in(reader.kept, "home").get("dev") == second["dev"])
        assert unique_ids(card_in(reader.kept, "home")) == unique_ids(second) != unique_ids(first)
        assert [bool(message.payload) for message in reader.heard[seen:] if message.topic == topic] == [False, True]
        assert all(message.payload for message in reader.live("svitlo/sites/home/power"))


async def test_cards_name_the_detector_that_watches(house: Database, broker: Broker, database_url: str) -> None:
    async with integrating(broker) as reader:
        async with serving(run, settings(broker, database_url, "a")):
            await eventually_async(lambda: card_in(reader.kept, "home"))
            standby = serving(run, settings(broker, database_url, "b"))
            await standby.__aenter__()
        await eventually_async(lambda: "/b" in card_in(reader.kept, "home")["availability_topic"])
        assert b"offline" in reader.kept["svitlo/services/detector/a"]
        assert b"online" in reader.kept["svitlo/services/detector/b"]
        await standby.__aexit__(None, None, None)


async def test_a_detector_that_lost_its_turn_does_not_have_the_last_word(
    house: Database, broker: Broker, database_url: str
) -> None:
    """While it did not know yet, it said that the sites are in its hands; then it stood down."""
    topic = topics.home_assistant_config("home")
    stale = home_assistant.discovery("home", 1, "Home", instance="2", language="en", version="0.1.0")
    farewell = encode(ServiceStatus(state="offline", version="0.1.0"))
    async with serving(run, settings(broker, database_url)), integrating(broker) as reader:
        await eventually_async(lambda: card_in(reader.kept, "home") and card_in(reader.kept, "barn"))
        async with speaking_as(broker, "svitlo.detector") as other:
            await other.publish(topic, stale, qos=1, retain=True)
            await other.publish("svitlo/sites/home/power", b"off", qos=1, retain=True)
            await eventually_async(lambda: reader.kept[topic] == stale)
            await other.publish("svitlo/services/detector/2", farewell, qos=1, retain=True)
        await eventually_async(lambda: card_in(reader.kept, "home")["availability_topic"].endswith("/1"))
        await eventually_async(lambda: reader.kept["svitlo/sites/home/power"] == b"unknown")
