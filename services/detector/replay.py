"""What the detector would have reported under other rules: its core over recorded readings."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from msgspec import UNSET, structs

from services.detector import replay_store, store
from services.detector.core.outage import Outage
from services.detector.core.place import Place, Rule
from services.detector.replay_player import Player
from services.detector.replay_store import Alert, Gap, Reported, Tape
from services.detector.service import policy_of
from svitlo import settings
from svitlo.contracts import PowerEvent
from svitlo.db.session import Database
from svitlo.errors import NotFoundError, UserError
from svitlo.maintenance import spans

AROUND = timedelta(hours=1)
"""So long before the span, at least, the replay begins, and so long after it it goes on: what is under way at either
end is seen through."""


class NoReadingsError(UserError):
    """Nothing was recorded in the span; `kept` is the span of what was (UTC), None if nothing is there at all."""

    def __init__(self, kept: tuple[datetime, datetime] | None) -> None:
        super().__init__("there are no readings of these places in that time")
        self.kept = kept


@dataclass(frozen=True)
class Request:
    """What to replay: `[since, until)` (UTC), for some sites and those under them (none named: all), by which rules.

    `policy` holds the settings that differ from those in force; `rules` the rule and its `k` of single sites, and under
    the key None that of all others.
    """

    since: datetime
    until: datetime
    sites: tuple[str, ...] = ()
    policy: Mapping[str, int | float] = field(default_factory=dict)
    rules: Mapping[str | None, tuple[Rule, int]] = field(default_factory=dict)


class Story(NamedTuple):
    """What is said of a span: the outages that overlap it, the alerts of the span and of these outages."""

    outages: list[Reported]
    alerts: list[Alert]


@dataclass(frozen=True)
class Replay:
    """What was reported of a span `then`, and what would be `now`.

    `since` and `until` (UTC) are the span that was asked for, as far as there are readings.
    `begin` and `end` (UTC) are those of the replay itself, which is longer than the span; `readings` and `seconds` are
    of all of it. `passed_over` counts readings by devices that stand for no place; `holes` are spans in which no board
    was heard; `own_times` names sites with confirmation times of their own.
    """

    request: Request
    since: datetime
    until: datetime
    policy: settings.Policy
    in_force: settings.Policy
    begin: datetime
    end: datetime
    then: Story
    now: Story
    readings: int
    seconds: float
    sites: int
    devices: int
    gaps: list[Gap]
    holes: list[tuple[datetime, datetime]]
    passed_over: Mapping[str, int]
    own_times: list[str]


async def replay(
    url: str,
    defaults: settings.Policy,
    request: Request,
    now: datetime,
    progress: Callable[[datetime], None] = lambda _: None,
) -> Replay:
    """Play the record of a span by other rules; `progress` is told how far it came.

    `defaults` is the policy in force where the detector never said by what it runs; `now` (UTC) ends the record.
    Raises `UserError` when nothing can be replayed, `NoReadingsError`, `DatabaseUnavailableError`.
    """
    async with Database(url, pool_size=1) as database, Tape(url) as tape, database.transaction() as session:
        chosen = _chosen(await store.load_registry(session), request)
        devices = sorted({device for entry in chosen.values() for device in entry.place.devices})
        kept = await tape.span(devices)
        if kept is None or kept[0] >= request.until or kept[1] < request.since:
            raise NoReadingsError(kept)
        since, until = max(request.since, kept[0]), min(request.until, now)
        in_force = settings.Policy(**defaults.model_dump() | await replay_store.policy_in_force(session))
        interval_s = await replay_store.longest_interval(session, devices)
        then = await replay_store.reported(session, sorted(chosen), since, until)
        alerts_then = await replay_store.alerts(session, sorted(chosen), then, since, until)
    policy = in_force.model_copy(update=dict(request.policy))
    rules = policy_of(policy)
    begin = since - max(AROUND, rules.settle(interval_s) + rules.confirm_off, rules.pause_limit)
    end = min(until + AROUND, now)
    player = Player({slug: _place(slug, entry, request, begin, end) for slug, entry in chosen.items()}, rules)
    started = time.perf_counter()
    async with Tape(url) as tape:
        gaps = await tape.gaps(begin, end)
        player.begin(await tape.last_words(devices, begin), begin)
        player.foresee(gaps, ())
        within = False
        for first, last in _parts(begin, since, until, end):
            player.foresee((), await tape.journals(first, last, devices))
            async for rows in tape.readings(first, last, devices if request.sites else None):
                player.play(rows)
                progress(rows[-1][0])
                within = within or since <= first < until
        if not within:
            raise NoReadingsError(kept)
    player.finish(end)
    found = [_reported(*known) for known in player.outages.values()]
    outages = [outage for outage in found if _meets(outage.started_lo, outage.ended_hi, since, until)]
    ids = {outage.id for outage in outages}
    return Replay(
        request=request,
        since=since,
        until=until,
        policy=policy,
        in_force=in_force,
        begin=begin,
        end=end,
        then=Story(then, alerts_then),
        now=Story(
            sorted(outages, key=lambda outage: (outage.started_lo, outage.site)),
            [_alert(event) for event in player.events if since <= event.detected_at < until or event.outage_id in ids],
        ),
        readings=player.heard,
        seconds=time.perf_counter() - started,
        sites=len(chosen),
        devices=len(devices),
        gaps=[gap for gap in gaps if _meets(gap.started_at, gap.ended_at, since, until)],
        holes=[] if request.sites else [hole for hole in player.holes if _meets(*hole, since, until)],
        passed_over=player.passed_over,
        own_times=[slug for slug, entry in chosen.items() if entry.place.confirm_off or entry.place.confirm_on],
    )


def _chosen(registry: Mapping[str, store.SiteEntry], request: Request) -> dict[str, store.SiteEntry]:
    """The named sites and all under them; all if none is named."""
    for slug in (*request.sites, *request.rules):
        if slug is not None and slug not in registry:
            raise NotFoundError(f"there is no site {slug!r}; svitlo site list shows what there is")
    found = dict.fromkeys(request.sites or registry)
    while more := [slug for slug, entry in registry.items() if entry.place.parent in found and slug not in found]:
        found |= dict.fromkeys(more)
    if not any(registry[slug].place.devices for slug in found):
        raise UserError("no board stands for these places, so there is nothing to replay")
    return {slug: registry[slug] for slug in found}


def _place(slug: str, entry: store.SiteEntry, request: Request, begin: datetime, end: datetime) -> Place:
    """The site as the registry has it today, with all maintenance of the time and the rule that is tried."""
    rule, k = request.rules.get(slug) or request.rules.get(None) or (entry.place.rule, entry.place.k)
    return structs.replace(entry.place, rule=rule, k=k, maintenance=spans(entry.windows, begin, end))


def _parts(begin: datetime, since: datetime, until: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The replay a day at a time, as the readings are kept; the span itself begins and ends with a part."""
    marks = {begin, since, until, end}
    midnight = begin.replace(hour=0, minute=0, second=0, microsecond=0)
    while (midnight := midnight + timedelta(days=1)) < end:
        marks.add(midnight)
    return pairwise(sorted(marks))


def _meets(start: datetime, end: datetime | None, since: datetime, until: datetime) -> bool:
    return start < until and (end is None or end > since)


def _reported(site: str, outage: Outage) -> Reported:
    known = {name: getattr(outage, name) for name in Reported.__struct_fields__ if name != "site"}
    return Reported(site=site, **known)


def _alert(event: PowerEvent) -> Alert:
    return Alert(
        site=event.site,
        kind=event.kind,
        outage_id=event.outage_id,
        detected_at=event.detected_at,
        occurred_lo=event.occurred_lo,
        occurred_hi=event.occurred_hi,
        quiet=event.quiet is True,
        changes=event.flapping.changes if event.flapping is not UNSET else None,
    )
