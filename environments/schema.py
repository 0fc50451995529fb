"""What an environment file may say, and the sentence for one that says something else."""

from __future__ import annotations

import re
import tomllib
from datetime import datetime  # noqa: TC003  # pydantic reads the annotation
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from environments.wording import sentence, shown

FOLDER = Path(__file__).parent
NAMES = ("dev", "staging", "prod")
"""In the order in which a commit passes them."""

# CloudWatch Logs takes these and no others ("PutRetentionPolicy").
Retention = Literal[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827]
Account = Annotated[str, Field(pattern=r"^\d{12}$")]
Region = Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]
Share = Annotated[float, Field(gt=0, lt=1)]


class EnvironmentFileError(Exception):
    """A file is wrong; the message says where, what was found and what is allowed."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


PartT = TypeVar("PartT", bound=_Part)


class Function(_Part):
    """The Lambda function."""

    memory_mb: Annotated[int, Field(ge=128, le=10240)]
    timeout_seconds: Annotated[int, Field(ge=1, le=29)]
    """At most 29: API Gateway waits no longer."""
    log_retention_days: Retention


class Api(_Part):
    """The REST API's throttle and the origins that a browser may call it from."""

    requests_per_second: Annotated[int, Field(ge=1, le=10000)]
    burst: Annotated[int, Field(ge=1, le=5000)]
    allowed_origins: tuple[str, ...] = Field(default=(), strict=False)


class AllAtOnce(_Part):
    """The new version gets all traffic at once."""

    type: Literal["all-at-once"]


class Canary(_Part):
    """The new version gets a share for some minutes, then all; then it is watched (bake)."""

    type: Literal["canary"]
    percent: Annotated[int, Field(ge=1, le=99)]
    minutes: Annotated[int, Field(ge=2, le=2880)]
    """At least 2: the guard rails look at whole minutes."""
    bake_minutes: Annotated[int, Field(ge=1, le=1440)]


class Linear(_Part):
    """The new version gets one more share every so many minutes; then it is watched (bake)."""

    type: Literal["linear"]
    percent: Annotated[int, Field(ge=1, le=99)]
    minutes: Annotated[int, Field(ge=2, le=2880)]
    """At least 2: the guard rails look at whole minutes."""
    bake_minutes: Annotated[int, Field(ge=1, le=1440)]


class Guard(_Part):
    """Limits for the new version alone; crossed in one minute, they roll it back."""

    latency_objective_ms: Annotated[int, Field(ge=1)]
    """A request slower than this counts as slow."""
    max_failure_share: Share
    max_slow_share: Share
    min_requests: Annotated[int, Field(ge=1)]
    """Requests in a minute below which a share says nothing."""


class Load(_Part):
    """What the load gate sends, and what it accepts."""

    users: Annotated[int, Field(ge=1, le=1000)]
    seconds: Annotated[int, Field(ge=1, le=3600)]
    warm_up_seconds: Annotated[int, Field(ge=0, le=600)]
    """Requests of the first seconds are sent and not counted."""
    requests_per_second: Annotated[int, Field(ge=1, le=10000)]
    min_requests: Annotated[int, Field(ge=1)]
    """With fewer, nothing was measured, and the gate refuses."""
    max_failure_share: Share
    max_p95_ms: Annotated[int, Field(ge=1)]
    max_p99_ms: Annotated[int, Field(ge=1)]


class Freeze(_Part):
    """A time in which no release begins."""

    start: AwareDatetime = Field(alias="from")
    until: AwareDatetime
    reason: Annotated[str, Field(min_length=3)]

    @model_validator(mode="after")
    def _ordered(self) -> Freeze:
        if self.until <= self.start:
            raise ValueError(f"found until {self.until}; it must be after from, {self.start}")
        return self


class Environment(_Part):
    """One environment: where, how much, how carefully, when not, and whose."""

    account: Account
    region: Region
    owner: Annotated[str, Field(min_length=1)]
    tags: dict[str, str] = {}
    function: Function
    api: Api
    shift: Annotated[AllAtOnce | Canary | Linear, Field(discriminator="type")]
    guard: Guard
    load: Load | None = None
    freeze: tuple[Freeze, ...] = Field(default=(), strict=False)

    @field_validator("tags")
    @classmethod
    def _tags(cls, tags: dict[str, str]) -> dict[str, str]:
        for key, value in tags.items():
            if key in {"owner", "environment"} or key.lower().startswith("aws:"):
                raise ValueError(f"found {key!r}; owner, environment and aws:… are set already")
            for text, most in ((key, 128), (value, 256)):
                if not re.fullmatch(r"[\w\s.:/=+@-]*", text) or len(text) > most or not key:
                    raise ValueError(
                        f"found {text!r}; a tag has letters, digits, spaces and . : / = + - @ _, "
                        f"at most {most} here"
                    )
        return tags

    def every_tag(self, environment: str) -> dict[str, str]:
        """The file's tags, and those that every resource has: its owner and its environment."""
        return self.tags | {"owner": self.owner, "environment": environment}

    def frozen_at(self, now: datetime) -> Freeze | None:
        """The freeze that lasts at this time, if one does."""
        return next((each for each in self.freeze if each.start <= now < each.until), None)


class Home(_Part):
    """Where the pipeline itself lives and what it follows: `[tool.pithead]` of pyproject.toml."""

    account: Account
    region: Region
    repository: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    branch: Annotated[str, Field(min_length=1)]
    connection: Annotated[str, Field(pattern=r"^[\w.-]{1,32}$")]


def load(name: str, folder: Path = FOLDER) -> Environment:
    """Read one environment's file.

    Raises:
        EnvironmentFileError: it is missing, no TOML, or not as the schema wants it.
    """
    path = folder / f"{name}.toml"
    environment = _checked(Environment, path)
    # What nobody would read must not stand there as if it held.
    if environment.load and name != "staging":
        raise EnvironmentFileError(
            f"{shown(path)}: load: found a table; only staging has a load gate"
        )
    if environment.freeze and name != "prod":
        raise EnvironmentFileError(f"{shown(path)}: freeze: found a table; only prod can be frozen")
    return environment


def load_all(folder: Path = FOLDER) -> dict[str, Environment]:
    """All environments by name, in the order of promotion.

    Raises:
        EnvironmentFileError: see `load`; or the gate before prod has no limits.
    """
    environments = {name: load(name, folder) for name in NAMES}
    if environments["staging"].load is None:
        raise EnvironmentFileError(
            f"{shown(folder / 'staging.toml')}: load: nothing found; "
            "a table with the load gate's limits is required"
        )
    return environments


def load_home(root: Path | None = None) -> Home:
    """The pipeline's home out of pyproject.toml.

    Raises:
        EnvironmentFileError: see `load`.
    """
    return _checked(Home, (root or FOLDER.parent) / "pyproject.toml", ("tool", "pithead"))


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise EnvironmentFileError(f"{shown(path)}: the file is missing; create it") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise EnvironmentFileError(f"{shown(path)}: no valid TOML: {error}") from error


def _checked(schema: type[PartT], path: Path, table: tuple[str, ...] = ()) -> PartT:
    document = _read(path)
    for key in table:
        document = document.get(key, {})
    try:
        return schema.model_validate(document)
    except ValidationError as error:
        raise EnvironmentFileError(sentence(path, table, error)) from error
