"""The OpenAPI document is complete: examples everywhere, and every address it names answers."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from services.api.paging import decode_cursor
from services.api.schemas import Outage
from tests.api.records import Records


@pytest.fixture
def document(app: FastAPI) -> dict[str, Any]:
    return app.openapi()


def answers(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Each operation's path, status and response."""
    return [
        (path, status, response)
        for path, operations in document["paths"].items()
        for operation in operations.values()
        for status, response in operation["responses"].items()
    ]


def test_every_success_has_an_example_of_its_own_schema(document: dict[str, Any]) -> None:
    checked = 0
    for path, status, response in answers(document):
        if status != "200":
            continue
        content = response["content"]["application/json"]
        schema = {**content["schema"], "components": document["components"]}
        Draft202012Validator(schema).validate(content["example"])
        assert content["example"], path
        checked += 1
    assert checked == len(document["paths"])


def test_every_schema_has_an_example(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert [name for name, schema in schemas.items() if schema["type"] == "object" and not schema.get("examples")] == []


def test_the_example_cursor_leads_behind_the_example_row(document: dict[str, Any]) -> None:
    example = document["components"]["schemas"]["OutagePage"]["examples"][0]
    position = decode_cursor(example["next"])
    row = Outage.model_validate(example["items"][0])
    assert (position.started_lo, position.id) == (row.started_lo, row.id)


def test_every_error_has_the_one_shape(document: dict[str, Any]) -> None:
    for path, status, response in answers(document):
        if status != "200":
            shape = response["content"]["application/json"]["schema"]["$ref"]
            assert shape.rpartition("/")[2] in ("ErrorBody", "NotReady"), (path, status)


async def test_every_path_answers(client: httpx.AsyncClient, records: Records, document: dict[str, Any]) -> None:
    await records.site("home")
    client.headers["X-API-Key"] = await records.key()
    for path in document["paths"]:
        response = await client.get(path.format(site="home"))
        assert response.status_code == 200, path
        assert response.headers["content-type"] == "application/json"


async def test_real_answers_keep_to_their_schemas(
    client: httpx.AsyncClient, records: Records, document: dict[str, Any]
) -> None:
    await records.site("home")
    await records.device("home", "d1")
    await records.state("home", "off")
    await records.outage("home")
    client.headers["X-API-Key"] = await records.key()
    for path, operations in document["paths"].items():
        content = operations["get"]["responses"]["200"]["content"]["application/json"]
        schema = {**content["schema"], "components": document["components"]}
        Draft202012Validator(schema).validate((await client.get(path.format(site="home"))).json())


async def test_the_document_names_both_ways_to_send_a_key(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    assert set(document["components"]["securitySchemes"]) == {"bearer", "header"}
    assert document["paths"]["/api/v1/devices"]["get"]["security"]
