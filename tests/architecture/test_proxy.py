"""The proxy of compose: what it promises stands in its configuration. test_running_proxy holds a real nginx to it."""

import json
import re

import pytest

from app.api.frame.problems import ContentTooLarge, UriTooLong, describe
from app.errors import InkfoldError, MalformedRequest, NotFound, RequestTimeout, Unavailable
from app.settings import Settings
from tests.support.compose import SERVICES, file_of

CONFIGURATION = file_of("proxy")


def directive(name: str) -> str:
    (value,) = re.findall(rf"^\s*{re.escape(name)} +([^;]+);", CONFIGURATION, re.MULTILINE)
    return str(value)


@pytest.mark.parametrize("name", ["client_header_timeout", "client_body_timeout", "send_timeout", "proxy_read_timeout"])
def test_nobody_may_take_for_ever(name: str) -> None:
    assert 1 <= int(directive(name).removesuffix("s")) <= 60


def test_a_request_is_whole_before_the_api_sees_it() -> None:
    assert directive("proxy_request_buffering") == "on"


def test_the_api_is_told_who_asks_by_nobody_but_the_proxy() -> None:
    assert directive("proxy_set_header X-Forwarded-For") == "$remote_addr"
    assert directive("proxy_set_header Forwarded") == '""'
    assert SERVICES["api"]["environment"]["TRUSTED_PROXIES"] == "${FRONT_SUBNET:-172.29.71.0/24}"


def test_no_larger_body_is_taken_in_than_the_api_takes() -> None:
    assert directive("client_max_body_size") == "1m"
    assert Settings.model_fields["body_limit_bytes"].default == 1024**2


def test_its_log_has_neither_query_strings_nor_headers_of_clients() -> None:
    (line,) = re.findall(r"log_format line escape=json '(.*)';", CONFIGURATION)

    assert set(re.findall(r"\$(\w+)", line)) == {
        "time_iso8601",
        "request_method",
        "uri",
        "status",
        "sent_http_x_request_id",
        "request_time",
        "remote_addr",
    }
    assert directive("error_log") == "stderr crit"


def answered_by_itself() -> dict[int, dict[str, object]]:
    bodies = re.findall(r"return (\d+) '(.*)';", CONFIGURATION)
    return {int(status): json.loads(body.replace("\\'", "'")) for status, body in bodies}


def test_what_it_refuses_by_itself_it_refuses_in_the_apis_words() -> None:
    kinds: list[type[InkfoldError]] = [
        ContentTooLarge,
        MalformedRequest,
        NotFound,
        RequestTimeout,
        Unavailable,
        UriTooLong,
    ]
    assert answered_by_itself() == {kind.status: describe(kind) for kind in kinds}
