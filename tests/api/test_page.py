"""The page for people: what it says, in which language, and that nothing in it can bite."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import httpx
import pytest

from services.api.page import look
from services.api.page.render import View, render
from services.api.page.words import EN, LANGUAGES, UK, Words, choose, tell_duration, tell_moment
from services.api.schemas import ChildTally
from services.api.store import Place, Span
from svitlo.contracts import PowerState, SiteStateWord
from tests.api.conftest import LinkStandIn
from tests.api.records import NOON, Records

KYIV = ZoneInfo("Europe/Kyiv")


class Page(HTMLParser):
    """The visible text of a page, and its tags with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._hidden = False
        self.feed(html)
        self.text = re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._hidden = tag == "style"

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words.append(data)


async def three_places(records: Records) -> None:
    now = datetime.now(UTC)
    for slug in ("a", "b", "c"):
        await records.site(slug, f"Будинок {slug}")
    await records.site("hidden", "Таємне місце", public=False)
    await records.state("a", "on", since=now - timedelta(hours=5, minutes=20, seconds=5))
    await records.state("b", "late", power="on", since=now - timedelta(days=3, hours=4, minutes=10))
    await records.state("c", "off", since=now - timedelta(minutes=7, seconds=5))
    await records.outage("a", now - timedelta(hours=7), now - timedelta(hours=5, minutes=20))
    await records.outage("c", now - timedelta(minutes=7))


async def test_it_tells_every_public_place_in_ukrainian(client: httpx.AsyncClient, records: Records) -> None:
    await three_places(records)
    response = await client.get("/")
    page = Page(response.text)
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["content-language"] == "uk"
    for said in (
        "Світло є у 2 з 3 місць",
        "Будинок a",
        "Світло є",
        "триває 5 год 20 хв",
        "Останнє відключення",
        "1 год 40 хв",
        "Сигнал запізнюється",
        "триває 3 дн 4 год",
        "Відключень не зафіксовано",
        "Світла немає",
        "триває 7 хв",
    ):
        assert said in page.text, said
    assert "Таємне" not in response.text
    assert "застарілі" not in page.text


async def test_it_tells_the_same_in_english(client: httpx.AsyncClient, records: Records) -> None:
    await three_places(records)
    asked = await client.get("/?lang=en")
    preferred = await client.get("/", headers={"Accept-Language": "de, en-GB;q=0.9, uk;q=0.5"})
    for response in (asked, preferred):
        page = Page(response.text)
        assert response.headers["content-language"] == "en"
        assert ("html", {"lang": "en"}) in page.tags
        assert "2 of 3 places have power" in page.text
        assert "for 5 h 20 min" in page.text
        assert "No power" in page.text
    assert "Accept-Language" in preferred.headers["vary"]


async def test_places_without_power_come_first(client: httpx.AsyncClient, records: Records) -> None:
    await three_places(records)
    text = Page((await client.get("/")).text).text
    assert text.index("Будинок c") < text.index("Будинок a") < text.index("Будинок b")


async def test_it_says_so_when_nobody_watches(client: httpx.AsyncClient, records: Records, link: LinkStandIn) -> None:
    await records.site("a")
    link.detector_online = False
    assert "Дані можуть бути застарілі" in Page((await client.get("/")).text).text
    assert "This may be out of date" in Page((await client.get("/?lang=en")).text).text


async def test_a_hostile_name_is_only_text(client: httpx.AsyncClient, records: Records) -> None:
    hostile = "</h2><script>alert(1)</script><img src=x onerror='alert(2)'>\"&amp;{0}"
    await records.site("a", hostile)
    response = await client.get("/")
    page = Page(response.text)
    assert hostile in "".join(page.words)
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "img"})
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]


