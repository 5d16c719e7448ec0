"""The Telegram bot people talk to."""
