"""The detector: turns wills and silence into power events."""