async def test_it_loads_nothing_and_may_load_nothing(client: httpx.AsyncClient, records: Records) -> None:
    await three_places(records)
    response = await client.get("/")
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    assert look.STYLE_HASH in policy
    assert "unsafe" not in policy
    page = Page(response.text)
    targets = [value for _, attributes in page.tags for name, value in attributes.items() if name in ("href", "src")]
    assert [target for target in targets if not re.match(r"(data:|\?lang=|/openapi\.json$)", target or "")] == []
    assert "url(" not in response.text
    assert not [attributes for _, attributes in page.tags if "style" in attributes]
    assert ("meta", {"http-equiv": "refresh", "content": "30"}) in page.tags


async def test_an_empty_page_says_that_it_is_empty(client: httpx.AsyncClient) -> None:
    assert "There are no public places yet" in Page((await client.get("/?lang=en")).text).text


@pytest.mark.parametrize(
    ("words", "lit", "total", "said"),
    [
        (UK, 0, 1, "Світло є у 0 з 1 місця"),
        (UK, 2, 3, "Світло є у 2 з 3 місць"),
        (UK, 7, 11, "Світло є у 7 з 11 місць"),
        (UK, 20, 21, "Світло є у 20 з 21 місця"),
        (UK, 100, 111, "Світло є у 100 з 111 місць"),
        (EN, 1, 1, "1 of 1 place has power"),
        (EN, 1, 3, "1 of 3 places has power"),
        (EN, 0, 3, "0 of 3 places have power"),
    ],
)
def test_the_headline_is_a_proper_sentence(words: Words, lit: int, total: int, said: str) -> None:
    assert words.headline(lit, total) == said


@pytest.mark.parametrize(
    ("duration", "said"),
    [
        (timedelta(seconds=-5), "менше хвилини"),
        (timedelta(seconds=59), "менше хвилини"),
        (timedelta(minutes=59, seconds=59), "59 хв"),
        (timedelta(hours=1), "1 год"),
        (timedelta(hours=23, minutes=59), "23 год 59 хв"),
        (timedelta(days=1, minutes=5), "1 дн"),
        (timedelta(days=400, hours=2), "400 дн 2 год"),
    ],
)
def test_a_duration_is_told_in_its_two_largest_units(duration: timedelta, said: str) -> None:
    assert tell_duration(UK, duration) == said


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        (NOON, "14:00"),
        (NOON - timedelta(days=1), "yesterday 14:00"),
        (datetime(2026, 11, 19, 21, 59, tzinfo=UTC), "yesterday 23:59"),
        (datetime(2026, 11, 19, 22, 0, tzinfo=UTC), "00:00"),
        (datetime(2026, 7, 1, 12, 0, tzinfo=UTC), "1 Jul, 15:00"),
        (datetime(2025, 12, 31, 22, 0, tzinfo=UTC), "1 Jan, 00:00"),
        (datetime(2025, 12, 31, 21, 0, tzinfo=UTC), "31 Dec 2025, 23:00"),
    ],
)
def test_a_moment_is_told_by_the_clock_on_the_wall(moment: datetime, said: str) -> None:
    assert tell_moment(EN, moment, NOON, KYIV) == said


@pytest.mark.parametrize(
    ("asked", "header", "code"),
    [
        (None, "", "uk"),
        ("en", "uk", "en"),
        ("xx", "", "uk"),
        (None, "en", "en"),
        (None, "en;q=0, de", "uk"),
        (None, "uk;q=0.3, en;q=0.7", "en"),
        (None, "uk, en", "uk"),
        (None, "fr-FR, *", "uk"),
        (None, "EN-us", "en"),
    ],
)
def test_the_language_is_the_readers_choice(asked: str | None, header: str, code: str) -> None:
    assert choose(asked, header, "uk").code == code


def shown(place: Place, words: Words = EN) -> str:
    return Page(render(View(words, KYIV, NOON), [place], fresh=True)).text


def test_maintenance_says_until_when_and_how_the_power_is() -> None:
    work = Place("A", SiteStateWord.MAINTENANCE, PowerState.OFF, NOON, None, work_until=NOON + timedelta(hours=2))
    assert "Maintenance until 16:00 · No power since 14:00" in shown(work)
    assert "Техроботи до 16:00 · Світла немає з 14:00" in shown(work, UK)


