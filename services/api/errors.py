"""What the API answers when it cannot answer: one table from exceptions to status, code and words.

UserError
├── BadCursorError   400  the paging cursor is not one of ours
├── BadWindowError   422  `from` is not before `to`
├── KeyMissingError  401  the address needs a key and none came
└── KeyRefusedError  401  the key is not, or no longer, valid
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from svitlo.errors import DatabaseUnavailableError, NotFoundError, UserError

log = logging.getLogger(__name__)

RETRY_AFTER_S = 5


class BadCursorError(UserError):
    """The paging cursor is not one of ours."""


class BadWindowError(UserError):
    """`from` is not before `to`."""


class KeyMissingError(UserError):
    """The address needs a key and none came."""


class KeyRefusedError(UserError):
    """A key came, and it is not (or no longer) valid."""


@dataclass(frozen=True)
class Answer:
    """How one kind of error is told; without `message` the exception's own text is used."""

    status: int
    code: str
    message: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


ANSWERS: dict[type[Exception], Answer] = {
    BadCursorError: Answer(400, "bad_cursor"),
    BadWindowError: Answer(422, "invalid_parameter"),
    KeyMissingError: Answer(401, "key_required", headers={"WWW-Authenticate": "Bearer"}),
    KeyRefusedError: Answer(401, "key_refused", headers={"WWW-Authenticate": "Bearer"}),
    NotFoundError: Answer(404, "not_found"),
    DatabaseUnavailableError: Answer(
        503,
        "database_unavailable",
        "The database does not answer. Try again in a few seconds.",
        {"Retry-After": str(RETRY_AFTER_S)},
    ),
}

_HTTP: dict[int, tuple[str, str]] = {
    404: ("not_found", "There is nothing at this address. GET /openapi.json lists what there is."),
    405: ("method_not_allowed", "This address can only be read. Use GET or HEAD."),
}

_INTERNAL = Answer(500, "internal", "Something went wrong on our side, and it has been logged. Try again later.")


def error_response(answer: Answer, message: str | None = None) -> JSONResponse:
    """The one shape of every error."""
    body = {"error": {"code": answer.code, "message": answer.message or message or answer.code}}
    return JSONResponse(body, answer.status, {"Cache-Control": "no-store", **answer.headers})


def install(app: FastAPI) -> None:
    """Make `app` answer every error in the one shape."""
    for kind in ANSWERS:
        app.add_exception_handler(kind, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


def _known(request: Request, error: Exception) -> JSONResponse:
    answer = ANSWERS[type(error)]
    if answer.status >= 500:
        log.warning("%s %s: %s", request.method, request.url.path, error)
    return error_response(answer, str(error))


def _invalid(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    wrong = []
    for item in error.errors():
        name = str(item["loc"][-1]) if item["loc"] else "request"
        wrong.append(f"{name}: {str(item['msg']).removeprefix('Value error, ')}")
    return error_response(Answer(422, "invalid_parameter"), "Correct these parameters: " + "; ".join(wrong) + ".")


def _http(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    code, message = _HTTP.get(error.status_code, ("refused", str(error.detail)))
    return error_response(Answer(error.status_code, code, message, dict(error.headers or {})))


def _unexpected(_request: Request, _error: Exception) -> JSONResponse:
    return error_response(_INTERNAL)
