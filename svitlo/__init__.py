"""Svitlo: a power-outage monitor."""

__version__ = "0.1.0"
