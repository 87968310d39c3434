"""Says what each `type` of a problem means, at the address that the type is."""

from fastapi import APIRouter
from starlette.responses import Response

from app.api.answers import json_answer
from app.api.frame.problems import Problem, all_kinds, describe, problems
from app.errors import NotFound

router = APIRouter(prefix="/problems", tags=["problems"])


@router.get("/", summary="List the kinds of problems", response_model=dict[str, list[Problem]])
async def list_problem_kinds() -> Response:
    """Show every kind of error that this service answers with."""
    return json_answer({"items": [describe(kind) for kind in all_kinds()]})


@router.get("/{slug}/", summary="Read about a kind of problem", response_model=Problem, responses=problems(NotFound))
async def get_problem_kind(slug: str) -> Response:
    """Say what a problem means; its `type` leads here."""
    for kind in all_kinds():
        if kind.slug == slug:
            return json_answer(describe(kind))
    raise NotFound("There is no such kind of problem. GET /problems/ lists them.")
