"""aiogram, loaded lean: it does all it did, in a fraction of the memory."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

USUAL = "import aiogram"
LEAN = "from services.notifier.lean import load_aiogram; load_aiogram()"
MEASURE = """
import json, psutil
print(json.dumps(psutil.Process().memory_full_info().uss))
"""
EVERYTHING = """
import json
from aiogram import methods, types
from aiogram.methods.base import Response
from pydantic import BaseModel

def whole(model):
    model.model_rebuild()
    return model.__pydantic_complete__

models = [getattr(types, name) for name in types.__all__]
calls = [getattr(methods, name) for name in methods.__all__ if name not in ("Request", "Response", "TelegramMethod")]
print(json.dumps({
    "incomplete": [model.__name__ for model in (*models, *calls)
                   if isinstance(model, type) and issubclass(model, BaseModel) and not whole(model)],
    "answers": sum(whole(Response[call.__returning__]) for call in calls), "calls": len(calls),
    "ours again": BaseModel.__dict__["model_rebuild"].__func__.__module__,
}))
"""
USE = """
import json
from aiogram import Bot, types
update = types.Update.model_validate({"update_id": 1, "callback_query": {
    "id": "1", "chat_instance": "1", "data": "x", "from": {"id": 7, "is_bot": False, "first_name": "Olena"},
    "message": {"message_id": 5, "date": 1, "chat": {"id": 7, "type": "private"}, "text": "Hi",
                "reply_markup": {"inline_keyboard": [[{"text": "A", "callback_data": "x"}]]}}}})
message = update.callback_query.message
button = types.InlineKeyboardButton(text="B", callback_data="y")
reply = message.answer("no", reply_markup=types.InlineKeyboardMarkup(inline_keyboard=[[button]]))
try:
    types.Message.model_validate({"message_id": "five"})
    refused = False
except ValueError:
    refused = True
print(json.dumps([type(message).__name__, message.reply_markup.inline_keyboard[0][0].text, reply.chat_id,
                  reply.reply_markup.inline_keyboard[0][0].callback_data, refused]))
"""


def run(*parts: str) -> Any:
    """What a fresh Python prints, as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(parts)], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_it_takes_less_than_half_of_the_memory() -> None:
    assert run(LEAN, MEASURE) < run(USUAL, MEASURE) / 2


def test_every_type_and_method_can_still_be_built() -> None:
    found = run(LEAN, EVERYTHING)
    assert found["incomplete"] == []
    assert found["answers"] == found["calls"] > 150
    assert found["ours again"] == "pydantic.main"


def test_messages_are_read_written_and_refused_as_ever() -> None:
    assert run(LEAN, USE) == run(USUAL, USE) == ["Message", "A", 7, "y", True]
