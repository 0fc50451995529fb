"""The routes of liveness, readiness and version."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from service.app.problems import ProblemError
from service.app.storage import UnavailableError

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """The process answers."""

    status: str = Field(examples=["alive"])


class Version(BaseModel):
    """What is running, and where."""

    service: str = Field(examples=["files"])
    environment: str = Field(examples=["prod"])
    commit: str = Field(examples=["5496c40f2b0e4a3c9d1e8f7a6b5c4d3e2f1a0b9c"])
    version: str = Field(examples=["42"], description="The Lambda function's version")


@router.get("/health")
def health() -> Health:
    """Alive: says nothing of what the service depends on."""
    return Health(status="alive")


@router.get("/ready")
def ready(request: Request) -> Health:
    """Ready: the bucket can be reached."""
    try:
        request.app.state.storage.check()
    except UnavailableError as error:
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, f"{error}.") from error
    return Health(status="ready")


@router.get("/version")
def version(request: Request) -> Version:
    """The commit that was promoted, the function's version and the environment."""
    settings = request.app.state.settings
    return Version(
        service=settings.service_name,
        environment=settings.environment,
        commit=settings.commit,
        version=settings.aws_lambda_function_version,
    )
