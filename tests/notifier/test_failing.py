"""What does not get through keeps nothing back that matters more, and ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from services.notifier.pacing import Retries
from tests.notifier.conftest import QUICK, World, notifying, until
from tests.notifier.test_planning import EAGER
from tests.support.telegram import FakeTelegram

SUNDAY = {"day": "2026-11-15"}
UNFORESEEN = {"day": 5}
"""A day that is no word: drawing fails as nobody foresaw."""


async def owe(world: World, kind: str, payload: dict[str, Any]) -> None:
    await world.run(
        "INSERT INTO deliveries (kind, chat, payload, dedupe_key, silent, state, attempts) "
        "SELECT :kind, id, CAST(CAST(:payload AS text) AS jsonb), :kind, true, 'pending', 0 FROM chats",
        kind=kind,
        payload=msgspec.json.encode(payload).decode(),
    )


async def test_alerts_pass_a_picture_that_does_not_get_through(world: World, telegram: FakeTelegram) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await owe(world, "week", SUNDAY)
    telegram.fail(500, "Internal Server Error", times=10_000, method="sendPhoto")
    async with notifying(world, telegram, rates=EAGER):
        await telegram.wait_until(lambda: telegram.calls_to("sendPhoto"))
        await world.event(house)
        await telegram.wait_for(1, "світла немає")


async def test_notes_pass_a_picture_that_does_not_get_through(world: World, telegram: FakeTelegram) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await owe(world, "week", SUNDAY)
    await owe(world, "note", {"text": "a note"})
    telegram.fail(500, "Internal Server Error", times=10_000, method="sendPhoto")
    async with notifying(world, telegram, rates=EAGER):
        await telegram.wait_for(1, "a note")


async def test_alerts_pass_what_cannot_be_said(world: World, telegram: FakeTelegram) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await owe(world, "week", UNFORESEEN)

    async def tried() -> bool:
        return bool(await world.rows("SELECT 1 FROM deliveries WHERE error LIKE 'it went wrong%' AND attempts > 1"))

    async with notifying(world, telegram, rates=EAGER):
        await until(tried)
        await world.event(house)
        await telegram.wait_for(1, "світла немає")


@pytest.mark.parametrize("kind", ["week", "note"])
async def test_alerts_go_before_what_is_due_too(world: World, telegram: FakeTelegram, kind: str) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await owe(world, kind, SUNDAY | {"text": "a note"})
    await world.event(house)
    await world.plan()
    async with notifying(world, telegram, rates=EAGER):
        await telegram.wait_until(lambda: len(telegram.messages(1)) == 2)
    assert "світла немає" in telegram.texts(1)[0]


async def test_what_cannot_be_said_is_given_up(world: World, telegram: FakeTelegram) -> None:
    await world.chat(1, await world.site("house"))
    await owe(world, "week", UNFORESEEN)
    patience = replace(QUICK, retries=Retries(first_s=0.05, longest_s=0.1, give_up_s=0.5))

    async def failed() -> bool:
        return bool(await world.rows("SELECT 1 FROM deliveries WHERE state = 'failed' AND error LIKE 'it went wrong%'"))

    async with notifying(world, telegram, rates=EAGER, patience=patience):
        await until(failed)
