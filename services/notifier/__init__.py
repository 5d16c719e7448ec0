"""Tells people: reads the event log, keeps what is owed to each chat, and delivers it."""
