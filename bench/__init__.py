"""Measurements of the whole, each against its bar: `python -m bench [NAME...]`."""
