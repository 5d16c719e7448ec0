"""How the page looks: one style sheet, allowed by its hash, and an icon for each state."""

from __future__ import annotations

import base64
import hashlib

from svitlo.contracts import SiteStateWord

STYLE = """
:root{color-scheme:light dark;--bg:#f4f2ec;--card:#fffefa;--line:#dfdbd0;--ink:#1d1f24;--soft:#5c5f68;
--on:#ffd54a;--on-ink:#3b2c00;--off:#2b303b;--off-ink:#f3f4f7;--off-line:#2b303b;--glow:#a87900;--mid:#e4e1d8;--mid-ink:#33363d;
--warn:#fff0c9;--warn-line:#c98a00;--warn-ink:#4d3500;--link:#1d55b3}
@media (prefers-color-scheme:dark){:root{--bg:#101216;--card:#1a1d23;--line:#2d323c;--ink:#eceef2;--soft:#a3a9b6;
--on:#ffd54a;--on-ink:#2e2200;--off:#000;--off-ink:#f1f3f7;--off-line:#8b93a3;--glow:#ffd54a;--mid:#343a46;--mid-ink:#e6e8ee;
--warn:#3a2c06;--warn-line:#e0a526;--warn-ink:#ffe6ad;--link:#8fb8ff}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:1rem/1.45 system-ui,-apple-system,"Segoe UI",Roboto,
"Noto Sans","DejaVu Sans",sans-serif;-webkit-text-size-adjust:100%}
.wrap{max-width:42rem;margin:0 auto;padding:1rem 1rem 2rem}
header{display:flex;justify-content:space-between;align-items:center;gap:1rem}
.brand{display:flex;align-items:center;gap:.4rem;font-weight:650}
.brand svg{width:1.4rem;height:1.4rem;color:var(--glow)}
nav{display:flex;gap:.25rem;font-size:.9rem}
nav a,nav b{padding:.3rem .5rem}
a{color:var(--link);text-underline-offset:.15em}
a:focus-visible{outline:3px solid var(--link);outline-offset:2px;border-radius:.25rem}
h1{font-size:clamp(1.7rem,7.5vw,2.6rem);line-height:1.15;letter-spacing:-.015em;margin:1.5rem 0 1rem;text-wrap:balance}
.share{display:block;width:100%;height:.6rem;border-radius:.3rem;margin:0 0 1.25rem;background:var(--mid);
outline:1px solid var(--line)}
.share .lit{fill:var(--on)}.share .dark{fill:var(--off)}.share .rest{fill:var(--mid)}
.warn{display:flex;gap:.75rem;background:var(--warn);color:var(--warn-ink);border-left:.3rem solid var(--warn-line);
border-radius:.5rem;padding:.75rem 1rem;margin:1rem 0}
.warn p{margin:0}.warn svg{flex:none;width:1.5rem;height:1.5rem}
ul{list-style:none;margin:0;padding:0;display:grid;gap:.75rem}
li{background:var(--card);border:1px solid var(--line);border-radius:.9rem;padding:.9rem 1rem}
h2{font-size:1.15rem;line-height:1.3;margin:0;overflow-wrap:anywhere}
.now{display:flex;flex-wrap:wrap;align-items:center;gap:.35rem .75rem;margin:.55rem 0 0}
.state{display:inline-flex;align-items:center;gap:.4rem;padding:.25rem .7rem .25rem .5rem;border-radius:1rem;
font-weight:650;background:var(--mid);color:var(--mid-ink);border:1px solid transparent}
.state svg{width:1.25rem;height:1.25rem;flex:none}
.on,.late{background:var(--on);color:var(--on-ink)}
.off,.backup{background:var(--off);color:var(--off-ink);border-color:var(--off-line)}
.last{margin:.55rem 0 0;color:var(--soft);font-size:.92rem}
.when{font-variant-numeric:tabular-nums}
.whole{white-space:nowrap}
footer{margin-top:1.75rem;color:var(--soft);font-size:.9rem}
footer p{margin:.25rem 0}
"""

STYLE_HASH = "sha256-" + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
"""What a Content-Security-Policy calls this style sheet."""

_BULB = (
    '<path d="M12 3a6 6 0 0 0-3.5 10.9c.6.5 1 1.2 1 2v.6h5v-.6c0-.8.4-1.5 1-2A6 6 0 0 0 12 3z" {}/>'
    '<path d="M10 19.2h4M10.6 21.6h2.8"/>'
)
_RING = '<circle cx="12" cy="12" r="8.5"/>'
_FILLED = 'fill="currentColor"'

ICONS: dict[SiteStateWord, str] = {
    SiteStateWord.ON: _BULB.format(_FILLED),
    SiteStateWord.OFF: _BULB.format("") + '<path d="M4 3.5l16 17"/>',
    SiteStateWord.PARTIAL: _RING + f'<path d="M12 3.5a8.5 8.5 0 0 1 0 17z" {_FILLED}/>',
    SiteStateWord.LATE: _RING + '<path d="M12 7v5l3.5 2.5"/>',
    SiteStateWord.BACKUP: '<path d="M3 8h15v8H3zM21 11v2"/><path d="M6 11v2M9 11v2"/>',
    SiteStateWord.UNKNOWN: _RING + '<path d="M9.6 9.5a2.5 2.5 0 1 1 3.6 2.3c-.8.4-1.2 1-1.2 1.8M12 16.6v.1"/>',
    SiteStateWord.MAINTENANCE: (
        '<path d="M14.5 6.5a4 4 0 0 1 5-1l-2.6 2.6 1.5 1.5L21 7a4 4 0 0 1-5.4 5'
        'L8 19.6A2 2 0 0 1 5 16.8l7.6-7.6a4 4 0 0 1 1.9-2.7z"/>'
    ),
}
"""The inside of an icon of 24 by 24, drawn in the colour of the text."""

WARNING = '<path d="M12 4l9 16H3zM12 10v4.5M12 17.2v.1"/>'

FAVICON = (
    "data:image/svg+xml;base64,"
    + base64.b64encode(
        b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><circle cx="12" cy="12" r="12" fill="#ffd54a"/>'
        b'<path d="M13 4l-6 9h4l-1 7 7-10h-4.5z" fill="#3b2c00"/></svg>'
    ).decode()
)


def icon(inside: str) -> str:
    """An icon as inline SVG, hidden from screen readers: the word beside it says the same."""
    return (
        '<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.9" stroke-linecap="round" '
        f'stroke-linejoin="round" aria-hidden="true">{inside}</svg>'
    )
