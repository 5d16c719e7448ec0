"""Loads aiogram without the two thirds of it that a bot never uses.

aiogram describes every type and method of the Bot API as a pydantic model, and as it is imported it builds the
validators of all types one by one. Most of them reach most others, so the same ones are built hundreds of times over:
some 100 MB and three seconds. Pydantic builds a model's validator by itself when it is first used; all it lacks is the
names that stand in the annotations, which aiogram hands out at that one moment. Here they are kept for later.
"""

from __future__ import annotations

import sys
from typing import Any

from pydantic import BaseModel

_REBUILD = "model_rebuild"


def load_aiogram() -> None:
    """Import aiogram, and build at once only what every alert and every update needs.

    Does nothing if it was imported before.
    """
    if "aiogram" in sys.modules:
        return
    usual = BaseModel.__dict__[_REBUILD]
    names: dict[str, Any] = {}

    def note(_model: type[BaseModel], /, *, _types_namespace: dict[str, Any] | None = None, **_: Any) -> None:
        names.update(_types_namespace or {})

    setattr(BaseModel, _REBUILD, classmethod(note))
    try:
        import aiogram  # noqa: F401
    finally:
        setattr(BaseModel, _REBUILD, usual)

    from aiogram.client.context_controller import BotContextController
    from aiogram.methods import EditMessageText, SendMessage, SendPhoto
    from aiogram.methods.base import Response
    from aiogram.types import Message, Update

    def build(model: type[BaseModel], /, **options: Any) -> bool | None:
        known = {**names, **(options.pop("_types_namespace", None) or {})}
        built: bool | None = usual.__func__(model, **options, _types_namespace=known)
        return built

    for base in (BotContextController, Response):
        setattr(base, _REBUILD, classmethod(build))
    for model in (Update, SendMessage, SendPhoto, EditMessageText, Response[Message], Response[bool]):
        model.model_rebuild()
