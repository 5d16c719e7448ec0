"""The four services: ingest, detector, notifier, api."""
