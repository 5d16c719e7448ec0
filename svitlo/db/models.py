"""Every table. Times are `timestamptz` in UTC; slugs and device ids are `[a-z0-9-]{1,48}`."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlmodel import Field, SQLModel

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

metadata = SQLModel.metadata


def _utc(*, default_now: bool = False, nullable: bool = False, index: bool = False) -> Any:
    return Field(
        default=None,
        sa_type=sa.DateTime(timezone=True),
        nullable=nullable,
        index=index,
        sa_column_kwargs={"server_default": sa.func.now()} if default_now else {},
    )


def _identity() -> Any:
    return Field(default=None, sa_column=sa.Column(sa.BigInteger, sa.Identity(always=True), primary_key=True))


def _json() -> Any:
    return Field(default=None, sa_type=pg.JSONB(none_as_null=True), nullable=True)


def _no() -> Any:
    return Field(default=False, sa_column_kwargs={"server_default": sa.false()})


class Site(SQLModel, table=True):
    """A place whose power is watched; `invite` is the unguessable word that lets a chat follow a private one.

    `rule` says which of its devices must live for it to have power, `k` how much weight the rule `k` asks for;
    `confirm_off_s` and `confirm_on_s` stand in place of the policy's where they are set.
    """

    __tablename__ = "sites"
    __table_args__ = (
        sa.Index("uq_sites_slug_live", "slug", unique=True, postgresql_where=sa.text("removed_at IS NULL")),
        sa.CheckConstraint("slug ~ '^[a-z0-9-]{1,48}$'", name="slug"),
        sa.CheckConstraint("rule IN ('any', 'all', 'majority', 'k')", name="rule"),
        sa.CheckConstraint("(rule = 'k') = (k IS NOT NULL) AND k >= 1", name="k"),
        sa.CheckConstraint("confirm_off_s >= 0 AND confirm_off_s <= 86400", name="confirm_off_s"),
        sa.CheckConstraint("confirm_on_s >= 0 AND confirm_on_s <= 86400", name="confirm_on_s"),
    )

    id: int = Field(default=None, sa_column=sa.Column(sa.Integer, sa.Identity(always=True), primary_key=True))
    slug: str = Field(max_length=48)
    name: str = Field(max_length=120)
    parent_id: int | None = Field(default=None, foreign_key="sites.id")
    public: bool = Field(default=False, sa_column_kwargs={"server_default": sa.false()})
    invite: str = Field(max_length=32, unique=True)
    rule: str = Field(default="any", max_length=8, sa_column_kwargs={"server_default": "any"})
    k: int | None = None
    confirm_off_s: float | None = Field(default=None, sa_type=sa.REAL)
    confirm_on_s: float | None = Field(default=None, sa_type=sa.REAL)
    created_at: datetime = _utc(default_now=True)
    removed_at: datetime | None = _utc(nullable=True)


class FormerSlug(SQLModel, table=True):
    """A slug a site once bore: what the broker still keeps under it has to go."""

    __tablename__ = "former_slugs"

    slug: str = Field(primary_key=True, max_length=48)
    renamed_at: datetime = _utc(default_now=True)


class Device(SQLModel, table=True):
    """A board we gave a credential to, and what it last said of itself."""

    __tablename__ = "devices"
    __table_args__ = (sa.CheckConstraint("id ~ '^[a-z0-9-]{1,48}$'", name="id"),)

    id: str = Field(primary_key=True, max_length=48)
    created_at: datetime = _utc(default_now=True)
    removed_at: datetime | None = _utc(nullable=True)
    first_seen_at: datetime | None = _utc(nullable=True)
    last_seen_at: datetime | None = _utc(nullable=True)
    boot: str | None = Field(default=None, max_length=32)
    boots: int | None = None
    reset: str | None = Field(default=None, max_length=16)
    interval_s: int | None = None
    rssi: int | None = None
    fw: str | None = Field(default=None, max_length=32)


class SiteDevice(SQLModel, table=True):
    """Which devices stand for which sites, and with what weight; only the server decides that."""

    __tablename__ = "site_devices"
    __table_args__ = (sa.CheckConstraint("weight BETWEEN 1 AND 100", name="weight"),)

    site_id: int = Field(foreign_key="sites.id", primary_key=True, ondelete="CASCADE")
    device_id: str = Field(foreign_key="devices.id", primary_key=True, max_length=48, ondelete="CASCADE", index=True)
    weight: int = Field(default=1, sa_column_kwargs={"server_default": "1"})


class DeviceCredential(SQLModel, table=True):
    """The generation of a device's broker password (the password itself is derived, never stored)."""

    __tablename__ = "device_credentials"

    device_id: str = Field(primary_key=True, foreign_key="devices.id", max_length=48, ondelete="CASCADE")
    generation: int = Field(default=1)
    rotated_at: datetime = _utc(default_now=True)


