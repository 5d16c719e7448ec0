"""What the API reads, in SQL. Removed sites and devices do not exist here; `private` says whether private sites do."""

from services.api.store.outages import OutageFilter, Period, gaps, outages, statistics_of
from services.api.store.registry import detector_tick, devices, key_kind
from services.api.store.sites import Place, Span, places, site_exists, sites
from services.api.store.why import facts_of

__all__ = [
    "OutageFilter",
    "Period",
    "Place",
    "Span",
    "detector_tick",
    "devices",
    "facts_of",
    "gaps",
    "key_kind",
    "outages",
    "places",
    "site_exists",
    "sites",
    "statistics_of",
]
