"""Swagger UI at /docs and ReDoc at /redoc, served whole from this host; app.main mounts them.

Their assets come from the package fastapi-offline. A policy header keeps the browser from asking anyone else.
"""

from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html, get_swagger_ui_oauth2_redirect_html
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

ASSETS = "/docs/assets"
OAUTH2_REDIRECT = "/docs/oauth2-redirect"

# Both pages start from an inline script and style themselves inline; ReDoc searches in a blob worker. ReDoc's
# bundle also asks a CDN for its maker's logo: refused here, it leaves the logo out.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; worker-src 'self' blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)

SWAGGER_SETTINGS = {
    "persistAuthorization": True,
    "displayRequestDuration": True,
    "validatorUrl": None,  # otherwise the page shows the description to an outside validator
}


def mount_docs(app: FastAPI) -> None:
    """Add both pages and their assets to an app made with docs_url=None and redoc_url=None.

    Raises ValueError for an app whose openapi_url is None: there would be nothing to show.
    """
    if app.openapi_url is None:
        raise ValueError("The documentation pages need the app's openapi_url; set it or leave the pages out.")
    openapi_url = app.openapi_url

    async def swagger_page(request: Request) -> HTMLResponse:
        root = _root(request)
        return _guarded(
            get_swagger_ui_html(
                openapi_url=root + openapi_url,
                title=f"{app.title} · Swagger UI",
                swagger_js_url=f"{root}{ASSETS}/swagger-ui-bundle.js",
                swagger_css_url=f"{root}{ASSETS}/swagger-ui.css",
                swagger_favicon_url=f"{root}{ASSETS}/favicon.png",
                oauth2_redirect_url=root + OAUTH2_REDIRECT,
                swagger_ui_parameters=SWAGGER_SETTINGS,
            )
        )

    async def oauth2_redirect_page() -> HTMLResponse:
        return _guarded(get_swagger_ui_oauth2_redirect_html())

    async def redoc_page(request: Request) -> HTMLResponse:
        root = _root(request)
        return _guarded(
            get_redoc_html(
                openapi_url=root + openapi_url,
                title=f"{app.title} · ReDoc",
                redoc_js_url=f"{root}{ASSETS}/redoc.standalone.js",
                redoc_favicon_url=f"{root}{ASSETS}/favicon.png",
                with_google_fonts=False,
            )
        )

    app.mount(ASSETS, StaticFiles(packages=[("fastapi_offline", "static")]), name="docs-assets")
    app.add_api_route("/docs", swagger_page, include_in_schema=False)
    app.add_api_route(OAUTH2_REDIRECT, oauth2_redirect_page, include_in_schema=False)
    app.add_api_route("/redoc", redoc_page, include_in_schema=False)


def _root(request: Request) -> str:
    """Return the path that a proxy serves the whole app under, without a trailing slash."""
    return str(request.scope.get("root_path", "")).rstrip("/")


def _guarded(page: HTMLResponse) -> HTMLResponse:
    page.headers["Content-Security-Policy"] = POLICY
    return page
