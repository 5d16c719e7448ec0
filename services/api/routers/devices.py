"""The boards, for those who look after them."""

from __future__ import annotations

from fastapi import APIRouter

from services.api import store
from services.api.access import KEY_SCHEMES, Reader
from services.api.answers import errors, ok
from services.api.context import Api
from services.api.schemas import DeviceList

router = APIRouter(prefix="/api/v1", tags=["devices"], dependencies=KEY_SCHEMES)


@router.get("/devices", responses={**ok(DeviceList), **errors(401, 503)})
async def list_devices(api: Api, _caller: Reader) -> DeviceList:
    """All devices, by id. Needs a read key."""
    async with api.reading() as session:
        return DeviceList(items=await store.devices(session))
