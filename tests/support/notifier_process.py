"""`svitlo notifier` as a process of its own, many chats at once, and time that passes in the database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from sqlalchemy import text

from services.notifier.sender import Patience
from svitlo.db.session import Database
from tests.support.broker import Broker, address
from tests.support.telegram import FakeTelegram
from tests.support.wait import eventually_async

_CHATS = text("""
INSERT INTO chats (platform, chat_id, language)
SELECT 'telegram', n, 'uk' FROM unnest(CAST(:chats AS bigint[])) AS n
""")

_FOLLOW = text("""
INSERT INTO subscriptions (chat, site_id)
SELECT c.id, f.site FROM unnest(CAST(:chats AS bigint[]), CAST(:sites AS int[])) AS f (chat, site)
JOIN chats c ON c.platform = 'telegram' AND c.chat_id = f.chat
""")

_ELAPSE = {
    "deliveries": """UPDATE deliveries SET created_at = created_at - :span, next_attempt_at = next_attempt_at - :span
       WHERE state = 'pending'""",
    "chats": "UPDATE chats SET told_at = told_at - :span WHERE told_at IS NOT NULL",
}

# What was claimed this moment is somebody's who lives.
_ELAPSE_FOR_WORKERS = {
    "deliveries": """UPDATE deliveries SET claimed_until = claimed_until - :span
       WHERE state = 'pending' AND claimed_until < now() + make_interval(secs => {lease_s:g}) - interval '0.5 s'""",
    "notifier_workers": "UPDATE notifier_workers SET seen_at = seen_at - :span",
}

_AT_WORK = text("""
SELECT count(*) FROM notifier_workers WHERE instance NOT LIKE 'flood %' AND seen_at > now() - interval '5 s'
""")


class NotifierProcess:
    """The notifier on a real database and broker and a fake Telegram, to be killed. Use as a context manager.

    `per_second`: how many messages it sends in a second, instead of as many as Telegram takes.
    """

    def __init__(
        self,
        broker: Broker,
        database_url: str,
        telegram: FakeTelegram,
        instance: str = "1",
        *,
        per_second: int | None = None,
        api_url: str | None = None,
    ) -> None:
        where = address(broker, "svitlo.notifier")
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SVITLO_")}
        self.instance = instance
        self._env = clean | {
            "SVITLO_DATABASE_URL": database_url,
            "SVITLO_MQTT_URL": f"mqtt://{where.username}@{where.host}:{where.port}",
            "SVITLO_MQTT_PASSWORD": where.password or "",
            "SVITLO_TELEGRAM_TOKEN": telegram.token,
            "SVITLO_TELEGRAM_API_URL": api_url or telegram.url,
            "SVITLO_INSTANCE": instance,
        }
        if per_second is not None:
            self._env["SVITLO_TELEGRAM_PER_SECOND"] = str(per_second)
        self._log = Path(tempfile.mkstemp(prefix=f"svitlo-test-notifier-{instance}-")[1])
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        assert self._process is None
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "svitlo", "notifier"], env=self._env, stdout=log, stderr=log
            )

    def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        assert self._process.poll() is None, self.said()
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(15)
        self._process = None

    def said(self) -> str:
        """Its log so far."""
        return self._log.read_text(errors="replace")

    def __enter__(self) -> NotifierProcess:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        ended = self._process.poll() if self._process is not None else None
        if self._process is not None and ended is None:
            self.kill()
        said = self.said()
        self._log.unlink()
        if kind is not None:
            sys.stderr.write(f"notifier {self.instance} said:\n{said}")
        assert ended is None, f"notifier {self.instance} ended by itself ({ended}):\n{said}"


async def at_work(database: Database, count: int, timeout_s: float = 180.0) -> None:
    """Wait until so many notifiers are at work."""

    async def enough() -> bool:
        async with database.transaction() as session:
            return int((await session.execute(_AT_WORK)).scalar_one()) >= count

    await eventually_async(enough, timeout_s, f"{count} notifiers are at work")


async def add_chats(database: Database, follows: dict[int, list[int]]) -> None:
    """Private chats, by the platform's number, each with the keys of the sites it follows."""
    pairs = [(chat, site) for chat, sites in follows.items() for site in sites]
    async with database.transaction() as session:
        await session.execute(_CHATS, {"chats": list(follows)})
        await session.execute(_FOLLOW, {"chats": [chat for chat, _ in pairs], "sites": [site for _, site in pairs]})


async def elapse(database: Database, seconds: float, *, of_workers: bool = True) -> None:
    """Let time pass for what waits: retries, gatherings, and `of_workers` the leases and shares of those that died."""
    span = f"make_interval(secs => {seconds:g})"
    for table, statement in [*_ELAPSE.items(), *(_ELAPSE_FOR_WORKERS.items() if of_workers else ())]:
        async with database.transaction() as session:
            # Row by row beside a notifier at work this could be a deadlock: so nobody else writes meanwhile.
            await session.execute(text(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE"))
            done = statement.replace(":span", span).replace("{lease_s:g}", f"{Patience().lease_s:g}")
            await session.execute(text(done))
