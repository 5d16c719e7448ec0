"""Let chats choose what they are told: rules, topics, targets, pins, people, broadcasts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_NOW = sa.text("now()")


def upgrade() -> None:
    """Apply."""
    _chats_and_subscriptions()
    _deliveries()
    op.create_table(
        "pins",
        sa.Column("chat", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.Column("day", sa.Date(), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.Column("error", sa.String(length=300), nullable=True),
        sa.ForeignKeyConstraint(["chat"], ["chats.id"], name=op.f("fk_pins_chat_chats"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("chat", "kind", name=op.f("pk_pins")),
    )
    op.create_table(
        "people",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.String(length=8), nullable=False),
        sa.Column("site_id", sa.Integer(), nullable=True),
        sa.Column("granted_by", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.CheckConstraint("role IN ('owner', 'admin', 'viewer')", name=op.f("ck_people_role")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_people_site_id_sites"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_people")),
        sa.UniqueConstraint(
            "user_id", "site_id", name=op.f("uq_people_user_id_site_id"), postgresql_nulls_not_distinct=True
        ),
    )
    op.create_table(
        "broadcasts",
        sa.Column("id", postgresql.UUID(), nullable=False),
        sa.Column("author", sa.BigInteger(), nullable=False),
        sa.Column("site_id", sa.Integer(), nullable=True),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("state", sa.String(length=10), server_default="draft", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('draft', 'sending', 'done', 'cancelled')", name=op.f("ck_broadcasts_state")),
        sa.ForeignKeyConstraint(
            ["site_id"], ["sites.id"], name=op.f("fk_broadcasts_site_id_sites"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_broadcasts")),
    )
    op.create_table(
        "notifier_workers",
        sa.Column("instance", sa.String(length=64), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.PrimaryKeyConstraint("instance", name=op.f("pk_notifier_workers")),
    )
    _conversations()


def _conversations() -> None:
    op.create_table(
        "invitations",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=8), nullable=False),
        sa.Column("site_id", sa.Integer(), nullable=True),
        sa.Column("made_by", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("role IN ('owner', 'admin', 'viewer')", name=op.f("ck_invitations_role")),
        sa.ForeignKeyConstraint(
            ["site_id"], ["sites.id"], name=op.f("fk_invitations_site_id_sites"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_invitations")),
    )
    op.create_table(
        "conversations",
        sa.Column("chat", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("data", postgresql.JSONB(), server_default="{}", nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["chat"], ["chats.id"], name=op.f("fk_conversations_chat_chats"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("chat", name=op.f("pk_conversations")),
    )
    op.create_table(
        "chores",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("chat", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("data", postgresql.JSONB(), server_default="{}", nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["chat"], ["chats.id"], name=op.f("fk_chores_chat_chats"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chores")),
    )
    op.create_index(op.f("ix_chores_chat"), "chores", ["chat"])
    op.create_index(op.f("ix_chores_due_at"), "chores", ["due_at"])


def _chats_and_subscriptions() -> None:
    op.add_column("chats", sa.Column("topic_id", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("chats", sa.Column("kind", sa.String(length=12), server_default="private", nullable=False))
    op.add_column("chats", sa.Column("title", sa.String(length=200), nullable=True))
    op.add_column("chats", sa.Column("target", sa.String(), nullable=True))
    op.add_column("chats", sa.Column("timezone", sa.String(length=64), nullable=True))
    op.add_column("chats", sa.Column("weekly", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.add_column("chats", sa.Column("muted_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("chats", sa.Column("told_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("chats", sa.Column("told_site", sa.Integer(), nullable=True))
    op.execute("UPDATE chats SET kind = 'group' WHERE platform = 'telegram' AND chat_id < 0")
    op.execute("UPDATE chats SET kind = 'console' WHERE platform = 'console'")
    op.drop_constraint("uq_chats_platform_chat_id", "chats")
    op.create_unique_constraint("uq_chats_platform_chat_id_topic_id", "chats", ["platform", "chat_id", "topic_id"])
    kinds = "{lost,restored,revised,unstable}"
    op.add_column(
        "subscriptions",
        sa.Column("kinds", postgresql.ARRAY(sa.String(length=12)), server_default=kinds, nullable=False),
    )
    op.add_column("subscriptions", sa.Column("min_minutes", sa.Integer(), server_default="0", nullable=False))
    op.add_column("subscriptions", sa.Column("quiet_from", sa.Integer(), nullable=True))
    op.add_column("subscriptions", sa.Column("quiet_to", sa.Integer(), nullable=True))
    op.add_column(
        "subscriptions", sa.Column("quiet_mode", sa.String(length=8), server_default="silent", nullable=False)
    )
    op.add_column("subscriptions", sa.Column("muted_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("subscriptions", sa.Column("remind_minutes", sa.Integer(), server_default="0", nullable=False))
    op.create_check_constraint("quiet_mode", "subscriptions", "quiet_mode IN ('silent', 'hold')")


def _deliveries() -> None:
    op.alter_column("deliveries", "event_seq", nullable=True)
    op.add_column("deliveries", sa.Column("kind", sa.String(length=12), server_default="event", nullable=False))
    op.add_column("deliveries", sa.Column("payload", postgresql.JSONB(), nullable=True))
    op.add_column("deliveries", sa.Column("dedupe_key", sa.String(length=120), nullable=True))
    op.add_column("deliveries", sa.Column("silent", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("deliveries", sa.Column("merged_into", sa.BigInteger(), nullable=True))
    op.add_column("deliveries", sa.Column("not_before", sa.DateTime(timezone=True), nullable=True))
    op.add_column("deliveries", sa.Column("held", sa.String(length=8), nullable=True))
    op.create_unique_constraint("uq_deliveries_chat_dedupe_key", "deliveries", ["chat", "dedupe_key"])
    op.create_index(
        "ix_deliveries_broadcast",
        "deliveries",
        ["dedupe_key", "state"],
        postgresql_where=sa.text("kind = 'broadcast'"),
    )


def downgrade() -> None:
    """Take back. What only the new tables and columns could say is lost; one row of a chat is kept for its topics."""
    for table in ("chores", "conversations", "invitations", "notifier_workers", "broadcasts", "people", "pins"):
        op.drop_table(table)
    op.execute("DELETE FROM deliveries WHERE event_seq IS NULL")
    op.execute("UPDATE deliveries SET state = 'dropped' WHERE state = 'merged'")
    op.drop_index("ix_deliveries_broadcast", "deliveries")
    op.drop_constraint("uq_deliveries_chat_dedupe_key", "deliveries")
    for column in ("held", "not_before", "merged_into", "silent", "dedupe_key", "payload", "kind"):
        op.drop_column("deliveries", column)
    op.alter_column("deliveries", "event_seq", nullable=False)
    op.drop_constraint(op.f("ck_subscriptions_quiet_mode"), "subscriptions")
    for column in ("remind_minutes", "muted_until", "quiet_mode", "quiet_to", "quiet_from", "min_minutes", "kinds"):
        op.drop_column("subscriptions", column)
    op.execute("DELETE FROM chats WHERE topic_id <> 0 OR platform NOT IN ('telegram', 'console')")
    op.drop_constraint("uq_chats_platform_chat_id_topic_id", "chats")
    op.create_unique_constraint("uq_chats_platform_chat_id", "chats", ["platform", "chat_id"])
    for column in ("told_site", "told_at", "muted_until", "weekly", "timezone", "target", "title", "kind", "topic_id"):
        op.drop_column("chats", column)
