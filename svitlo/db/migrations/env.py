"""Alembic's entry: runs on the connection that `svitlo.db.migrate` hands over."""

from __future__ import annotations

from alembic import context

from svitlo.db.migrate import include_object
from svitlo.db.models import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, include_object=include_object)
with context.begin_transaction():
    context.run_migrations()