class DeviceOrder(SQLModel, table=True):
    """Something a device is to do, and how far it has come; ingest sends it and takes the device's reports.

    `details` hold what the kind needs (of an update: `version`, `size`, `sha256`, `offset`; of a rotation the
    `generation` of the new password, never a password). A device has at most one open order of each kind.
    """

    __tablename__ = "device_orders"
    __table_args__ = (
        sa.Index(
            "uq_device_orders_open",
            "device_id",
            "kind",
            unique=True,
            postgresql_where=sa.text("state IN ('waiting', 'sent', 'accepted', 'loading', 'stored')"),
        ),
        sa.Index("ix_device_orders_device_id_created_at", "device_id", "created_at"),
        sa.CheckConstraint("kind IN ('identify', 'reboot', 'update', 'rotate')", name="kind"),
        sa.CheckConstraint(
            "state IN ('waiting', 'sent', 'accepted', 'loading', 'stored', "
            "'done', 'refused', 'failed', 'expired', 'cancelled')",
            name="state",
        ),
    )

    id: UUID = Field(sa_column=sa.Column(pg.UUID(as_uuid=True), primary_key=True))
    device_id: str = Field(foreign_key="devices.id", max_length=48, ondelete="CASCADE")
    kind: str = Field(max_length=8)
    state: str = Field(default="waiting", max_length=10, sa_column_kwargs={"server_default": "waiting"})
    details: dict[str, Any] = Field(
        default_factory=dict, sa_type=pg.JSONB, sa_column_kwargs={"server_default": sa.text("'{}'")}
    )
    text: str | None = Field(default=None, max_length=200)
    created_at: datetime = _utc(default_now=True)
    updated_at: datetime = _utc(default_now=True)
    expires_at: datetime = _utc()
    created_by: str = Field(max_length=64)


readings = sa.Table(
    "readings",
    metadata,
    sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("device_id", sa.String(48), nullable=False),
    sa.Column("kind", sa.String(10), nullable=False),
    sa.Column("reason", sa.String(12)),
    sa.Column("boot", sa.String(32), nullable=False),
    sa.Column("boots", sa.Integer),
    sa.Column("conn", sa.Integer, nullable=False),
    sa.Column("seq", sa.BigInteger),
    sa.Column("uptime_s", sa.BigInteger),
    sa.Column("interval_s", sa.Integer, nullable=False),
    sa.Column("keepalive_s", sa.Integer),
    sa.Column("reset", sa.String(16)),
    sa.Column("mains", sa.Boolean),
    sa.Column("volts", sa.REAL),
    sa.Column("rssi", sa.SmallInteger),
    sa.Column("heap", sa.Integer),
    sa.Column("fw", sa.String(32)),
    sa.Column("device_time", sa.DateTime(timezone=True)),
    sa.Index("ix_readings_device_id_received_at", "device_id", "received_at"),
    postgresql_partition_by="RANGE (received_at)",
)
"""Every heartbeat (`kind` heartbeat) and status (`online`, `offline`) as it arrived; one partition a UTC day."""


class DeviceStateRow(SQLModel, table=True):
    """What the detector must remember of a device over a restart."""

    __tablename__ = "device_state"

    device_id: str = Field(primary_key=True, foreign_key="devices.id", max_length=48, ondelete="CASCADE")
    liveness: str = Field(max_length=12)
    boot: str | None = Field(default=None, max_length=32)
    previous_boot: str | None = Field(default=None, max_length=32)
    conn: int | None = None
    seq: int | None = Field(default=None, sa_type=sa.BigInteger)
    interval_s: int
    last_proof_at: datetime | None = _utc(nullable=True)
    lost_at: datetime | None = _utc(nullable=True)
    lost_by: str | None = Field(default=None, max_length=12)
    paused_at: datetime | None = _utc(nullable=True)
    deadline_at: datetime | None = _utc(nullable=True)
    memory: dict[str, Any] | None = _json()
    updated_at: datetime = _utc()


