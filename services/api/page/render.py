"""Puts the page together: plain HTML without a script, nothing loaded from elsewhere, everything escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import escape
from zoneinfo import ZoneInfo

from services.api.page import look
from services.api.page.words import LANGUAGES, Words, tell_duration, tell_moment
from services.api.store import Place, Span
from svitlo.contracts import PowerState, SiteStateWord

POLICY = (
    f"default-src 'none'; style-src '{look.STYLE_HASH}'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page's Content-Security-Policy: our style sheet and inline images, nothing else."""

REFRESH_S = 30
_URGENCY = [PowerState.OFF, PowerState.UNKNOWN, PowerState.ON]


@dataclass(frozen=True)
class View:
    """How to tell it: the language, the time zone, and now."""

    words: Words
    zone: ZoneInfo
    now: datetime

    def moment(self, moment: datetime) -> str:
        """A moment as a `time` element."""
        machine = moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        told = escape(tell_moment(self.words, moment, self.now, self.zone))
        return f'<time class="whole" datetime="{machine}">{told}</time>'

    def duration(self, duration: timedelta, pattern: str = "{duration}") -> str:
        """A duration, in a phrase of ours, on one line."""
        told = pattern.format(duration=tell_duration(self.words, duration))
        return f'<span class="whole">{escape(told)}</span>'


def render(view: View, places: Sequence[Place], *, fresh: bool) -> str:
    """The page. `fresh` is whether a detector is alive, so that what the database says is so now."""
    words = view.words
    lit = sum(place.power is PowerState.ON for place in places)
    headline = words.headline(lit, len(places)) if places else words.no_places
    parts = ["" if fresh else _warning(words.stale, words.stale_advice), f"<h1>{escape(headline)}</h1>"]
    if places:
        # Who opens the page in the dark looks for a place without power.
        ordered = sorted(places, key=_urgency)
        parts += [_share(places), "<ul>", *(_place(view, place) for place in ordered), "</ul>"]
    return _document(view, headline, "\n".join(parts))


def render_unavailable(view: View) -> str:
    """The page while the database is away."""
    words = view.words
    body = f"<h1>{escape(words.unavailable)}</h1>\n" + _warning(words.unavailable, words.unavailable_advice)
    return _document(view, words.unavailable, body)


def _document(view: View, headline: str, body: str) -> str:
    words = view.words
    as_of = escape(words.as_of).format(moment=view.moment(view.now), zone=escape(view.zone.key))
    brand = look.icon(look.ICONS[SiteStateWord.ON])
    return f"""<!doctype html>
<html lang="{words.code}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="{REFRESH_S}">
<meta name="color-scheme" content="light dark">
<title>{escape(headline)} · {escape(words.title)}</title>
<link rel="icon" href="{look.FAVICON}">
<style>{look.STYLE}</style>
</head>
<body>
<div class="wrap">
<header><span class="brand">{brand}{escape(words.title)}</span><nav>{_languages(words)}</nav></header>
<main>
{body}
</main>
<footer>
<p class="when">{as_of} {escape(words.refresh)}</p>
<p><a href="/openapi.json">{escape(words.programs)}</a></p>
</footer>
</div>
</body>
</html>
"""


def _languages(chosen: Words) -> str:
    return "".join(
        f'<b lang="{words.code}" aria-current="true">{words.name}</b>'
        if words is chosen
        else f'<a href="?lang={words.code}" hreflang="{words.code}" lang="{words.code}">{words.name}</a>'
        for words in LANGUAGES.values()
    )


def _warning(title: str, advice: str) -> str:
    return (
        f'<div class="warn" role="status">{look.icon(look.WARNING)}'
        f"<p><strong>{escape(title)}.</strong> {escape(advice)}</p></div>"
    )


def _share(places: Sequence[Place]) -> str:
    """A bar of how many places are lit; the headline says the same in words."""
    total = len(places)
    counts = [("lit", PowerState.ON), ("dark", PowerState.OFF), ("rest", PowerState.UNKNOWN)]
    bars, x = [], 0
    for name, power in counts:
        width = sum(place.power is power for place in places)
        bars.append(f'<rect class="{name}" x="{x}" width="{width}" height="1"/>')
        x += width
    frame = f'class="share" viewBox="0 0 {total} 1" preserveAspectRatio="none" aria-hidden="true"'
    return f"<svg {frame}>{''.join(bars)}</svg>"


def _urgency(place: Place) -> tuple[int, bool]:
    return _URGENCY.index(place.power), place.state is not SiteStateWord.PARTIAL


def _place(view: View, place: Place) -> str:
    words, state = view.words, place.state
    return (
        f"<li><h2>{escape(place.name)}</h2>"
        f'<p class="now"><span class="state {state.value}">{look.icon(look.ICONS[state])}'
        f'{escape(words.states[state])}</span> <span class="when">{_now(view, place)}</span></p>'
        f"{_unstable(view, place)}{_last(view, place)}</li>"
    )


def _now(view: View, place: Place) -> str:
    """What belongs beside the state."""
    words = view.words
    if place.state is SiteStateWord.PARTIAL and place.children is not None:
        return escape(words.some_off.format(off=place.children.off, total=place.children.total))
    if place.state is SiteStateWord.MAINTENANCE:
        return _work(view, place)
    if place.since is None:
        return escape(words.no_data)
    return f"{_since(view, place.since)} · {view.duration(view.now - place.since, words.going)}"


def _work(view: View, place: Place) -> str:
    """When maintenance ends, and how the power is meanwhile."""
    words = view.words
    told = []
    if place.work_until is not None:
        told.append(escape(words.work_until).format(moment=view.moment(place.work_until)))
    if place.since is not None:
        told.append(f"{escape(words.states[SiteStateWord(place.power.value)])} {_since(view, place.since)}")
    return " · ".join(told)


def _since(view: View, since: datetime) -> str:
    return escape(view.words.since).format(moment=view.moment(since))


def _unstable(view: View, place: Place) -> str:
    return f'<p class="last">{escape(view.words.unstable)}</p>' if place.unstable else ""


def _last(view: View, place: Place) -> str:
    words = view.words
    off = place.power is PowerState.OFF
    if place.last_outage is not None:
        label = words.previous_outage if off else words.last_outage
        told = f"{escape(label)}: {_span(view, place.last_outage)}"
    elif off or place.since is None:
        return ""  # nothing before this outage, or nothing known at all
    else:
        told = escape(words.no_outages)
    return f'<p class="last when">{told}</p>'


def _span(view: View, span: Span) -> str:
    length = view.duration(span.end - span.start)
    start, end = view.moment(span.start), view.moment(span.end)
    if span.start.astimezone(view.zone).date() == span.end.astimezone(view.zone).date():
        clock = f"{span.end.astimezone(view.zone):%H:%M}"
        return f'<span class="whole">{start}–{clock}</span> · {length}'
    return f"{start} – {end} · {length}"
