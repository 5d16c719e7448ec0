"""What people read: pure functions from facts to text."""

from services.notifier.views.alerts import ALERT_KINDS, LATE_AFTER, RETRACTED, Alert, alert_text
from services.notifier.views.reader import HEADLINE_NAME, Escape, Reader, short_name, short_path
from services.notifier.views.status import DATED, STATUS_ROOM, SiteStatus, status_text
from services.notifier.views.storms import Entry, StillOff, bundle_text, reminders_text

__all__ = [
    "ALERT_KINDS",
    "DATED",
    "HEADLINE_NAME",
    "LATE_AFTER",
    "RETRACTED",
    "STATUS_ROOM",
    "Alert",
    "Entry",
    "Escape",
    "Reader",
    "SiteStatus",
    "StillOff",
    "alert_text",
    "bundle_text",
    "reminders_text",
    "short_name",
    "short_path",
    "status_text",
]