class SiteStateRow(SQLModel, table=True):
    """The detector's last verdict on a site."""

    __tablename__ = "site_state"

    site_id: int = Field(primary_key=True, foreign_key="sites.id", ondelete="CASCADE")
    power: str = Field(max_length=8)
    state: str = Field(max_length=12)
    since: datetime | None = _utc(nullable=True)
    memory: dict[str, Any] | None = _json()
    updated_at: datetime = _utc()


class Outage(SQLModel, table=True):
    """One outage of one site, with bounds: the truth lies between `_lo` and `_hi`.

    `momentary`: so short that no deadline passed; `reconstructed`: it began and ended while we were blind;
    `maintenance`: it began in a maintenance window.
    """

    __tablename__ = "outages"
    __table_args__ = (
        sa.Index(
            "uq_outages_open_site",
            "site_id",
            unique=True,
            postgresql_where=sa.text("ended_hi IS NULL AND retracted_at IS NULL"),
        ),
        sa.Index("ix_outages_site_id_started_lo_id", "site_id", "started_lo", "id"),
        sa.Index("ix_outages_started_lo_id", "started_lo", "id"),
        sa.CheckConstraint("started_lo <= started_hi", name="start_bounds"),
        sa.CheckConstraint("ended_lo <= ended_hi", name="end_bounds"),
    )

    id: UUID = Field(sa_column=sa.Column(pg.UUID(as_uuid=True), primary_key=True))
    site_id: int = Field(foreign_key="sites.id")
    rev: int = Field(default=1)
    cause: str = Field(max_length=12)
    started_lo: datetime = _utc()
    started_hi: datetime = _utc()
    detected_at: datetime = _utc()
    ended_lo: datetime | None = _utc(nullable=True)
    ended_hi: datetime | None = _utc(nullable=True)
    end_detected_at: datetime | None = _utc(nullable=True)
    retracted_at: datetime | None = _utc(nullable=True)
    momentary: bool = _no()
    reconstructed: bool = _no()
    maintenance: bool = _no()


class PowerEventRow(SQLModel, table=True):
    """The append-only event log, which is also the outbox: consumers read it by `seq`."""

    __tablename__ = "power_events"
    __table_args__ = (sa.UniqueConstraint("id", "rev"),)

    seq: int = _identity()
    id: UUID = Field(sa_column=sa.Column(pg.UUID(as_uuid=True), nullable=False))
    rev: int = Field(default=1)
    site_id: int = Field(foreign_key="sites.id", index=True)
    kind: str = Field(max_length=16)
    outage_id: UUID = Field(sa_column=sa.Column(pg.UUID(as_uuid=True), nullable=False, index=True))
    occurred_lo: datetime = _utc()
    occurred_hi: datetime = _utc()
    detected_at: datetime = _utc()
    cause: str = Field(max_length=12)
    evidence: list[Any] = Field(sa_column=sa.Column(pg.JSONB, nullable=False))
    details: dict[str, Any] | None = _json()
    recorded_at: datetime = _utc(default_now=True)


class ObservationGap(SQLModel, table=True):
    """A span in which we were blind; nothing in it is known by silence."""

    __tablename__ = "observation_gaps"
    __table_args__ = (sa.CheckConstraint("started_at <= ended_at", name="bounds"),)

    id: int = _identity()
    started_at: datetime = _utc(index=True)
    ended_at: datetime = _utc()
    reason: str = Field(max_length=16)


class ConsumerOffset(SQLModel, table=True):
    """How far a consumer has read the event log."""

    __tablename__ = "consumer_offsets"

    consumer: str = Field(primary_key=True, max_length=48)
    seq: int = Field(sa_type=sa.BigInteger)
    updated_at: datetime = _utc(default_now=True)


class ServiceTick(SQLModel, table=True):
    """When a service was last known to do its work; tells after a crash how long nobody watched.

    `since` is when its present watch began.
    """

    __tablename__ = "service_ticks"

    service: str = Field(primary_key=True, max_length=48)
    at: datetime = _utc()
    since: datetime | None = _utc(nullable=True)
    details: dict[str, Any] | None = _json()


class JournalEntry(SQLModel, table=True):
    """What a device wrote down for itself while nobody could hear it; `at` is by its own clock."""

    __tablename__ = "journal_entries"
    __table_args__ = (sa.Index("ix_journal_entries_device_id_received_at", "device_id", "received_at"),)

    id: int = _identity()
    received_at: datetime = _utc(index=True)
    device_id: str = Field(max_length=48)
    boot: str = Field(max_length=32)
    at: datetime = _utc()
    kind: str = Field(max_length=12)