def test_a_place_with_places_under_it_says_how_many_are_without_power() -> None:
    children = ChildTally(total=12, on=8, partial=1, off=3, unknown=0)
    house = Place("A", SiteStateWord.PARTIAL, PowerState.ON, NOON, None, children=children)
    assert "Partly on 3 of 12 without power" in shown(house)
    assert "Є частково без світла 3 з 12" in shown(house, UK)


def test_power_that_comes_and_goes_is_told() -> None:
    place = Place("A", SiteStateWord.ON, PowerState.ON, NOON, None)
    assert EN.unstable in shown(replace(place, unstable=True))
    assert EN.unstable not in shown(place)


async def test_the_page_reads_what_goes_on(client: httpx.AsyncClient, records: Records) -> None:
    now = datetime.now(UTC)
    for slug in ("a", "b", "c"):
        await records.site(slug, slug)
    children = {"total": 12, "on": 9, "partial": 0, "off": 3, "unknown": 0}
    await records.state("a", "on", memory='{"unstable": {}}')
    await records.state("b", "partial", power="on", memory=json.dumps({"children": children}))
    await records.state("c", "maintenance", power="on")
    await records.work("c", now - timedelta(hours=1), 7200)
    text = Page((await client.get("/?lang=en")).text).text
    for said in ("Power comes and goes", "3 of 12 without power", "Maintenance until"):
        assert text.count(said) == 1, said
    assert text.index("Partly on") < text.index("Power on")


async def test_what_was_momentary_or_retracted_is_not_the_last_outage(
    client: httpx.AsyncClient, records: Records
) -> None:
    now = datetime.now(UTC)
    await records.site("a")
    await records.state("a", "on", since=now)
    await records.outage("a", now - timedelta(hours=9), now - timedelta(hours=6))
    await records.outage("a", now - timedelta(hours=5), now - timedelta(hours=3), retracted_at=now)
    await records.outage("a", now - timedelta(hours=2), now - timedelta(hours=1), marks=["momentary"])
    text = Page((await client.get("/?lang=en")).text).text
    assert "3 h" in text
    assert "1 h" not in text
    assert "2 h" not in text


async def test_a_place_without_outages_does_not_cost_a_walk_through_those_of_others(
    client: httpx.AsyncClient, records: Records
) -> None:
    await records.site("busy")
    await records.execute(
        "INSERT INTO outages (id, site_id, rev, cause, started_lo, started_hi, detected_at, ended_lo, ended_hi) "
        "SELECT gen_random_uuid(), s.id, 1, 'power', t, t, t, t, t "
        "FROM sites s, generate_series(CAST(:a AS timestamptz), :b, interval '1 minute') AS t",
        a=NOON - timedelta(days=7),
        b=NOON,
    )
    await records.execute(
        "INSERT INTO sites (slug, name, public, invite) "
        "SELECT 'site-' || n, 'Site ' || n, true, 'invite-' || n FROM generate_series(1, 2000) AS n"
    )
    for analyzed in (False, True):  # two thousand walks through ten thousand rows would take far longer than a request
        if analyzed:
            await records.execute("ANALYZE")
        response = await client.get("/?lang=en")
        assert response.status_code == 200
        assert response.text.count("<li>") == 2001


@pytest.mark.parametrize("words", LANGUAGES.values(), ids=LANGUAGES)
@pytest.mark.parametrize("state", SiteStateWord)
def test_every_state_has_a_word_and_an_icon(words: Words, state: SiteStateWord) -> None:
    place = Place("A", state, PowerState.UNKNOWN, NOON, Span(NOON - timedelta(days=1), NOON))
    html = render(View(words, KYIV, NOON), [place], fresh=True)
    assert words.states[state] in Page(html).text
    assert look.ICONS[state] in html
