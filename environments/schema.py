"""The schema of environment files, and its error messages."""

from __future__ import annotations

import re
import tomllib
from datetime import datetime  # noqa: TC003  # pydantic reads the annotation
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AwareDatetime,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from environments.gates import Dynamic, Load, Synthetic  # noqa: TC001  # pydantic reads the annotation
from environments.limits import JOURNEY_PERIODS, MAX_STEP_MINUTES, Share
from environments.messages import sentence, shown
from environments.part import Part
from environments.supply_chain import SupplyChain

FOLDER = Path(__file__).parent
NAMES = ("dev", "staging", "prod")
"""In the order of promotion."""

# CloudWatch Logs accepts only these ("PutRetentionPolicy").
Retention = Literal[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827]
Account = Annotated[str, Field(pattern=r"^\d{12}$")]
Region = Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]
StepMinutes = Annotated[int, Field(ge=2, le=MAX_STEP_MINUTES)]
"""At least 2: guard rails and judge evaluate whole minutes."""
BakeMinutes = Annotated[int, Field(ge=4, le=50)]
"""Minutes of a bake, from 4 to 50.

The judge's verdict on the last minutes of the shift, and its alarms, usually take 4; if metrics are
late, the bake is extended. CodeDeploy waits one hour for the hook that ends the bake ("AppSpec
'hooks' section").
"""

# A minute is closed after two, settled after three and judged after four; an undecided canary is
# rolled back three minutes before the end.
_MIN_MINUTES = 8


class EnvironmentFileError(Exception):
    """A file is invalid; the message says where, what was found and what is allowed."""


PartT = TypeVar("PartT", bound=Part)


class Function(Part):
    """The Lambda function."""

    memory_mb: Annotated[int, Field(ge=128, le=10240)]
    timeout_seconds: Annotated[int, Field(ge=1, le=29)]
    """At most 29: API Gateway's integration timeout."""
    log_retention_days: Retention


class Api(Part):
    """The REST API's throttle and its allowed CORS origins."""

    requests_per_second: Annotated[int, Field(ge=1, le=10000)]
    burst: Annotated[int, Field(ge=1, le=5000)]
    allowed_origins: tuple[str, ...] = Field(default=(), strict=False)


class AllAtOnce(Part):
    """The new version gets all traffic at once."""

    type: Literal["all-at-once"]


class Canary(Part):
    """The new version gets a share for some minutes, then all traffic, and then bakes."""

    type: Literal["canary"]
    percent: Annotated[int, Field(ge=1, le=99)]
    minutes: StepMinutes
    bake_minutes: BakeMinutes


class Linear(Part):
    """The new version gets one more share in each step, and then bakes."""

    type: Literal["linear"]
    percent: Annotated[int, Field(ge=1, le=99)]
    minutes: StepMinutes
    bake_minutes: BakeMinutes


class Guard(Part):
    """Alarms on the new version alone, per minute; they stop a shift in steps.

    One fires if a minute exceeds a share by more than chance explains (`pipeline.judge.rails`).
    """

    latency_objective_ms: Annotated[int, Field(ge=1)]
    """A slower request counts as slow."""
    max_failure_share: Share
    max_slow_share: Share
    min_requests: Annotated[int, Field(ge=1)]
    """Minutes with fewer requests are not evaluated."""


class Judge(Part):
    """The judge's comparison of a canary with the stable version, and its error rate."""

    false_rollback_rate: Annotated[float, Field(ge=0.0001, le=0.2)]
    """Maximum share of releases that are no worse and rolled back by chance, whatever the cause."""
    tolerance: Annotated[float, Field(ge=1, le=10)]
    """Odds ratio of a bad request, canary to stable, up to which it is no worse."""
    harmful: Annotated[float, Field(gt=1, le=100)]
    """Odds ratio from which a canary may not be called good."""
    undecided: Literal["promote", "rollback"]
    """The action when the shift ends before a verdict."""
    incident: Literal["continue", "stop"]
    """The action while both versions fail more than the guard allows."""
    count_tolerance: Annotated[float, Field(ge=0.005, le=0.2)] = 0.05
    """Maximum difference between counts, as a share of a version's requests.

    The service's counts are compared with Lambda's, and its 4xx and 5xx with API Gateway's. Above
    the maximum, the service's counts are not trusted.
    """
    requests_per_second: Annotated[float, Field(gt=0, le=100000)]
    """The environment's usual request rate, for planning a canary."""
    failure_share: Share
    """The usual share of failed requests, for planning a canary."""

    @model_validator(mode="after")
    def _ordered(self) -> Judge:
        if self.harmful <= self.tolerance:
            raise ValueError(
                f"found harmful {self.harmful:g}; it must be above tolerance, {self.tolerance:g}"
            )
        return self


class Freeze(Part):
    """A period in which no release starts."""

    start: AwareDatetime = Field(alias="from")
    until: AwareDatetime
    reason: Annotated[str, Field(min_length=3)]

    @model_validator(mode="after")
    def _ordered(self) -> Freeze:
        if self.until <= self.start:
            raise ValueError(f"found until {self.until}; it must be after from, {self.start}")
        return self


class Environment(Part):
    """An environment: account, sizes, limits, policies, freezes and owner."""

    account: Account
    region: Region
    owner: Annotated[str, Field(min_length=1)]
    tags: dict[str, str] = Field(default_factory=dict)
    function: Function
    api: Api
    shift: Annotated[AllAtOnce | Canary | Linear, Field(discriminator="type")]
    guard: Guard
    judge: Judge | None = None
    load: Load | None = None
    dynamic: Dynamic | None = None
    synthetic: Synthetic | None = None
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
        """Return the file's tags and the common ones: owner and environment."""
        return self.tags | {"owner": self.owner, "environment": environment}

    def frozen_at(self, now: datetime) -> Freeze | None:
        """Return the freeze that is active at a time, or None."""
        return next((each for each in self.freeze if each.start <= now < each.until), None)


