"""Create the first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


_REGISTRY = ("sites", "devices", "site_devices")

_NOTIFY = """
CREATE FUNCTION svitlo_registry_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('svitlo_registry', TG_TABLE_NAME);
  RETURN NULL;
END $$
"""

# `devices.last_seen_at` and its like change all the time; only what the services keep in memory is news.
_COLUMNS = {"devices": " OF id, removed_at"}


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.String(length=48), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=True),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('read', 'admin', 'mqtt')", name=op.f("ck_api_keys_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("hash", name=op.f("uq_api_keys_hash")),
    )
    op.create_index(
        "uq_api_keys_name_live",
        "api_keys",
        ["name"],
        unique=True,
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.create_table(
        "audit_log",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=48), nullable=False),
        sa.Column("target", sa.String(length=120), nullable=False),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_table(
        "chats",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("platform", sa.String(length=12), nullable=False),
        sa.Column("chat_id", sa.BigInteger(), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("inactive_reason", sa.String(length=200), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chats")),
        sa.UniqueConstraint("platform", "chat_id", name=op.f("uq_chats_platform_chat_id")),
    )
    op.create_table(
        "consumer_offsets",
        sa.Column("consumer", sa.String(length=48), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("consumer", name=op.f("pk_consumer_offsets")),
    )
    op.create_table(
        "devices",
        sa.Column("id", sa.String(length=48), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("boot", sa.String(length=32), nullable=True),
        sa.Column("boots", sa.Integer(), nullable=True),
        sa.Column("reset", sa.String(length=16), nullable=True),
        sa.Column("interval_s", sa.Integer(), nullable=True),
        sa.Column("rssi", sa.Integer(), nullable=True),
        sa.Column("fw", sa.String(length=32), nullable=True),
        sa.CheckConstraint("id ~ '^[a-z0-9-]{1,48}$'", name=op.f("ck_devices_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_devices")),
    )
    op.create_table(
        "observation_gaps",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.String(length=16), nullable=False),
        sa.CheckConstraint("started_at <= ended_at", name=op.f("ck_observation_gaps_bounds")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_observation_gaps")),
    )
    op.create_index(op.f("ix_observation_gaps_started_at"), "observation_gaps", ["started_at"], unique=False)
    op.create_table(
        "quarantine",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("topic", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.String(length=12), nullable=False),
        sa.Column("device_id", sa.String(length=48), nullable=True),
        sa.Column("detail", sa.String(length=200), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sample", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantine")),
        sa.UniqueConstraint("day", "topic", "reason", name=op.f("uq_quarantine_day_topic_reason")),
    )
    op.create_index(op.f("ix_quarantine_device_id"), "quarantine", ["device_id"], unique=False)
    op.create_table(
        "readings",
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("device_id", sa.String(length=48), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.String(length=12), nullable=True),
        sa.Column("boot", sa.String(length=32), nullable=False),
        sa.Column("boots", sa.Integer(), nullable=True),
        sa.Column("conn", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("uptime_s", sa.BigInteger(), nullable=True),
        sa.Column("interval_s", sa.Integer(), nullable=False),
        sa.Column("keepalive_s", sa.Integer(), nullable=True),
        sa.Column("reset", sa.String(length=16), nullable=True),
        sa.Column("mains", sa.Boolean(), nullable=True),
        sa.Column("volts", sa.REAL(), nullable=True),
        sa.Column("rssi", sa.SmallInteger(), nullable=True),
        sa.Column("heap", sa.Integer(), nullable=True),
        sa.Column("fw", sa.String(length=32), nullable=True),
        sa.Column("device_time", sa.DateTime(timezone=True), nullable=True),
        postgresql_partition_by="RANGE (received_at)",
    )
    op.create_index("ix_readings_device_id_received_at", "readings", ["device_id", "received_at"], unique=False)
    op.create_table(
        "service_ticks",
        sa.Column("service", sa.String(length=48), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("service", name=op.f("pk_service_ticks")),
    )
    op.create_table(
        "sites",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("slug", sa.String(length=48), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("parent_id", sa.Integer(), nullable=True),
        sa.Column("public", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("invite", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("slug ~ '^[a-z0-9-]{1,48}$'", name=op.f("ck_sites_slug")),
        sa.ForeignKeyConstraint(["parent_id"], ["sites.id"], name=op.f("fk_sites_parent_id_sites")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sites")),
        sa.UniqueConstraint("invite", name=op.f("uq_sites_invite")),
    )
    op.create_index(
        "uq_sites_slug_live", "sites", ["slug"], unique=True, postgresql_where=sa.text("removed_at IS NULL")
    )
    op.create_table(
        "unknown_devices",
        sa.Column("device_id", sa.String(length=48), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("device_id", name=op.f("pk_unknown_devices")),
    )
    op.create_table(
        "device_credentials",
        sa.Column("device_id", sa.String(length=48), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("rotated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_id"],
            ["devices.id"],
            name=op.f("fk_device_credentials_device_id_devices"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("device_id", name=op.f("pk_device_credentials")),
    )
    op.create_table(
        "device_state",
        sa.Column("device_id", sa.String(length=48), nullable=False),
        sa.Column("liveness", sa.String(length=12), nullable=False),
        sa.Column("boot", sa.String(length=32), nullable=True),
        sa.Column("previous_boot", sa.String(length=32), nullable=True),
        sa.Column("conn", sa.Integer(), nullable=True),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("interval_s", sa.Integer(), nullable=False),
        sa.Column("last_proof_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lost_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lost_by", sa.String(length=12), nullable=True),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_id"], ["devices.id"], name=op.f("fk_device_state_device_id_devices"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("device_id", name=op.f("pk_device_state")),
    )
    op.create_table(
        "outages",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("site_id", sa.Integer(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("cause", sa.String(length=12), nullable=False),
        sa.Column("started_lo", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_hi", sa.DateTime(timezone=True), nullable=False),
        sa.Column("detected_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_lo", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_hi", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_detected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retracted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("ended_lo <= ended_hi", name=op.f("ck_outages_end_bounds")),
        sa.CheckConstraint("started_lo <= started_hi", name=op.f("ck_outages_start_bounds")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_outages_site_id_sites")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outages")),
    )
    op.create_index("ix_outages_site_id_started_lo_id", "outages", ["site_id", "started_lo", "id"], unique=False)
    op.create_index("ix_outages_started_lo_id", "outages", ["started_lo", "id"], unique=False)
    op.create_index(
        "uq_outages_open_site",
        "outages",
        ["site_id"],
        unique=True,
        postgresql_where=sa.text("ended_hi IS NULL AND retracted_at IS NULL"),
    )
    op.create_table(
        "power_events",
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("site_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("outage_id", sa.UUID(), nullable=False),
        sa.Column("occurred_lo", sa.DateTime(timezone=True), nullable=False),
        sa.Column("occurred_hi", sa.DateTime(timezone=True), nullable=False),
        sa.Column("detected_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cause", sa.String(length=12), nullable=False),
        sa.Column("evidence", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_power_events_site_id_sites")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_power_events")),
        sa.UniqueConstraint("id", "rev", name=op.f("uq_power_events_id_rev")),
    )
    op.create_index(op.f("ix_power_events_outage_id"), "power_events", ["outage_id"], unique=False)
    op.create_index(op.f("ix_power_events_site_id"), "power_events", ["site_id"], unique=False)
    op.create_table(
        "site_devices",
        sa.Column("site_id", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.String(length=48), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_id"], ["devices.id"], name=op.f("fk_site_devices_device_id_devices"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["site_id"], ["sites.id"], name=op.f("fk_site_devices_site_id_sites"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("site_id", "device_id", name=op.f("pk_site_devices")),
    )
    op.create_index(op.f("ix_site_devices_device_id"), "site_devices", ["device_id"], unique=False)
    op.create_table(
        "site_state",
        sa.Column("site_id", sa.Integer(), nullable=False),
        sa.Column("power", sa.String(length=8), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["site_id"], ["sites.id"], name=op.f("fk_site_state_site_id_sites"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("site_id", name=op.f("pk_site_state")),
    )
    op.create_table(
        "subscriptions",
        sa.Column("chat", sa.Integer(), nullable=False),
        sa.Column("site_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["chat"], ["chats.id"], name=op.f("fk_subscriptions_chat_chats"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["site_id"], ["sites.id"], name=op.f("fk_subscriptions_site_id_sites"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("chat", "site_id", name=op.f("pk_subscriptions")),
    )
    op.create_index(op.f("ix_subscriptions_site_id"), "subscriptions", ["site_id"], unique=False)
    op.create_table(
        "deliveries",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("event_seq", sa.BigInteger(), nullable=False),
        sa.Column("chat", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.Column("text", sa.String(), nullable=True),
        sa.Column("error", sa.String(length=300), nullable=True),
        sa.ForeignKeyConstraint(["chat"], ["chats.id"], name=op.f("fk_deliveries_chat_chats"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["event_seq"], ["power_events.seq"], name=op.f("fk_deliveries_event_seq_power_events")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("event_seq", "chat", name=op.f("uq_deliveries_event_seq_chat")),
    )
    op.create_index(
        "ix_deliveries_chat_pending",
        "deliveries",
        ["chat", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "ix_deliveries_due",
        "deliveries",
        ["next_attempt_at", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.execute(_NOTIFY)
    for table in _REGISTRY:
        op.execute(
            f"CREATE TRIGGER registry_changed AFTER INSERT OR DELETE OR UPDATE{_COLUMNS.get(table, '')} ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION svitlo_registry_changed()"
        )


def downgrade() -> None:
    """Take back."""
    for table in _REGISTRY:
        op.execute(f"DROP TRIGGER registry_changed ON {table}")
    op.execute("DROP FUNCTION svitlo_registry_changed()")
    op.drop_index("ix_deliveries_due", table_name="deliveries", postgresql_where=sa.text("state = 'pending'"))
    op.drop_index("ix_deliveries_chat_pending", table_name="deliveries", postgresql_where=sa.text("state = 'pending'"))
    op.drop_table("deliveries")
    op.drop_index(op.f("ix_subscriptions_site_id"), table_name="subscriptions")
    op.drop_table("subscriptions")
    op.drop_table("site_state")
    op.drop_index(op.f("ix_site_devices_device_id"), table_name="site_devices")
    op.drop_table("site_devices")
    op.drop_index(op.f("ix_power_events_site_id"), table_name="power_events")
    op.drop_index(op.f("ix_power_events_outage_id"), table_name="power_events")
    op.drop_table("power_events")
    op.drop_index(
        "uq_outages_open_site",
        table_name="outages",
        postgresql_where=sa.text("ended_hi IS NULL AND retracted_at IS NULL"),
    )
    op.drop_index("ix_outages_started_lo_id", table_name="outages")
    op.drop_index("ix_outages_site_id_started_lo_id", table_name="outages")
    op.drop_table("outages")
    op.drop_table("device_state")
    op.drop_table("device_credentials")
    op.drop_table("unknown_devices")
    op.drop_index("uq_sites_slug_live", table_name="sites", postgresql_where=sa.text("removed_at IS NULL"))
    op.drop_table("sites")
    op.drop_table("service_ticks")
    op.drop_index("ix_readings_device_id_received_at", table_name="readings")
    op.drop_table("readings")
    op.drop_index(op.f("ix_quarantine_device_id"), table_name="quarantine")
    op.drop_table("quarantine")
    op.drop_index(op.f("ix_observation_gaps_started_at"), table_name="observation_gaps")
    op.drop_table("observation_gaps")
    op.drop_table("devices")
    op.drop_table("consumer_offsets")
    op.drop_table("chats")
    op.drop_table("audit_log")
    op.drop_index("uq_api_keys_name_live", table_name="api_keys", postgresql_where=sa.text("revoked_at IS NULL"))
    op.drop_table("api_keys")
