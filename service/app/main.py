"""The application, created from settings and a storage."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from service.app import problems, tracing
from service.app.routes import files, health
from service.app.settings import Settings
from service.app.storage import S3Storage, Storage
from service.app.telemetry import TelemetryMiddleware


def create_app(settings: Settings, storage: Storage) -> FastAPI:
    """Create the files API over a storage."""
    app = FastAPI(
        title="Files",
        summary="Files over S3, delivered by Pithead.",
        version=settings.commit,
        telemetry=tracing.configuration(settings),
        responses=problems.responses(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            HTTPStatus.INTERNAL_SERVER_ERROR,
            HTTPStatus.SERVICE_UNAVAILABLE,
        ),
    )
    app.state.settings = settings
    app.state.storage = storage
    app.include_router(health.router)
    app.include_router(files.router)
    problems.install(app)
    if settings.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.allowed_origins),
            allow_methods=["GET", "HEAD", "PUT", "DELETE"],
            allow_headers=["Content-Type", "If-Match", "If-None-Match", "If-Range", "Range"],
            expose_headers=["Accept-Ranges", "Content-Range", "ETag", "X-Request-Id"],
        )
    app.add_middleware(TelemetryMiddleware, settings=settings)
    return app


def create_default_app() -> FastAPI:
    """Create the API from environment variables.

    `uvicorn service.app.main:create_default_app --factory` serves it.

    Raises:
        SettingsError: a variable is missing or invalid.
    """
    settings = Settings.from_environment()
    return create_app(settings, S3Storage(settings.bucket))