class MaintenanceWindow(SQLModel, table=True):
    """Planned work on a site, and on those under it if `subtree`.

    `starts_at` is its first occurrence; `rrule` (RFC 5545) repeats it on the wall clock of `zone`.
    """

    __tablename__ = "maintenance_windows"
    __table_args__ = (sa.CheckConstraint("duration_s > 0 AND duration_s <= 1209600", name="duration_s"),)

    id: int = _identity()
    site_id: int = Field(foreign_key="sites.id", ondelete="CASCADE", index=True)
    subtree: bool = Field(default=True, sa_column_kwargs={"server_default": sa.true()})
    starts_at: datetime = _utc()
    duration_s: int
    zone: str = Field(max_length=64)
    rrule: str | None = Field(default=None, max_length=200)
    reason: str | None = Field(default=None, max_length=200)
    created_at: datetime = _utc(default_now=True)
    cancelled_at: datetime | None = _utc(nullable=True)


class Chat(SQLModel, table=True):
    """Somewhere alerts go: a Telegram chat or one topic of it, the console, or an Apprise target.

    `kind` is Telegram's word (private, group, supergroup, channel) or that of the platform. `chat_id` of a target is a
    number of our own; `target` is its address, which may hold a secret. Its last alert went out at `told_at` and was of
    the site `told_site` (null: of several).
    """

    __tablename__ = "chats"
    __table_args__ = (sa.UniqueConstraint("platform", "chat_id", "topic_id"),)

    id: int = Field(default=None, sa_column=sa.Column(sa.Integer, sa.Identity(always=True), primary_key=True))
    platform: str = Field(max_length=12)
    chat_id: int = Field(sa_type=sa.BigInteger)
    topic_id: int = Field(default=0, sa_type=sa.BigInteger, sa_column_kwargs={"server_default": "0"})
    kind: str = Field(default="private", max_length=12, sa_column_kwargs={"server_default": "private"})
    title: str | None = Field(default=None, max_length=200)
    target: str | None = None
    language: str = Field(max_length=2)
    timezone: str | None = Field(default=None, max_length=64)
    weekly: bool = Field(default=True, sa_column_kwargs={"server_default": sa.true()})
    muted_until: datetime | None = _utc(nullable=True)
    told_at: datetime | None = _utc(nullable=True)
    told_site: int | None = Field(default=None)
    active: bool = Field(default=True, sa_column_kwargs={"server_default": sa.true()})
    inactive_reason: str | None = Field(default=None, max_length=200)
    created_at: datetime = _utc(default_now=True)


class Subscription(SQLModel, table=True):
    """A chat follows a site, by its own rules.

    `kinds` are those alerts it wants: lost restored revised unstable. `min_minutes`: only outages longer than this.
    Quiet hours run from `quiet_from` to `quiet_to`, minutes of the chat's day; `quiet_mode` is `silent` (sent without a
    sound) or `hold` (kept and summed up at their end). `remind_minutes`: a reminder so often while it is off, 0 never.
    `by_role`: a role of the person opened the site, and no invitation; it counts while one does, or while it is public.
    """

    __tablename__ = "subscriptions"
    __table_args__ = (sa.CheckConstraint("quiet_mode IN ('silent', 'hold')", name="quiet_mode"),)

    chat: int = Field(foreign_key="chats.id", primary_key=True, ondelete="CASCADE")
    site_id: int = Field(foreign_key="sites.id", primary_key=True, ondelete="CASCADE", index=True)
    kinds: list[str] = Field(
        sa_column=sa.Column(pg.ARRAY(sa.String(12)), nullable=False, server_default="{lost,restored,revised,unstable}"),
        default=["lost", "restored", "revised", "unstable"],
    )
    min_minutes: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    quiet_from: int | None = Field(default=None)
    quiet_to: int | None = Field(default=None)
    quiet_mode: str = Field(default="silent", max_length=8, sa_column_kwargs={"server_default": "silent"})
    muted_until: datetime | None = _utc(nullable=True)
    remind_minutes: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    by_role: bool = _no()
    created_at: datetime = _utc(default_now=True)


