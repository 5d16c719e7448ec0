"""What every answer has in common: an example of each model, and the one shape of errors."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

_ERROR = {
    "code": "bad_cursor",
    "message": "The cursor is not one this API gave out. Leave it out to begin at the newest.",
}


def shown_by(example: dict[str, Any]) -> ConfigDict:
    """The configuration of a frozen model that this example shows."""
    return ConfigDict(frozen=True, json_schema_extra={"examples": [example]})


class ErrorDetail(BaseModel):
    """A word for programs, a sentence for people."""

    model_config = shown_by(_ERROR)

    code: str
    message: str


class ErrorBody(BaseModel):
    """The one shape of every error."""

    model_config = shown_by({"error": _ERROR})

    error: ErrorDetail


def ok(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI entry of a 200 answer: the model's own example stands at the response too."""
    example = model.model_json_schema()["examples"][0]
    return {200: {"model": model, "content": {"application/json": {"example": example}}}}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI entries of the errors an address may answer."""
    return {status: {"model": ErrorBody, "description": _WORDS[status]} for status in statuses}


_WORDS = {
    400: "The cursor is not one this API gave out",
    401: "The key is missing, wrong or revoked",
    404: "There is no such site, or it is private and no key came",
    422: "A parameter is wrong; the message names it",
    503: "The database does not answer; try again after Retry-After seconds",
}
