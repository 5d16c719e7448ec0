"""Conversation with Mosquitto's dynamic-security plugin (accounts over MQTT, in force at once)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiomqtt

from svitlo.accounts.roles import ADMIN, CONTROL
from svitlo.bus import tls_context
from svitlo.errors import AccountError, BrokerRefusedError, BrokerUnavailableError
from svitlo.ids import random_word
from svitlo.settings import BrokerAddress

ANSWER_TIMEOUT_S = 10.0
BATCH = 50
"""Commands in one message; each answer comes back in one message of the same order."""


class DynamicSecurity:
    """An open session with the plugin. Made by `DynamicSecurity.connect`."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client

    @classmethod
    @asynccontextmanager
    async def connect(cls, address: BrokerAddress, password: str) -> AsyncIterator[DynamicSecurity]:
        """Open a session as the administrator. Raises `BrokerRefusedError`, `BrokerUnavailableError`."""
        try:
            async with aiomqtt.Client(
                address.host,
                address.port,
                username=ADMIN,
                password=password,
                identifier=f"{ADMIN}.{random_word(8)}",
                timeout=ANSWER_TIMEOUT_S,
                tls_context=tls_context(address),
            ) as client:
                await client.subscribe(f"{CONTROL}/response", qos=1)
                yield cls(client)
        except aiomqtt.MqttCodeError as error:
            raise BrokerRefusedError(f"the broker at {address.url} refuses the administrator: {error}") from error
        except aiomqtt.MqttError as error:
            raise BrokerUnavailableError(f"no link to the broker at {address.url}: {error}") from error

    async def run(self, commands: Sequence[dict[str, Any]], *, ignore: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Run commands in order and return their `data` objects.

        Raises `AccountError` for the first answer with an error, unless the error's text is in `ignore`.
        """
        answers: list[dict[str, Any]] = []
        for start in range(0, len(commands), BATCH):
            answers += await self._exchange(commands[start : start + BATCH], ignore)
        return answers

    async def clear_retained(self, topics: Sequence[str]) -> None:
        """Remove retained messages (MQTT 3.1.1, section 3.3.1.3: an empty retained payload)."""
        for topic in topics:
            await self._client.publish(topic, b"", qos=1, retain=True)

    async def _exchange(self, commands: Sequence[dict[str, Any]], ignore: Sequence[str]) -> list[dict[str, Any]]:
        # Other administrators' answers come on the same topic; the correlation data picks ours.
        mark = random_word(12)
        tagged = [{**command, "correlationData": f"{mark}.{index}"} for index, command in enumerate(commands)]
        await self._client.publish(CONTROL, json.dumps({"commands": tagged}).encode(), qos=1)
        found: dict[str, dict[str, Any]] = {}
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                async for message in self._client.messages:
                    for answer in _responses(message.payload):
                        if str(answer.get("correlationData", "")).startswith(mark):
                            found[answer["correlationData"]] = answer
                    if len(found) == len(commands):
                        break
        except TimeoutError as error:
            raise BrokerUnavailableError("the broker's account plugin does not answer; is it loaded?") from error
        ordered = [found[command["correlationData"]] for command in tagged]
        for answer in ordered:
            if (problem := answer.get("error")) and problem not in ignore:
                raise AccountError(f"the broker refused {answer.get('command')}: {problem}")
        return [answer.get("data") or {} for answer in ordered]


def _responses(payload: Any) -> list[dict[str, Any]]:
    try:
        document = json.loads(payload)
    except (TypeError, ValueError):
        return []
    found = document.get("responses", [])
    return [answer for answer in found if isinstance(answer, dict)]
