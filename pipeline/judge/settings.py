"""What the judge is told by its environment; `variables` is what the stack tells it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from pipeline.judge.shift import Shift
from pipeline.judge.statistics.periods import Parameters

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Settings:
    """Whom it judges, and by which rule."""

    service: str
    environment: str
    function: str
    application: str
    deployment_group: str
    bucket: str
    api: str
    """The name of the REST API; the stage has the environment's."""
    shift: Shift
    bake_minutes: int
    parameters: Parameters
    count_tolerance: float
    """The share of requests by which the service's counts may differ from the platform's."""

    @property
    def bake(self) -> timedelta:
        """How long a version is watched after it has all traffic."""
        return timedelta(minutes=self.bake_minutes)

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Settings:
        """Out of the function's environment variables."""
        return cls(
            **{name: environment[name.upper()] for name in _NAMES},
            shift=Shift(**json.loads(environment["SHIFT"])),
            bake_minutes=int(environment["BAKE_MINUTES"]),
            parameters=Parameters(**json.loads(environment["PARAMETERS"])),
            count_tolerance=float(environment["COUNT_TOLERANCE"]),
        )

    def variables(self) -> dict[str, str]:
        """As environment variables; what they are put together from may be tokens of the CDK."""
        return {
            **{name.upper(): str(getattr(self, name)) for name in _NAMES},
            "SHIFT": json.dumps(asdict(self.shift)),
            "BAKE_MINUTES": str(self.bake_minutes),
            "PARAMETERS": json.dumps(asdict(self.parameters)),
            "COUNT_TOLERANCE": repr(self.count_tolerance),
        }


_NAMES = ("service", "environment", "function", "application", "deployment_group", "bucket", "api")
