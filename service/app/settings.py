"""The service's settings, from environment variables."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

if TYPE_CHECKING:
    from collections.abc import Mapping


class SettingsError(Exception):
    """A variable of the environment is missing or invalid."""


class Settings(BaseModel):
    """Frozen settings; each field is the environment variable of its name in capitals."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    bucket: Annotated[str, Field(min_length=3, max_length=63)]
    service_name: str = "files"
    environment: str = "local"
    commit: str = "unknown"
    latency_objective_ms: Annotated[float, Field(gt=0)] = 1000.0
    """Latency objective in milliseconds; a slower request counts as slow."""
    allowed_origins: tuple[str, ...] = ()
    log_level: Annotated[str, Field(pattern="^(DEBUG|INFO|WARNING|ERROR)$")] = "INFO"
    root_path: str = ""
    """Prefix of each path that a client sees: the REST API's stage, such as `/prod`."""
    aws_lambda_function_version: str = "0"
    """The running version as Lambda names it: a number or `$LATEST`; 0 outside Lambda."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read the settings from the environment.

        Raises:
            SettingsError: a variable is missing or invalid.
        """
        source = os.environ if environment is None else environment
        values: dict[str, object] = {
            name: source[name.upper()] for name in cls.model_fields if name.upper() in source
        }
        origins = str(values.get("allowed_origins", ""))
        values["allowed_origins"] = tuple(part for part in origins.split(",") if part)
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0]).upper()
            raise SettingsError(
                f"environment variable {name}: {first['msg']} (found {source.get(name)!r})"
            ) from error