class Delivery(SQLModel, table=True):
    """One thing for one chat: what is owed, what was sent, what failed and why.

    `kind` says what: `event` (an entry of the log), or reminder, week, broadcast, note, withdrawn; those bear what they
    need in `payload` and, where they must not be made twice, a `dedupe_key`. States: pending, sent, failed, dropped,
    merged (told by another delivery of the chat, `merged_into`). Until `not_before` it is kept back and lets others
    pass, and `held` says why: quiet (hours), mute, long (only outages longer than so many minutes are wanted).
    `maybe_told`: an attempt may have arrived, although no answer came or who made it was killed.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        sa.UniqueConstraint("event_seq", "chat"),
        sa.UniqueConstraint("chat", "dedupe_key"),
        sa.Index("ix_deliveries_due", "next_attempt_at", "id", postgresql_where=sa.text("state = 'pending'")),
        sa.Index("ix_deliveries_chat_pending", "chat", "id", postgresql_where=sa.text("state = 'pending'")),
        sa.Index("ix_deliveries_broadcast", "dedupe_key", "state", postgresql_where=sa.text("kind = 'broadcast'")),
    )

    id: int = _identity()
    kind: str = Field(default="event", max_length=12, sa_column_kwargs={"server_default": "event"})
    event_seq: int | None = Field(default=None, sa_type=sa.BigInteger, foreign_key="power_events.seq")
    chat: int = Field(foreign_key="chats.id", ondelete="CASCADE")
    payload: dict[str, Any] | None = _json()
    dedupe_key: str | None = Field(default=None, max_length=120)
    silent: bool = Field(default=False, sa_column_kwargs={"server_default": sa.false()})
    merged_into: int | None = Field(default=None, sa_type=sa.BigInteger)
    not_before: datetime | None = _utc(nullable=True)
    held: str | None = Field(default=None, max_length=8)
    state: str = Field(default="pending", max_length=8)
    attempts: int = Field(default=0)
    maybe_told: bool = Field(default=False, sa_column_kwargs={"server_default": sa.false()})
    next_attempt_at: datetime = _utc(default_now=True)
    claimed_until: datetime | None = _utc(nullable=True)
    created_at: datetime = _utc(default_now=True)
    sent_at: datetime | None = _utc(nullable=True)
    message_id: int | None = Field(default=None, sa_type=sa.BigInteger)
    text: str | None = None
    error: str | None = Field(default=None, max_length=300)


class Pin(SQLModel, table=True):
    """A message in a chat that is kept up to date: `status` (how its places stand) or `week` (the living diagram).

    `digest` is of what it shows now; `day` is the local day a diagram belongs to.
    """

    __tablename__ = "pins"

    chat: int = Field(foreign_key="chats.id", primary_key=True, ondelete="CASCADE")
    kind: str = Field(primary_key=True, max_length=8)
    message_id: int | None = Field(default=None, sa_type=sa.BigInteger)
    day: date | None = None
    digest: str | None = Field(default=None, max_length=64)
    updated_at: datetime = _utc(default_now=True)
    error: str | None = Field(default=None, max_length=300)


class Person(SQLModel, table=True):
    """Who may do what by the bot: `owner` everything, `admin` and `viewer` the subtree of `site_id` (null: all)."""

    __tablename__ = "people"
    __table_args__ = (
        sa.UniqueConstraint("user_id", "site_id", postgresql_nulls_not_distinct=True),
        sa.CheckConstraint("role IN ('owner', 'admin', 'viewer')", name="role"),
    )

    id: int = _identity()
    user_id: int = Field(sa_type=sa.BigInteger)
    role: str = Field(max_length=8)
    site_id: int | None = Field(default=None, foreign_key="sites.id", ondelete="CASCADE")
    granted_by: str = Field(max_length=64)
    created_at: datetime = _utc(default_now=True)


class Invitation(SQLModel, table=True):
    """A one-time word that gives a role to whoever says it first; only its SHA-256 is kept."""

    __tablename__ = "invitations"
    __table_args__ = (sa.CheckConstraint("role IN ('owner', 'admin', 'viewer')", name="role"),)

    hash: str = Field(primary_key=True, max_length=64)
    role: str = Field(max_length=8)
    site_id: int | None = Field(default=None, foreign_key="sites.id", ondelete="CASCADE")
    made_by: str = Field(max_length=64)
    created_at: datetime = _utc(default_now=True)
    expires_at: datetime = _utc()


class Conversation(SQLModel, table=True):
    """Where a chat stands in a conversation of several steps; one at a time, forgotten at `expires_at`."""

    __tablename__ = "conversations"

    chat: int = Field(foreign_key="chats.id", primary_key=True, ondelete="CASCADE")
    kind: str = Field(max_length=16)
    data: dict[str, Any] = Field(sa_column=sa.Column(pg.JSONB, nullable=False, server_default="{}"))
    expires_at: datetime = _utc()


class Chore(SQLModel, table=True):
    """Something the bot still has to do with a message of its own: `delete` it, or keep a `heartbeat` or `broadcast`
    up to date until `ends_at`."""

    __tablename__ = "chores"

    id: int = _identity()
    kind: str = Field(max_length=16)
    chat: int = Field(foreign_key="chats.id", ondelete="CASCADE", index=True)
    message_id: int = Field(sa_type=sa.BigInteger)
    data: dict[str, Any] = Field(sa_column=sa.Column(pg.JSONB, nullable=False, server_default="{}"))
    due_at: datetime = _utc(index=True)
    ends_at: datetime = _utc()


class Broadcast(SQLModel, table=True):
    """A text an admin sends to all chats that follow something below `site_id` (null: anything)."""

    __tablename__ = "broadcasts"
    __table_args__ = (sa.CheckConstraint("state IN ('draft', 'sending', 'done', 'cancelled')", name="state"),)

    id: UUID = Field(default=None, sa_column=sa.Column(pg.UUID(), primary_key=True))
    author: int = Field(sa_type=sa.BigInteger)
    site_id: int | None = Field(default=None, foreign_key="sites.id", ondelete="SET NULL")
    text: str
    state: str = Field(default="draft", max_length=10, sa_column_kwargs={"server_default": "draft"})
    created_at: datetime = _utc(default_now=True)
    finished_at: datetime | None = _utc(nullable=True)


class Worker(SQLModel, table=True):
    """A notifier process at work: those seen lately share the channel's rate among them."""

    __tablename__ = "notifier_workers"

    instance: str = Field(primary_key=True, max_length=64)
    seen_at: datetime = _utc(default_now=True)


