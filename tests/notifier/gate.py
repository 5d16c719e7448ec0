"""A gate before PostgreSQL that can be shut, as if the server were gone."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

from tests.support.wait import free_port

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Gate:
    """Relays TCP connections to the server of `url`; `url` of the gate leads to the same database through it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._socket = parse_qs(parts.query).get("host", [""])[0]
        self._inner = (parts.hostname or "", parts.port or 5432)
        self._port = free_port()
        self._server: asyncio.Server | None = None
        self._relays: set[asyncio.Task[None]] = set()
        account = parts.netloc.rpartition("@")[0]
        self.url = f"postgresql://{account}@127.0.0.1:{self._port}{parts.path}"

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.shut()

    async def open(self) -> None:
        """Let connections through."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)

    async def shut(self) -> None:
        """Cut every connection and refuse new ones."""
        assert self._server is not None
        self._server.close()
        for relay in self._relays:
            relay.cancel()
        await asyncio.gather(*self._relays, return_exceptions=True)
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        relay = asyncio.create_task(self._relay((reader, writer)))
        self._relays.add(relay)
        relay.add_done_callback(self._relays.discard)

    async def _relay(self, client: Streams) -> None:
        server: Streams | None = None
        try:
            if self._socket:
                server = await asyncio.open_unix_connection(f"{self._socket}/.s.PGSQL.5432")
            else:
                server = await asyncio.open_connection(*self._inner)
            async with asyncio.TaskGroup() as group:
                group.create_task(_copy(client[0], server[1]))
                group.create_task(_copy(server[0], client[1]))
        finally:
            for writer in (client[1], server[1] if server else None):
                if writer is not None:
                    writer.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()
