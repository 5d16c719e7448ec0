"""Logging: one line an entry, text for people, JSON for machines."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

_LIBRARIES = {
    "gmqtt": logging.CRITICAL,
    "mqtt": logging.CRITICAL,
    "aiogram": logging.WARNING,
    "alembic": logging.WARNING,
    "urllib3": logging.WARNING,
}
"""Loggers of libraries that report as errors what our own loops handle and report once."""


class JsonFormatter(logging.Formatter):
    """One JSON object a line, times in UTC."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record."""
        entry = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def configure(level: str = "info", style: str = "text") -> None:
    """Send the root logger to stderr as `text` or `json`."""
    handler = logging.StreamHandler(sys.stderr)
    if style == "json":
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(
            logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%Y-%m-%d %H:%M:%S")
        )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name, threshold in _LIBRARIES.items():
        logging.getLogger(name).setLevel(threshold)
    logging.getLogger("gmqtt.mqtt.protocol").setLevel(logging.CRITICAL)
