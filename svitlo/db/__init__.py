"""The database: tables, the one session, migrations, the event log."""
