"""Requests that no endpoint may take, made from one that it does take."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import jwt
import orjson

JSON = {"Content-Type": "application/json"}
HUGE = "9" * 5_000
DEEP = "[" * 100_000


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A method and path as the description names them, with what makes a request to it a good one."""

    method: str
    path: str
    body: Mapping[str, str] = field(default_factory=dict)
    lists: bool = False
    reads: bool = False
    signed_in: bool = False
    query: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, kw_only=True)
class BadRequest:
    """What is sent instead, and the statuses that may answer it."""

    why: str
    statuses: frozenset[int]
    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None


def bad_requests(endpoint: Endpoint, ids: Mapping[str, str]) -> Iterator[BadRequest]:
    """Yield every request that the endpoint must refuse; `ids` are those that exist, by their name in the path."""
    good = _request(endpoint, ids)
    yield from _bad_methods(good)
    yield from _bad_paths(endpoint, ids)
    if endpoint.body:
        yield from _bad_bodies(endpoint.body, good)
    if endpoint.signed_in or endpoint.reads or endpoint.lists:
        yield from _bad_tokens(good, signed_in=endpoint.signed_in)
    yield from _bad_queries(endpoint, good)
    if endpoint.reads or endpoint.lists:
        for text in ("abc", "-1", "1_0", "", "1.5", "²", HUGE, str(2**64), str(2**63)):
            yield _changed(good, f"Consistency-Token {text[:8]}", {422}, headers={"Consistency-Token": text})
    if endpoint.method in {"PUT", "PATCH", "DELETE"} and endpoint.path == "/posts/{post_id}/":
        for tag in ('"9.abc"', 'W/"1.abc"', "1.abc", '"abc"', f'"{HUGE}.a"', '"1.a" "2.b"', '"0.a"', '""'):
            yield _changed(good, f"If-Match {tag[:12]}", {412}, headers={"If-Match": tag})


def _request(endpoint: Endpoint, ids: Mapping[str, str]) -> BadRequest:
    return BadRequest(
        why="nothing",
        statuses=frozenset(),
        method=endpoint.method,
        path=endpoint.path.format_map(ids),
        headers=JSON if endpoint.body else {},
        content=orjson.dumps(endpoint.body) if endpoint.body else None,
    )


def _changed(good: BadRequest, why: str, statuses: set[int], **changes: Any) -> BadRequest:
    headers = {**good.headers, **changes.pop("headers", {})}
    return BadRequest(**{**vars(good), **changes, "headers": headers, "why": why, "statuses": frozenset(statuses)})


def _bad_methods(good: BadRequest) -> Iterator[BadRequest]:
    for method in ("TRACE", "BREW"):
        yield _changed(good, f"method {method}", {405}, method=method)


def _bad_paths(endpoint: Endpoint, ids: Mapping[str, str]) -> Iterator[BadRequest]:
    for name in ids:
        if "{" + name + "}" in endpoint.path:
            for text in ("1", "not-a-uuid", "%00", "a" * 5_000, "%ED%A0%80", "'%20OR%201=1", str(uuid4()) + "0"):
                path = endpoint.path.format_map({**ids, name: text})
                yield _changed(_request(endpoint, ids), f"{name} {text[:12]}", {422}, path=path)
            path = endpoint.path.format_map({**ids, name: str(uuid4())})
            yield _changed(_request(endpoint, ids), f"unknown {name}", {404}, path=path)


def _bad_bodies(body: Mapping[str, str], good: BadRequest) -> Iterator[BadRequest]:
    first = next(iter(body))
    text = orjson.dumps(body).decode()
    malformed = {
        "cut short": text[:-1],
        "deep nesting": DEEP,
        "deep nesting in a field": f'{{"{first}": {DEEP}',
        "NaN": f'{{"{first}": NaN}}',
        "infinity": f'{{"{first}": 1e999}}',
        "a huge number": f'{{"{first}": {HUGE}}}',
        "a lone surrogate": f'{{"{first}": "\\ud800"}}',
        "a lone surrogate as a name": '{"\\udc00": 1}',
        "two values": text + text,
        "a comment": text + "// no",
    }
    for why, content in malformed.items():
        yield _changed(good, why, {400}, content=content.encode())
    yield _changed(good, "not UTF-8", {400}, content=text.encode("utf-16"))
    yield _changed(good, "bytes that are no text", {400}, content=f'{{"{first}": "'.encode() + b'\xff\xfe"}')
    yield _changed(good, "too large", {413}, content=b" " * 2_000_000)
    for kind in ("text/plain", "multipart/form-data", "application/xml", "application/jsonp", "nonsense", ""):
        yield _changed(good, f"content type {kind}", {415}, headers={"Content-Type": kind})
    values: tuple[Any, ...] = ([], None, "text", 1, True, [body])
    for value in values:
        yield _changed(good, f"{value!r} for a body", {422}, content=orjson.dumps(value))
    yield _changed(good, "no body", {415, 422}, content=b"")
    yield _changed(good, "an unknown field", {422}, content=orjson.dumps({**body, "author_id": str(uuid4())}))
    many = {**body, **{f"field {number}\r\n": number for number in range(1_000)}}
    yield _changed(good, "a thousand unknown fields", {422}, content=orjson.dumps(many))
    for name in body:
        yield from _bad_fields(body, name, good)


def _bad_fields(body: Mapping[str, str], name: str, good: BadRequest) -> Iterator[BadRequest]:
    values: tuple[Any, ...] = (
        1,
        1.5,
        True,
        [],
        {},
        ["text"],
        {"$ne": ""},
        "",
        "a\x00b",
        body[name] + "\x00",
        "x" * 60_000,
    )
    refresh = name == "refresh_token"
    for value in values:
        yield _changed(good, f"{name} {str(value)[:12]!r}", {422}, content=orjson.dumps({**body, name: value}))
    if not refresh and name not in {"password", "username"}:
        yield _changed(good, f"{name} blank", {401, 422}, content=orjson.dumps({**body, name: " \t\n "}))


def _bad_tokens(good: BadRequest, *, signed_in: bool) -> Iterator[BadRequest]:
    unsigned = jwt.encode({"sub": str(uuid4()), "exp": int(time.time()) + 60}, None, algorithm="none")
    for why, header in {
        "a token of nobody": "Bearer abc.def.ghi",
        "an unsigned token": f"Bearer {unsigned}",
        "no token": "Bearer ",
        "another scheme": "Basic YWRhOmFkYQ==",
        "no scheme": "abc",
        "a huge token": "Bearer " + "a" * 50_000,
    }.items():
        yield _changed(good, why, {401}, headers={"Authorization": header})
    if signed_in:
        yield _changed(good, "no Authorization", {401}, headers={"Authorization": ""})


def _bad_queries(endpoint: Endpoint, good: BadRequest) -> Iterator[BadRequest]:
    bad = dict(endpoint.query)
    if endpoint.lists:
        bad["limit"] = ("0", "-1", "101", str(10**30), "1_0", "+5", " 5", "5.0", "1e1", "٣", "ten", "", "\x00")
        bad["cursor"] = ("x", "", "A" * 40, "A" * 5_000, "\x00", "é", "../../etc/passwd", "=" * 40)
    for name, texts in bad.items():
        for text in texts:
            query = dict(part.split("=", 1) for part in text.split("&")) if "&" in text else {name: text}
            yield _changed(good, f"{name}={text[:24]!r}", {422}, query=query)
