"""The documentation pages: what they reference is served by this very app, and nothing else is asked for."""

import json
import re
from html.parser import HTMLParser
from typing import Annotated
from urllib.parse import urlsplit

import pytest
from fastapi import Depends, FastAPI
from fastapi.security import OAuth2PasswordBearer
from httpx import ASGITransport, AsyncClient

from app.api.docs import mount_docs

ORIGIN = "http://blog.example"
PAGES = ["/docs", "/redoc", "/docs/oauth2-redirect"]
MEDIA_TYPES = {
    ".js": {"text/javascript", "application/javascript"},
    ".css": {"text/css"},
    ".png": {"image/png"},
    ".json": {"application/json"},
}


class References(HTMLParser):
    """Collects every address that an HTML page's tags name."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del tag
        self.found |= {value for name, value in attrs if name in {"src", "href", "spec-url"} and value}


def references(html: str) -> set[str]:
    """Return the addresses that a page names in its tags and in the strings of its own scripts."""
    parser = References()
    parser.feed(html)
    in_scripts = re.findall(r"""['"]((?:https?:)?//[^'"\s]+|/[\w./-]+)['"]""", html)
    return parser.found | set(in_scripts)


def documented_app() -> FastAPI:
    app = FastAPI(title="Documented", docs_url=None, redoc_url=None)
    bearer = OAuth2PasswordBearer(tokenUrl="/auth/login/")

    @app.get("/things/")
    async def things(token: Annotated[str, Depends(bearer)]) -> str:
        return token

    mount_docs(app)
    return app


def client(app: FastAPI, root_path: str = "") -> AsyncClient:
    return AsyncClient(transport=ASGITransport(app, root_path=root_path), base_url=ORIGIN)


def test_an_outside_address_is_seen_in_a_tag_and_in_a_script() -> None:
    html = """<script src="https://cdn.example/a.js"></script><script>load('//cdn.example/b.js')</script>"""

    assert references(html) == {"https://cdn.example/a.js", "//cdn.example/b.js"}


@pytest.mark.parametrize("page", PAGES)
async def test_page_references_only_its_own_origin(page: str) -> None:
    async with client(documented_app()) as http:
        answer = await http.get(page)

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    outside = {url for url in references(answer.text) if urlsplit(url).netloc or urlsplit(url).scheme}
    assert outside == set()


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
async def test_everything_a_page_references_is_served_with_its_media_type(page: str) -> None:
    async with client(documented_app()) as http:
        urls = references((await http.get(page)).text) - {"/docs/oauth2-redirect"}
        answers = {url: await http.get(url) for url in urls}

    assert {"/openapi.json", "/docs/assets/favicon.png"} < urls
    for url, answer in answers.items():
        assert answer.status_code == 200, url
        suffix = url[url.rindex(".") :]
        assert answer.headers["content-type"].split(";")[0] in MEDIA_TYPES[suffix], url


@pytest.mark.parametrize("page", PAGES)
async def test_browser_is_told_to_ask_nobody_else(page: str) -> None:
    async with client(documented_app()) as http:
        policy = (await http.get(page)).headers["content-security-policy"]

    assert policy.startswith("default-src 'self';")
    sources = {source for directive in policy.split(";") for source in directive.split()[1:]}
    assert sources <= {"'self'", "'none'", "'unsafe-inline'", "data:", "blob:"}


async def test_swagger_remembers_authorization_and_asks_no_validator() -> None:
    async with client(documented_app()) as http:
        html = (await http.get("/docs")).text

    assert '"persistAuthorization": true' in html
    assert '"validatorUrl": null' in html


async def test_pages_stay_out_of_the_description_that_names_the_login() -> None:
    async with client(documented_app()) as http:
        description = json.loads((await http.get("/openapi.json")).content)

    assert list(description["paths"]) == ["/things/"]
    flow = description["components"]["securitySchemes"]["OAuth2PasswordBearer"]["flows"]["password"]
    assert flow["tokenUrl"] == "/auth/login/"


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
async def test_pages_follow_the_prefix_of_a_proxy(page: str) -> None:
    async with client(documented_app(), root_path="/blog") as http:
        urls = references((await http.get(f"/blog{page}")).text)

    assert urls
    assert all(url.startswith("/blog/") for url in urls)


def test_app_without_a_description_is_refused() -> None:
    with pytest.raises(ValueError, match="openapi_url"):
        mount_docs(FastAPI(openapi_url=None))
