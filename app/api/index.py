"""What stands at the root: where to go from here."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.api.answers import json_answer

router = APIRouter(include_in_schema=False)


@router.get("/")
async def show_index(request: Request) -> Response:
    """Name the service and its addresses."""
    app = request.app
    addresses = {"posts": "/posts/", "health": "/health/ready", "metrics": "/metrics", "problems": "/problems/"}
    if app.openapi_url is not None:
        addresses |= {"documentation": "/docs", "reference": "/redoc", "description": app.openapi_url}
    return json_answer({"name": app.title, "version": app.version, "addresses": addresses})
