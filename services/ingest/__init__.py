"""Ingest: records what the boards say, knows which boards there are, keeps the broker's accounts in step."""
