"""Orders to boards, over a real broker and database: sent, answered, repeated, wrongly answered, and never lost."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import aiomqtt
import pytest
from sqlalchemy import text

from services.ingest import order_store
from services.ingest.order_rules import Pace
from services.ingest.service import Ingest
from svitlo import registry
from svitlo.accounts.passwords import derive_password
from svitlo.clock import utc_now
from svitlo.contracts import CommandWord
from svitlo.db.session import Database
from svitlo.errors import StackError
from svitlo.firmware import Bundle, pack
from svitlo.registry import OrderDetails, OrderKind, OrderRow
from svitlo.settings import Settings
from tests.support.broker import SECRET, Broker
from tests.support.house import furnish, speaking_as
from tests.support.order_board import OrderBoard
from tests.support.service import serving, settings_for
from tests.support.wait import eventually_async

FAST = Pace(every_s=0.2, rest_s=0.02, resend_s=1.0)
"""The same rules on a shorter clock."""
BOARDS = [f"board-{number}" for number in range(1, 7)]


def firmware(version: str, size: int = 5000) -> Bundle:
    """A made-up bundle; another for each version."""
    files = {"app.mpy": (version.encode() * size)[:size]}
    data = pack(files)
    return Bundle(version, files, data, hashlib.sha256(data).hexdigest())


FIRST, SECOND = firmware("1.0.0"), firmware("2.0.0", 7000)


@pytest.fixture
async def house(database: Database, broker: Broker) -> Database:
    await furnish(database, broker, {"home": BOARDS})
    return database


class Server:
    """Ingest with made-up firmware on a short clock."""

    def __init__(self, broker: Broker, database: Database) -> None:
        self.broker, self.database = broker, database

    @asynccontextmanager
    async def running(self, bundle: Bundle | Callable[[], Bundle] = FIRST, pace: Pace = FAST) -> AsyncIterator[None]:
        async def run(settings: Settings) -> None:
            async with Database(settings.required_database_url) as database:
                made = (lambda: bundle) if isinstance(bundle, Bundle) else bundle
                await Ingest(settings, database, pace=pace, firmware=made).run()

        async with serving(run, settings_for("ingest", self.broker, self.database.url)):
            yield

    async def order(self, device: str, kind: OrderKind, **details: Any) -> OrderRow:
        async with self.database.transaction() as session:
            made, _ = await registry.add_order(session, device, kind, now=utc_now(), details=OrderDetails(**details))
        return made

    async def now(self, order: OrderRow) -> OrderRow:
        async with self.database.transaction() as session:
            return await registry.get_order(session, order.id)

    async def until(self, order: OrderRow, state: str, timeout_s: float = 20) -> OrderRow:
        async def there() -> bool:
            return (await self.now(order)).state == state

        try:
            await eventually_async(there, timeout_s)
        except AssertionError as error:
            raise AssertionError(f"not {state} but {await self.now(order)}") from error
        return await self.now(order)

    async def generation(self, device: str) -> int:
        async with self.database.transaction() as session:
            return (await registry.get_device(session, device)).generation

    async def stays(self, order: OrderRow, state: str, why: OrderBoard) -> None:
        """After everything `why` has said so far is worked through, the order is still so."""
        probe = await self.order(why.name, OrderKind.IDENTIFY)
        await eventually_async(lambda: any(command.order == str(probe.id) for command in why.commands), 20)
        await why.report(str(probe.id), "done")
        await self.until(probe, "done")
        assert (await self.now(order)).state == state


@pytest.fixture
def server(broker: Broker, house: Database) -> Server:
    return Server(broker, house)


def board(server: Server, name: str = "board-1") -> OrderBoard:
    return OrderBoard(server.broker, name)


async def test_a_board_that_is_online_is_told_at_once_and_answers(server: Server) -> None:
    async with server.running(), board(server).online() as hall:
        order = await server.order("board-1", OrderKind.IDENTIFY)
        command = await hall.commanded()
        assert (command.command, command.order) == (CommandWord.IDENTIFY, str(order.id))
        await server.until(order, "sent")
        await hall.report(str(order.id), "done", text="the lamp blinks")
        assert (await server.until(order, "done")).text == "the lamp blinks"
        assert all(sent.order == str(order.id) for sent in hall.commands)


async def test_an_order_waits_for_a_board_that_is_not_heard(server: Server) -> None:
    async with server.running():
        order = await server.order("board-1", OrderKind.IDENTIFY)
        async with board(server, "board-2").online() as other:
            await server.stays(order, "waiting", other)
        async with board(server).online() as hall:
            assert (await hall.commanded()).order == str(order.id)


async def test_an_order_without_an_answer_is_sent_again_and_an_answered_one_is_not(server: Server) -> None:
    async with server.running(), board(server).online() as hall:
        order = await server.order("board-1", OrderKind.IDENTIFY)
        first, second = await hall.commanded(1), await hall.commanded(2)
        assert first == second
        await hall.report(str(order.id), "done")
        await server.until(order, "done")
        await server.stays(order, "done", hall)  # what was sent before has arrived
        count = len(hall.commands)
        await asyncio.sleep(2 * FAST.resend_s)
        assert len(hall.commands) == count


async def test_a_board_that_never_answers_is_said_to_be_too_old(server: Server) -> None:
    pace = Pace(every_s=0.1, rest_s=0.02, resend_s=0.2, unanswered=2)
    async with server.running(pace=pace), board(server).online() as hall:
        order = await server.order("board-1", OrderKind.IDENTIFY)
        await hall.commanded(4)

        async def told() -> bool:
            return "too old" in ((await server.now(order)).text or "")

        await eventually_async(told)


async def test_an_update_is_loaded_piece_by_piece_and_tried(server: Server) -> None:
    async with server.running(), board(server).online() as hall:
        order = await server.order("board-1", OrderKind.UPDATE, version="?", size=1, sha256="0" * 64)
        command = await hall.commanded()
        assert hall.believes(command)
        assert (command.version, command.size, command.sha256) == ("1.0.0", len(FIRST.data), FIRST.sha256)
        await hall.report(str(order.id), "accepted")
        await server.until(order, "accepted")
        assert await hall.load(command) == FIRST.data
        assert all(len(data) <= 960 for _, data in hall.pieces)
        loading = await server.until(order, "loading")
        assert 0 < loading.details.offset <= len(FIRST.data)
        await hall.report(str(order.id), "stored")
        await server.until(order, "stored")
        await hall.report(str(order.id), "done")
        await server.until(order, "done")


async def test_a_board_gets_whatever_piece_it_asks_for_as_often_as_it_asks(server: Server) -> None:
    async with server.running(), board(server).online() as hall:
        order = await server.order("board-1", OrderKind.UPDATE)
        command = await hall.commanded()
        for offset in (960, 960, 0, 17, 4800, len(FIRST.data) - 1):
            assert await hall.piece(str(order.id), offset) == FIRST.data[offset : offset + 960]
        half = FIRST.data[:1234]
        assert await hall.load(command, half) == FIRST.data


@pytest.mark.parametrize("offset", [len(FIRST.data), len(FIRST.data) + 5, 2**31 - 1])
async def test_past_the_end_there_is_nothing(server: Server, offset: int) -> None:
    async with server.running(), board(server).online() as hall:
        order = await server.order("board-1", OrderKind.UPDATE)
        await hall.commanded()
        await hall.report(str(order.id), "loading", offset=offset)
        await server.until(order, "loading")
        await hall.piece(str(order.id), 960)
        assert [at for at, _ in hall.pieces] == [960]


async def test_nobody_is_served_under_an_order_that_is_not_his(server: Server) -> None:
    async with server.running(), board(server).online() as hall, board(server, "board-2").online() as other:
        order = await server.order("board-1", OrderKind.UPDATE)
        await hall.commanded()
        for name in (str(order.id), str(uuid4()), "none-of-ours"):
            await other.report(name, "loading", offset=0)
        await server.stays(order, "sent", other)
        assert other.pieces == hall.pieces == []


async def test_what_a_board_reports_never_touches_another_boards_order(server: Server) -> None:
    async with server.running(), board(server).online() as hall, board(server, "board-2").online() as other:
        orders = [await server.order("board-1", kind) for kind in (OrderKind.ROTATE, OrderKind.REBOOT)]
        await hall.commanded(2)
        for order in orders:
            await server.until(order, "sent")
            for state in ("accepted", "stored", "done", "failed"):
                await other.report(str(order.id), state)
        for order in orders:
            await server.stays(order, "sent", other)
        assert await server.generation("board-1") == await server.generation("board-2") == 1


@asynccontextmanager
async def all_online(server: Server, names: list[str]) -> AsyncIterator[dict[str, OrderBoard]]:
    async with AsyncExitStack() as stack:
        yield {name: await stack.enter_async_context(board(server, name).online()) for name in names}


async def states(server: Server, orders: dict[str, OrderRow]) -> dict[str, str]:
    return {name: (await server.now(order)).state.value for name, order in orders.items()}


async def test_only_three_boards_update_at_a_time(server: Server) -> None:
    names = BOARDS[:5]
    async with server.running(), all_online(server, names) as boards:
        orders = {name: await server.order(name, OrderKind.UPDATE) for name in names}
        for turn, name in enumerate(names):  # the oldest order first
            there = min(turn + 3, len(names))
            await eventually_async(lambda: all(boards[name].commands for name in names[:there]), 20)  # noqa: B023
            probe = boards[names[0]]
            await server.stays(orders[name], "sent", probe)
            assert list((await states(server, orders)).values()).count("waiting") == len(names) - there
            order = str(orders[name].id)
            if turn != 1:  # what is tried out still counts
                await boards[name].report(order, "stored")
                await server.until(orders[name], "stored")
                if there < len(names):
                    await server.stays(orders[names[-1]], "waiting", probe)
            await boards[name].report(order, "done")
            await server.until(orders[name], "done")


async def test_after_two_boards_failed_no_more_get_that_version(server: Server) -> None:
    names = BOARDS[:5]
    async with server.running(), all_online(server, names) as boards:
        orders = {name: await server.order(name, OrderKind.UPDATE) for name in names}
        for name in names[:2]:
            await boards[name].commanded()
            await boards[name].report(str(orders[name].id), "stored")
            await boards[name].report(str(orders[name].id), "failed", text="no heartbeat within 300 s")
            await server.until(orders[name], "failed")
        await server.until(orders[names[2]], "sent")

        async def told() -> bool:
            return "2 boards failed with 1.0.0" in ((await server.now(orders[names[4]])).text or "")

        await eventually_async(told)
        await boards[names[2]].report(str(orders[names[2]].id), "done")  # one that had begun goes on
        await server.until(orders[names[2]], "done")
        await server.stays(orders[names[4]], "waiting", boards[names[4]])
        forced = await server.order(names[0], OrderKind.UPDATE, force=True)
        await server.until(forced, "sent")
        assert (await states(server, orders))[names[4]] == "waiting"
    async with server.running(SECOND), board(server, names[4]).online() as last:
        command = await last.commanded()
        assert (command.version, command.sha256) == ("2.0.0", SECOND.sha256)
        assert (await server.until(orders[names[4]], "sent")).text is None


async def test_boards_that_do_not_come_back_hold_the_version_until_they_do(server: Server) -> None:
    names = BOARDS[:3]
    async with server.running():
        async with all_online(server, names[:2]) as boards:
            orders = {name: await server.order(name, OrderKind.UPDATE) for name in names}
            for name in names[:2]:
                await boards[name].commanded()
                await boards[name].report(str(orders[name].id), "stored")
                await server.until(orders[name], "stored")
        async with server.database.transaction() as session:
            await session.execute(
                text("UPDATE device_orders SET updated_at = now() - interval '10 minutes' WHERE state = 'stored'")
            )
        async with board(server, names[2]).online() as third:

            async def held() -> bool:
                return "have not come back" in ((await server.now(orders[names[2]])).text or "")

            await eventually_async(held)
            await server.stays(orders[names[2]], "waiting", third)
            async with board(server, names[0]).online() as first:
                await first.report(str(orders[names[0]].id), "done")
                await server.until(orders[names[0]], "done")
            await server.until(orders[names[2]], "sent")


async def test_a_server_with_other_firmware_ends_what_was_begun_with_the_old(server: Server) -> None:
    async with board(server).online() as hall:
        async with server.running():
            order = await server.order("board-1", OrderKind.UPDATE)
            await hall.commanded()
            await hall.report(str(order.id), "loading", offset=960)
            await server.until(order, "loading")
        async with server.running(SECOND):
            ended = await server.until(order, "cancelled")
            assert "2.0.0" in (ended.text or "")
            again = await server.order("board-1", OrderKind.UPDATE)
            await server.until(again, "sent")
            assert await hall.load(hall.commands[-1]) == SECOND.data


async def test_without_a_compiler_updates_wait_and_the_rest_goes_on(server: Server) -> None:
    def broken() -> Bundle:
        raise StackError("mpy-cross is not there")

    async with server.running(broken), board(server).online() as hall:
        order = await server.order("board-1", OrderKind.UPDATE)

        async def told() -> bool:
            return "mpy-cross is not there" in ((await server.now(order)).text or "")

        await eventually_async(told)
        await server.stays(order, "waiting", hall)


async def test_a_rotation_changes_the_account_only_when_the_board_has_the_password(server: Server) -> None:
    hall = board(server)
    async with server.running():
        async with hall.living():
            order = await server.order("board-1", OrderKind.ROTATE)
            command = await hall.commanded()
            assert hall.believes(command)
            assert command.password == derive_password(SECRET, "board-1", 2)
            await hall.report(str(order.id), "accepted")
            await server.until(order, "accepted")
            assert await server.generation("board-1") == 1
            hall.generation = 2  # from now on it prefers the new one
            await hall.report(str(order.id), "stored")
            await server.until(order, "stored")
            assert await server.generation("board-1") == 2
            await eventually_async(lambda: hall.conn > 1, 20)  # the old one is of no use any more
            await hall.connected()

            async def reported() -> bool:
                try:
                    await hall.report(str(order.id), "done")
                except (aiomqtt.MqttError, AssertionError):
                    return False
                return (await server.now(order)).state == "done"

            await eventually_async(reported, 30)
        hall.generation = 1
        with pytest.raises(aiomqtt.MqttError):
            async with hall.online():
                pass
    async with server.database.transaction() as session:
        rows = await session.execute(text("SELECT actor, target FROM audit_log WHERE action = 'device.rotate'"))
        assert [tuple(row) for row in rows] == [("ingest", "board-1")]


@pytest.mark.parametrize("said", [["done"], ["accepted", "done"], ["failed", "stored"], ["refused", "stored", "done"]])
async def test_no_password_ends_before_the_board_has_stored_the_new_one(server: Server, said: list[str]) -> None:
    async with server.running(), board(server).online() as hall:
        order = await server.order("board-1", OrderKind.ROTATE)
        await hall.commanded()
        await server.until(order, "sent")
        for state in said:
            await hall.report(str(order.id), state)
        wanted = {"done": "sent", "accepted": "accepted"}.get(said[0], said[0])
        await server.stays(order, wanted, hall)
        assert await server.generation("board-1") == 1
        assert hall.conn == 1


async def test_a_rotation_that_is_reported_twice_raises_the_generation_once(server: Server) -> None:
    hall = board(server)
    async with server.running(), hall.living():
        order = await server.order("board-1", OrderKind.ROTATE)
        await hall.commanded()
        hall.generation = 2
        for _ in range(3):
            await hall.report(str(order.id), "stored")
        await server.until(order, "stored")
        await eventually_async(lambda: hall.conn > 1, 20)
        await hall.connected()
        await hall.report(str(order.id), "stored")
        await server.stays(order, "stored", hall)
        assert await server.generation("board-1") == 2


async def test_boards_that_give_up_in_the_middle_go_on_later_and_hold_nobody_back(server: Server) -> None:
    names = BOARDS[:3]
    async with server.running(), all_online(server, names) as boards:
        orders = {name: await server.order(name, OrderKind.UPDATE) for name in names[:2]}
        for name in names[:2]:
            await boards[name].commanded()
            await boards[name].piece(str(orders[name].id), 0)
            await boards[name].report(str(orders[name].id), "failed", text="no data came")
        third = await server.order(names[2], OrderKind.UPDATE)
        await server.until(third, "sent")
        for name in names[:2]:
            again = await boards[name].commanded(2)
            assert again.order == str(orders[name].id)
            assert (await server.now(orders[name])).text == "no data came"
            assert await boards[name].load(again, FIRST.data[:960]) == FIRST.data
            await boards[name].report(str(orders[name].id), "done")
            assert (await server.until(orders[name], "done")).text is None


async def test_a_board_is_sent_one_signed_order_at_a_time_and_serials_grow(server: Server) -> None:
    async with server.running(), board(server).online() as hall:
        update = await server.order("board-1", OrderKind.UPDATE)
        first = await hall.commanded()
        rotate = await server.order("board-1", OrderKind.ROTATE)
        await server.stays(rotate, "waiting", hall)
        await hall.report(str(update.id), "refused")
        await server.until(rotate, "sent")
        second = next(command for command in hall.commands if command.order == str(rotate.id))
        assert isinstance(first.serial, int)
        assert isinstance(second.serial, int)
        assert second.serial > first.serial


async def test_a_serial_grows_even_where_the_clock_went_back(server: Server) -> None:
    async with server.running(), board(server).online() as hall:
        future = int(utc_now().timestamp() * 1000) + 3_600_000
        old = await server.order("board-1", OrderKind.ROTATE)
        await hall.commanded()
        await hall.report(str(old.id), "refused")
        await server.until(old, "refused")
        async with server.database.transaction() as session:
            await session.execute(
                text("UPDATE device_orders SET details = details || jsonb_build_object('serial', CAST(:at AS bigint))"),
                {"at": future},
            )
        order = await server.order("board-1", OrderKind.ROTATE)
        await server.until(order, "sent")
        assert hall.commands[-1].serial == future + 1


LATE = [
    (["done", "loading", "stored", "failed"], "done"),
    (["stored", "failed", "done"], "failed"),
    (["stored", "loading", "accepted", "stored"], "stored"),
    (["loading", "accepted", "loading"], "loading"),
    (["refused", "accepted", "loading"], "refused"),
]


@pytest.mark.parametrize(("said", "wanted"), LATE)
async def test_reports_that_come_twice_or_in_the_wrong_order_take_nothing_back(
    server: Server, said: list[str], wanted: str
) -> None:
    async with server.running(), board(server).online() as hall:
        order = await server.order("board-1", OrderKind.UPDATE)
        await hall.commanded()
        await server.until(order, "sent")
        for state in said:
            await hall.report(str(order.id), state, offset=960 if state == "loading" else None)
            await hall.report(str(order.id), state, offset=960 if state == "loading" else None)
        await server.stays(order, wanted, hall)


async def test_a_restart_is_done_when_the_board_is_back_and_not_ordered_twice(server: Server) -> None:
    hall = board(server)
    async with server.running():
        async with hall.online():
            order = await server.order("board-1", OrderKind.REBOOT)
            await hall.commanded()
            await server.until(order, "sent")
        hall.restart()  # its answer was lost
        async with hall.online():
            assert "started anew" in ((await server.until(order, "done")).text or "")
            await server.stays(order, "done", hall)  # what was sent before has arrived
            count = len(hall.commands)
            await asyncio.sleep(2 * FAST.resend_s)
            assert len(hall.commands) == count


async def test_what_waits_too_long_expires(server: Server) -> None:
    async with server.running():
        orders = {kind: await server.order("board-1", kind) for kind in OrderKind}
        async with server.database.transaction() as session:
            await session.execute(text("UPDATE device_orders SET state = 'stored' WHERE kind = 'update'"))
            await session.execute(text("UPDATE device_orders SET expires_at = now() - interval '1 second'"))
        for kind, order in orders.items():
            ended = await server.until(order, "failed" if kind is OrderKind.UPDATE else "expired")
            assert "board" in (ended.text or "")


async def test_a_load_goes_on_where_ingest_was_killed_in_the_middle(server: Server) -> None:
    async with board(server).online() as hall:
        async with server.running():
            order = await server.order("board-1", OrderKind.UPDATE)
            command = await hall.commanded()
            begun = await hall.piece(str(order.id), 0)
        async with server.running():
            assert await hall.load(command, begun) == FIRST.data
            again = await hall.commanded(2)  # it asks where the board stands
            assert again == command
            await hall.report(str(order.id), "done")
            await server.until(order, "done")


async def test_what_a_board_said_while_ingest_was_away_is_asked_again(server: Server) -> None:
    async with board(server).online() as hall:
        async with server.running():
            order = await server.order("board-1", OrderKind.UPDATE)
            await hall.commanded()
            await hall.report(str(order.id), "stored")
            await server.until(order, "stored")
        count = len(hall.commands)
        await hall.report(str(order.id), "done")  # into the void
        async with server.running():
            await hall.commanded(count + 1)
            await hall.report(str(order.id), "done")
            await server.until(order, "done")


async def test_a_load_goes_on_after_the_broker_restarted(server: Server) -> None:
    hall = board(server)
    async with server.running(), hall.living():
        order = await server.order("board-1", OrderKind.UPDATE)
        command = await hall.commanded()
        begun = await hall.piece(str(order.id), 0)
        await asyncio.to_thread(server.broker.terminate)
        await asyncio.to_thread(server.broker.start)
        await eventually_async(lambda: hall.conn > 1, 20)
        assert await hall.load(command, begun) == FIRST.data
        await hall.report(str(order.id), "done")
        await server.until(order, "done")


async def test_an_order_made_while_the_broker_is_away_goes_out_when_it_is_back(server: Server) -> None:
    hall = board(server)
    async with server.running(), hall.living():
        ready = await server.order("board-1", OrderKind.IDENTIFY)
        await hall.commanded()
        await hall.report(str(ready.id), "done")
        await server.until(ready, "done")
        await asyncio.to_thread(server.broker.terminate)
        order = await server.order("board-1", OrderKind.IDENTIFY)
        await asyncio.sleep(3 * FAST.every_s)
        assert (await server.now(order)).state == "waiting"
        await asyncio.to_thread(server.broker.start)
        await server.until(order, "sent", 30)


async def test_a_board_loads_on_while_the_database_is_away_and_nothing_it_says_is_lost(server: Server) -> None:
    async with server.running(), board(server).online() as hall:
        order = await server.order("board-1", OrderKind.UPDATE)
        command = await hall.commanded()
        begun = await hall.piece(str(order.id), 0)
        async with server.database.transaction() as session:
            # Whoever writes to the table waits, until what it waits with is ended as by a database that goes away.
            await session.execute(text("LOCK TABLE device_orders IN ACCESS EXCLUSIVE MODE"))
            assert await hall.load(command, begun) == FIRST.data
            await hall.report(str(order.id), "stored")
            await hall.report(str(order.id), "done")
            waits = (
                "SELECT pg_terminate_backend(pid) FROM pg_locks "
                "WHERE NOT granted AND relation = CAST('device_orders' AS regclass)"
            )

            async def ended() -> int:
                return len(list(await session.execute(text(waits))))

            assert await eventually_async(ended, 20)
            assert await eventually_async(ended, 20), "it tries again"
        await server.until(order, "done")


async def test_readings_are_recorded_whatever_becomes_of_orders(server: Server) -> None:
    def exploding() -> Bundle:
        raise RuntimeError("nobody thought of this")

    async with server.running(exploding), board(server).online():
        await server.order("board-1", OrderKind.UPDATE)

        async def readings() -> int:
            async with server.database.transaction() as session:
                return int((await session.execute(text("SELECT count(*) FROM readings"))).scalar_one())

        before = await eventually_async(readings)
        await eventually_async(lambda: more_than(readings, before + 2))


async def more_than(count: Callable[[], Any], limit: int) -> bool:
    return bool(await count() > limit)


async def test_a_report_that_breaks_the_contract_is_kept_in_quarantine(server: Server) -> None:
    async with server.running(), board(server).online() as hall:
        order = await server.order("board-1", OrderKind.IDENTIFY)
        await hall.commanded()
        for payload in (b"\xff", b"{}", b'{"v":2}', b"x" * 1025):
            await hall.say("report", payload, qos=1)
        await hall.report(str(order.id), "meditating")

        async def kept() -> int:
            async with server.database.transaction() as session:
                return int(
                    (
                        await session.execute(
                            text("SELECT coalesce(sum(count), 0) FROM quarantine WHERE device_id = 'board-1'")
                        )
                    ).scalar_one()
                )

        await eventually_async(lambda: more_than(kept, 4))
        assert (await server.now(order)).state == "sent"


async def test_a_stranger_that_reports_is_a_stranger(server: Server) -> None:
    async with server.running(), speaking_as(server.broker, "svitlo.admin") as anybody, board(server).online() as hall:
        order = await server.order("board-1", OrderKind.IDENTIFY)
        await hall.commanded()
        body = {"v": 1, "boot": "b", "order": str(order.id), "state": "done"}
        await anybody.publish("svitlo/devices/stranger/report", json.dumps(body).encode(), qos=1)

        async def noted() -> int:
            async with server.database.transaction() as session:
                return int((await session.execute(text("SELECT count(*) FROM unknown_devices"))).scalar_one())

        await eventually_async(noted)
        assert (await server.now(order)).state == "sent"


async def test_ended_orders_are_deleted_after_their_time(server: Server) -> None:
    done, waits = await server.order("board-1", OrderKind.REBOOT), await server.order("board-2", OrderKind.REBOOT)
    async with server.database.transaction() as session:
        await session.execute(text("UPDATE device_orders SET updated_at = now() - interval '91 days'"))
        await session.execute(text("UPDATE device_orders SET state = 'done' WHERE id = :id"), {"id": done.id})
        await order_store.delete_ended(session, utc_now().date() - timedelta(days=90))
        assert [order.id for order in await registry.list_orders(session)] == [waits.id]
