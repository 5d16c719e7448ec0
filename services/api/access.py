"""Who asks: anybody, or somebody with a key of kind `read` or `admin`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Response, Security
from fastapi.security import APIKeyHeader, HTTPBearer

from services.api import store
from services.api.context import Api
from services.api.errors import KeyMissingError, KeyRefusedError
from svitlo.registry import KEY_PREFIX, hash_key

PUBLIC_CACHE = "public, max-age=1"
PRIVATE_CACHE = "no-store"
VARY = "Authorization, X-API-Key"

# Only so that OpenAPI names them: the headers are read below, where a wrong one can be refused.
_BEARER = HTTPBearer(auto_error=False, scheme_name="bearer", description=f"A key of the API: {KEY_PREFIX}...")
_HEADER = APIKeyHeader(name="X-API-Key", auto_error=False, scheme_name="header", description="The same key, bare")


@dataclass(frozen=True)
class Caller:
    """Who asks; `kind` is None without a key."""

    kind: str | None

    @property
    def sees_private(self) -> bool:
        """Whether private sites exist for this caller."""
        return self.kind is not None


def presented_key(request: Request) -> str | None:
    """The key that came with a request, None without one; `X-API-Key` goes before `Authorization`.

    Basic credentials are a reverse proxy's, not ours, and are passed over. Raises `KeyRefusedError` for any other
    scheme but Bearer.
    """
    if (bare := request.headers.get("x-api-key")) is not None:
        return bare.strip()
    scheme, _, credential = request.headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() in ("", "basic"):
        return None
    if scheme.lower() != "bearer":
        raise KeyRefusedError(
            f"Write the key as 'Authorization: Bearer {KEY_PREFIX}...' or 'X-API-Key: {KEY_PREFIX}...'."
        )
    return credential.strip()


async def _caller(request: Request, response: Response, api: Api) -> Caller:
    key = presented_key(request)
    response.headers["Cache-Control"] = PUBLIC_CACHE if key is None else PRIVATE_CACHE
    response.headers["Vary"] = VARY
    if key is None:
        return Caller(None)
    async with api.reading() as session:
        kind = await store.key_kind(session, hash_key(key))
    if kind is None:
        raise KeyRefusedError(
            "This key is not valid, or was revoked. Ask for another, or leave it out for public sites."
        )
    return Caller(kind)


async def _reader(caller: Annotated[Caller, Depends(_caller)]) -> Caller:
    if caller.kind is None:
        raise KeyMissingError(f"This address needs a read key: send 'Authorization: Bearer {KEY_PREFIX}...'.")
    return caller


Anyone = Annotated[Caller, Depends(_caller)]
"""Whoever asks; a wrong key is refused all the same."""

Reader = Annotated[Caller, Depends(_reader)]
"""Somebody with a key."""

KEY_SCHEMES = (Security(_BEARER), Security(_HEADER))
"""Dependencies that make OpenAPI show how a key is sent."""
