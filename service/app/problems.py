"""Error responses as problem details (RFC 9457, `application/problem+json`)."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI, Request

MEDIA_TYPE = "application/problem+json"
_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")


class Problem(BaseModel):
    """A problem detail, as a client sees it."""

    type: str = Field(default="about:blank", examples=["about:blank"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["There is no file reports/2026.csv."])
    instance: str = Field(examples=["/files/reports/2026.csv"])


class ProblemError(Exception):
    """Raised by a route to respond with a problem."""

    def __init__(
        self, status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})


def problem_response(
    request: Request, status: int, detail: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Return the response for a problem of a request."""
    problem = Problem(
        title=HTTPStatus(status).phrase, status=status, detail=detail, instance=request.url.path
    )
    return JSONResponse(
        problem.model_dump(), status_code=status, headers=dict(headers or {}), media_type=MEDIA_TYPE
    )


def responses(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """Return OpenAPI entries for the problems that a route can respond with."""
    return {
        int(status): {
            "description": status.phrase,
            "content": {
                MEDIA_TYPE: {
                    "schema": Problem.model_json_schema(),
                    "example": {
                        "type": "about:blank",
                        "title": status.phrase,
                        "status": int(status),
                        "detail": "One sentence that says what was wrong with this request.",
                        "instance": "/files/reports/2026.csv",
                    },
                }
            },
        }
        for status in statuses
    }


def _allowed(request: Request) -> list[str]:
    """Return all methods of a path; Starlette names only those of its first route."""
    return [
        method
        for method in _METHODS
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in request.app.routes
        )
    ]


def install(app: FastAPI) -> None:
    """Answer every error of the app with a problem; an unexpected one is a bare 500."""

    @app.exception_handler(ProblemError)
    async def _problem(request: Request, error: ProblemError) -> JSONResponse:
        return problem_response(request, error.status, error.detail, error.headers)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        headers = error.headers
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            headers = {"Allow": ", ".join(_allowed(request))}
        return problem_response(request, error.status_code, str(error.detail), headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = " ".join(str(part) for part in first["loc"])
        return problem_response(
            request, HTTPStatus.UNPROCESSABLE_ENTITY, f"{where}: {first['msg']}."
        )