class Home(Part):
    """The pipeline's account, region and source: `[tool.pithead]` in pyproject.toml."""

    account: Account
    region: Region
    repository: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    branch: Annotated[str, Field(min_length=1)]
    connection: Annotated[str, Field(pattern=r"^[\w.-]{1,32}$")]
    supply_chain: SupplyChain = Field(default=SupplyChain(), alias="supply-chain")

    @model_validator(mode="after")
    def _own_profile(self) -> Home:
        profile = self.supply_chain.signing_profile_version
        own = f"arn:aws:signer:{self.region}:{self.account}:"
        if profile and not profile.startswith(own):
            raise ValueError(
                f"found supply-chain.signing_profile_version {profile!r}; it must be one of the "
                f"pipeline's own account and region, {own}…"
            )
        return self


def load(name: str, folder: Path = FOLDER) -> Environment:
    """Read one environment's file.

    Raises:
        EnvironmentFileError: the file is missing, no TOML, or does not match the schema.
    """
    path = folder / f"{name}.toml"
    environment = _checked(Environment, path)
    # A table without a reader would look as if it applied.
    if environment.load and name != "staging":
        raise EnvironmentFileError(
            f"{shown(path)}: load: found a table; only staging has a load gate"
        )
    if environment.dynamic and name != "dev":
        raise EnvironmentFileError(
            f"{shown(path)}: dynamic: found a table; only dev has a dynamic gate"
        )
    if environment.judge and isinstance(environment.shift, AllAtOnce):
        raise EnvironmentFileError(
            f"{shown(path)}: judge: found a table; a shift all at once has no canary to judge"
        )
    if environment.judge is None and not isinstance(environment.shift, AllAtOnce):
        raise EnvironmentFileError(
            f"{shown(path)}: judge: nothing found; a {environment.shift.type} shift needs the "
            "table by which it is judged"
        )
    if environment.judge and environment.judge.undecided == "rollback":
        _check_length(path, environment.shift)
    _check_journeys(path, environment)
    if environment.freeze and name != "prod":
        raise EnvironmentFileError(f"{shown(path)}: freeze: found a table; only prod can be frozen")
    return environment


def _check_length(path: Path, shift: AllAtOnce | Canary | Linear) -> None:
    """Reject a shift that ends before the judge can have a verdict."""
    steps = -(-100 // shift.percent) - 1 if isinstance(shift, Linear) else 1
    if not isinstance(shift, AllAtOnce) and shift.minutes * steps < _MIN_MINUTES:
        raise EnvironmentFileError(
            f"{shown(path)}: shift.minutes: found {shift.minutes * steps} minutes in all; where "
            f"what is undecided is rolled back, at least {_MIN_MINUTES} are needed for a verdict"
        )


def _check_journeys(path: Path, environment: Environment) -> None:
    """Reject a bake without journeys, or with too few for its alarm."""
    shift, synthetic = environment.shift, environment.synthetic
    if isinstance(shift, AllAtOnce):
        return
    if synthetic is None:
        raise EnvironmentFileError(
            f"{shown(path)}: synthetic: nothing found; the bake of a {shift.type} shift watches "
            "journeys, and needs the table that says how often they are made"
        )
    # Half of one of the alarm's periods may lie before the bake.
    if synthetic.every_minutes * JOURNEY_PERIODS >= shift.bake_minutes:
        raise EnvironmentFileError(
            f"{shown(path)}: synthetic.every_minutes: found {synthetic.every_minutes}; the bake's "
            f"{shift.bake_minutes} minutes must be longer than {JOURNEY_PERIODS} times that"
        )


def unread(folder: Path = FOLDER) -> list[Path]:
    """Return the files in an environments folder that nothing reads.

    A `production.toml` or `prod.toml.bak` looks as if it applied, and does not.
    """
    names = {f"{name}.toml" for name in NAMES}
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and "__pycache__" not in path.parts
        and not (path.parent == folder and (path.name in names or path.suffix == ".py"))
    )


def load_all(folder: Path = FOLDER) -> dict[str, Environment]:
    """Return all environments by name, in the order of promotion.

    Raises:
        EnvironmentFileError: see `load`; or a gate on the way to prod has no limits.
    """
    environments = {name: load(name, folder) for name in NAMES}
    if environments["staging"].load is None:
        raise EnvironmentFileError(
            f"{shown(folder / 'staging.toml')}: load: nothing found; "
            "a table with the load gate's limits is required"
        )
    if environments["staging"].synthetic is None:
        raise EnvironmentFileError(
            f"{shown(folder / 'staging.toml')}: synthetic: nothing found; "
            "a table with the synthetic gate's limits is required"
        )
    if environments["dev"].dynamic is None:
        raise EnvironmentFileError(
            f"{shown(folder / 'dev.toml')}: dynamic: nothing found; "
            "a table with the dynamic gate's limits is required"
        )
    return environments


def load_home(root: Path | None = None) -> Home:
    """Read the pipeline's home from pyproject.toml.

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
        raise EnvironmentFileError(f"{shown(path)}: invalid TOML: {error}") from error


def _checked(schema: type[PartT], path: Path, table: tuple[str, ...] = ()) -> PartT:
    document = _read(path)
    for key in table:
        document = document.get(key, {})
    try:
        return schema.model_validate(document)
    except ValidationError as error:
        raise EnvironmentFileError(sentence(path, table, error)) from error
