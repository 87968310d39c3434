"""The API's description: complete, consistent, with an example of everything."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI

from app.api.bodies import Credentials, NewPost, PostChange, Registration, SentRefreshToken
from app.main import create_app
from app.settings import Settings

PROBLEM = "application/problem+json"
Operation = tuple[str, dict[str, Any]]


@pytest.fixture(scope="module")
def description(config: Settings) -> dict[str, Any]:
    return create_app(config).openapi()


@pytest.fixture(scope="module")
def operations(description: dict[str, Any]) -> list[Operation]:
    return [
        (f"{method.upper()} {path}", operation)
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
    ]


def resolve(description: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        node: Any = description
        for part in schema["$ref"].removeprefix("#/").split("/"):
            node = node[part]
        schema = node
    return schema


def example(description: dict[str, Any], schema: dict[str, Any]) -> Any:
    """Return the example that a page would show; raises LookupError where nothing was given."""
    schema = resolve(description, schema)
    for given in ("example", "const", "default"):
        if given in schema:
            return schema[given]
    for several in ("examples", "enum"):
        if several in schema:
            return schema[several][0]
    if "properties" in schema:
        return {name: example(description, part) for name, part in schema["properties"].items()}
    if "items" in schema:
        return [example(description, schema["items"])]
    if "additionalProperties" in schema:
        return {"name": example(description, schema["additionalProperties"])}
    for choice in schema.get("anyOf", schema.get("oneOf", ())):
        if choice != {"type": "null"}:
            return example(description, choice)
    raise LookupError(schema)


def contents(operation: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        yield "body", kind, content
    for status, response in operation["responses"].items():
        for kind, content in response.get("content", {}).items():
            yield status, kind, content


def test_every_operation_is_named_summed_up_and_filed(description: dict[str, Any], operations: list[Operation]) -> None:
    tags = {tag["name"] for tag in description["tags"]}
    ids = [operation["operationId"] for _, operation in operations]

    assert len(set(ids)) == len(ids)
    for name, operation in operations:
        assert operation["summary"], name
        assert operation["description"], name
        assert set(operation["tags"]) <= tags, name
        assert operation["operationId"].isidentifier(), name


def test_every_tag_has_operations(description: dict[str, Any], operations: list[Operation]) -> None:
    used = {tag for _, operation in operations for tag in operation["tags"]}

    assert used == {tag["name"] for tag in description["tags"]}


def test_every_body_and_answer_has_an_example(description: dict[str, Any], operations: list[Operation]) -> None:
    for name, operation in operations:
        for place, kind, content in contents(operation):
            if not content.get("examples") and "example" not in content:
                assert example(description, content["schema"]), f"{name} {place} {kind}"


def test_every_operation_describes_a_success_and_its_errors_as_problems(operations: list[Operation]) -> None:
    for name, operation in operations:
        statuses = set(operation["responses"])
        assert any(status.startswith("2") for status in statuses), name
        if "operations" in operation["tags"]:
            continue
        assert "503" in statuses, name
        for status in statuses:
            if status >= "4":
                assert list(operation["responses"][status]["content"]) == [PROBLEM], f"{name} {status}"


def test_secured_operations_describe_401_and_the_others_ask_for_nothing(operations: list[Operation]) -> None:
    for name, operation in operations:
        schemes = {scheme for requirement in operation.get("security", ()) for scheme in requirement}
        assert schemes <= {"Sign in"}, name
        if schemes:
            assert "401" in operation["responses"], name


def test_authorize_knows_where_to_sign_in(description: dict[str, Any]) -> None:
    assert list(description["components"]["securitySchemes"]) == ["Sign in"]
    flow = description["components"]["securitySchemes"]["Sign in"]["flows"]["password"]
    assert flow["tokenUrl"] == "/auth/login/"
    login = description["paths"][flow["tokenUrl"]]["post"]
    assert set(login["requestBody"]["content"]) == {"application/json", "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("name", "signed_in"),
    [
        ("POST /posts/", [{"Sign in": []}]),
        ("GET /auth/me/", [{"Sign in": []}]),
        ("GET /posts/", [{}, {"Sign in": []}]),
        ("POST /auth/login/", None),
        ("GET /health/ready", None),
    ],
)
def test_signing_in_is_described_as_needed_optional_or_neither(
    operations: list[Operation], name: str, signed_in: list[dict[str, list[str]]] | None
) -> None:
    assert dict(operations)[name].get("security") == signed_in


def test_every_reference_leads_somewhere_and_every_schema_is_used(description: dict[str, Any]) -> None:
    references = set(found_references(description))

    for reference in references:
        assert resolve(description, {"$ref": reference})
    assert references == {f"#/components/schemas/{name}" for name in description["components"]["schemas"]}


def found_references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for part in node.values():
            yield from found_references(part)
    elif isinstance(node, list):
        for part in node:
            yield from found_references(part)


def headers_of(operations: list[Operation], status: str) -> dict[str, set[str]]:
    """Return the described headers by operation, of those that can answer with the status."""
    answers = {name: operation["responses"].get(status) for name, operation in operations}
    return {name: set(answer.get("headers", ())) for name, answer in answers.items() if answer}


@pytest.mark.parametrize(
    ("status", "header"),
    [("201", "Location"), ("401", "WWW-Authenticate"), ("429", "Retry-After"), ("503", "Retry-After")],
)
def test_the_headers_that_a_status_calls_for_are_described(
    operations: list[Operation], status: str, header: str
) -> None:
    for name, headers in headers_of(operations, status).items():
        if name != "GET /health/ready":
            assert header in headers, name


def test_commands_describe_their_token_and_reads_the_preference_that_was_applied(operations: list[Operation]) -> None:
    assert {"Location", "Consistency-Token"} <= headers_of(operations, "201")["POST /auth/register/"]
    assert "Preference-Applied" in headers_of(operations, "200")["GET /posts/"]
    assert "Consistency-Token" not in headers_of(operations, "200")["POST /auth/login/"]


def test_limited_operations_describe_429_and_how_one_stands(operations: list[Operation]) -> None:
    refusals, standing = headers_of(operations, "429"), {"RateLimit", "RateLimit-Policy"}
    for name, operation in operations:
        limited = not {"operations", "problems"} & set(operation["tags"])
        assert (name in refusals) == limited, name
        if limited:
            assert standing <= refusals[name], name
            answers = [answer for status, answer in operation["responses"].items() if status.startswith("2")]
            assert all(standing <= set(answer["headers"]) for answer in answers), name


def test_if_none_match_is_described_as_the_text_that_it_may_be(operations: list[Operation]) -> None:
    parameters = {parameter["name"]: parameter for parameter in dict(operations)["GET /posts/{post_id}/"]["parameters"]}
    assert {kind["type"] for kind in parameters["If-None-Match"]["schema"]["anyOf"]} == {"string", "null"}


def test_the_rules_of_a_body_are_described(description: dict[str, Any]) -> None:
    fields = description["components"]["schemas"]["Registration"]["properties"]
    assert {"minLength": 3, "maxLength": 32}.items() <= fields["username"].items()
    assert fields["username"]["pattern"].startswith("^[A-Za-z0-9]")
    assert {"minLength": 8, "maxLength": 128}.items() <= fields["password"].items()
    assert fields["email"]["maxLength"] == 254


@pytest.mark.parametrize("model", [Registration, Credentials, SentRefreshToken, NewPost, PostChange])
def test_examples_of_bodies_would_be_accepted(description: dict[str, Any], model: type[Any]) -> None:
    assert model.model_validate(example(description, description["components"]["schemas"][model.__name__]))


def test_description_is_made_once(config: Settings) -> None:
    app: FastAPI = create_app(config)

    assert app.openapi() is app.openapi()