class ApiKey(SQLModel, table=True):
    """A key: `read` and `admin` for the API (hashed), `mqtt` for an integrator's broker account (derived)."""

    __tablename__ = "api_keys"
    __table_args__ = (
        sa.Index("uq_api_keys_name_live", "name", unique=True, postgresql_where=sa.text("revoked_at IS NULL")),
        sa.CheckConstraint("kind IN ('read', 'admin', 'mqtt')", name="kind"),
    )

    id: int = Field(default=None, sa_column=sa.Column(sa.Integer, sa.Identity(always=True), primary_key=True))
    name: str = Field(max_length=48)
    kind: str = Field(max_length=8)
    hash: str | None = Field(default=None, max_length=64, unique=True)
    generation: int = Field(default=1)
    created_at: datetime = _utc(default_now=True)
    revoked_at: datetime | None = _utc(nullable=True)


class Quarantine(SQLModel, table=True):
    """Messages that broke the contract, one row per day, topic and reason with the newest sample."""

    __tablename__ = "quarantine"
    __table_args__ = (sa.UniqueConstraint("day", "topic", "reason"),)

    id: int = _identity()
    day: date
    topic: str = Field(max_length=200)
    reason: str = Field(max_length=12)
    device_id: str | None = Field(default=None, max_length=48, index=True)
    detail: str = Field(max_length=200)
    count: int = Field(sa_type=sa.BigInteger)
    first_at: datetime = _utc()
    last_at: datetime = _utc()
    sample: bytes


class UnknownDevice(SQLModel, table=True):
    """A device that talks to us under an id we never gave out, or took back."""

    __tablename__ = "unknown_devices"

    device_id: str = Field(primary_key=True, max_length=48)
    first_seen_at: datetime = _utc()
    last_seen_at: datetime = _utc()
    count: int = Field(sa_type=sa.BigInteger)


class AuditEntry(SQLModel, table=True):
    """Who changed what; append-only."""

    __tablename__ = "audit_log"

    id: int = _identity()
    at: datetime = _utc(default_now=True)
    actor: str = Field(max_length=64)
    action: str = Field(max_length=48)
    target: str = Field(max_length=120)
    details: dict[str, Any] = Field(sa_column=sa.Column(pg.JSONB, nullable=False, server_default="{}"))
