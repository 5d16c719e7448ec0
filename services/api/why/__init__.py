"""Why a site is in the state it is in: from what the detector remembers to an explanation. Pure."""

from services.api.why.explain import explain
from services.api.why.facts import Board, Facts, OpenOutage, Policy, Site, remembered_of_device, remembered_of_site
from services.api.why.model import Why

__all__ = [
    "Board",
    "Facts",
    "OpenOutage",
    "Policy",
    "Site",
    "Why",
    "explain",
    "remembered_of_device",
    "remembered_of_site",
]
