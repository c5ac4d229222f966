"""The OpenAPI description of history's API against its routes, parameters, answers and docs/api.md."""

import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from services.history.questions.dimensions import DIMENSIONS
from shared.events.schema import EnrichedEvent
from tests.support.history_api import Answered, Client, ms, serving, store

DOCUMENT = Path(__file__).parents[2] / "docs" / "api.md"
NOW = datetime.now(UTC)
EVENTS = [
    EnrichedEvent(timestamp=ms(NOW) - place * 3_600_000, userId=f"visitor-{place % 5}", productId="P1", value="19.9")
    for place in range(200)
]
EVENTS.append(EnrichedEvent(timestamp=ms(NOW) - 600_000, userId="visitor-0"))  # of a session with another
QUESTIONS: list[tuple[str, dict[str, Any]]] = [
    ("aggregate", {}),
    ("aggregate", {"window": "30d", "compare": "previous"}),
    ("aggregate", {"window": "30d", "metrics": "visitors"}),
    ("timeseries", {"window": "30d", "compare": "last_year", "gender": "U"}),
    ("breakdown", {"by": "country", "compare": "yesterday"}),
    ("breakdown", {"by": "productId", "window": "12mo"}),
    ("timeseries", {"metrics": "sessions,bounces,bounce_rate,views_per_session,seconds_per_session"}),
    ("breakdown", {"by": "site", "metrics": "bounce_rate,revenue,views"}),
    ("realtime", {}),
    ("events", {"limit": "3"}),
    ("events", {"from": "yesterday"}),
    ("breakdown", {}),
]


@pytest.fixture(scope="module")
def client(postgres_server: Any) -> Iterator[Client]:
    url = postgres_server.new_database("history_api_description")
    store(url, EVENTS, ms(NOW), raw_days=2, today=NOW.date())
    with serving(url) as client:
        yield client


@pytest.fixture(scope="module")
def description(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/api/v1/openapi.json").said
    return found


def assert_described(description: dict[str, Any], kind: str, answered: Answered) -> None:
    pointer = f"#/paths/~1{kind}/get/responses/{answered.status}/content/application~1json/schema"
    registry = Registry().with_resource("api", Resource.from_contents(description, DRAFT202012))
    validator = OAS31Validator({"$ref": f"api{pointer}"}, registry=registry)
    assert [error.message for error in validator.iter_errors(answered.said)] == []


def test_it_is_openapi(description: dict[str, Any]) -> None:
    assert list(OpenAPIV31SpecValidator(description).iter_errors()) == []


@pytest.mark.parametrize(("kind", "parameters"), QUESTIONS, ids=str)
def test_answers_are_as_described(
    client: Client, description: dict[str, Any], kind: str, parameters: dict[str, str]
) -> None:
    assert_described(description, kind, client.ask(kind, **parameters))


def test_its_paths_are_those_that_are_served(client: Client, description: dict[str, Any]) -> None:
    served = re.findall(r"/api/v1/(\w+)(?=,)", client.get("/api/v1/nothing").said["message"])
    assert {f"/{kind}" for kind in served} == set(description["paths"])
    for path in description["paths"]:
        assert client.get(f"/api/v1{path}").status != 404


def test_its_parameters_are_those_that_are_accepted(client: Client, description: dict[str, Any]) -> None:
    for path, item in description["paths"].items():
        accepted = client.get(f"/api/v1{path}?nothing=").said["message"].rpartition("expected one of ")[2].split(", ")
        described = [own["name"] for own in item["get"]["parameters"]]
        assert described == accepted
        by_default = {
            own["name"]: own["schema"]["default"] for own in item["get"]["parameters"] if "default" in own["schema"]
        }
        answered = client.ask(path[1:], **by_default, **({"by": "country"} if "by" in described else {}))
        assert answered.status == 200, answered.body
        for own in item["get"]["parameters"]:
            for value in own["schema"].get("enum", own["schema"].get("examples", [])):
                beside = {"by": "site"} if path == "/breakdown" else {}
                beside |= {"to": {"from": "2026-11-20"}, "interval": {"window": "3d"}}.get(own["name"], {})
                answered = client.ask(path[1:], **{**beside, own["name"]: value})
                assert answered.status == 200, (path, own["name"], value, answered.body)


def test_every_dimension_is_described(description: dict[str, Any]) -> None:
    for item in description["paths"].values():
        assert set(DIMENSIONS) <= {own["name"] for own in item["get"]["parameters"]}


def test_the_examples_of_the_document_work(client: Client, description: dict[str, Any]) -> None:
    examples = [shlex.split(line)[-1] for line in DOCUMENT.read_text().splitlines() if line.startswith("curl ")]
    assert {urlsplit(url).path.rpartition("/")[2] for url in examples} >= {path[1:] for path in description["paths"]}
    for url in examples:
        path, query = urlsplit(url)[2:4]
        answered = client.get(f"{path}?{query}")
        assert answered.status == 200, (url, answered.body)
        assert_described(description, path.rpartition("/")[2], answered)


def test_the_document_names_every_parameter(description: dict[str, Any]) -> None:
    text = DOCUMENT.read_text()
    names = {own["name"] for item in description["paths"].values() for own in item["get"]["parameters"]}
    assert {name for name in names if f"`{name}`" not in text} == set()
