"""The judge's settings, which its stack passes as variables of the function."""

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
    """The release to judge, and the rule."""

    service: str
    environment: str
    function: str
    application: str
    deployment_group: str
    bucket: str
    api: str
    """Name of the REST API; its stage has the name of the environment."""
    shift: Shift
    bake_minutes: int
    parameters: Parameters
    count_tolerance: float
    """Share of requests by which the service's counts may differ from the platform's."""

    @property
    def bake(self) -> timedelta:
        """Return the time that the bake takes at least."""
        return timedelta(minutes=self.bake_minutes)

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> Settings:
        """Read the settings from the function's variables."""
        return cls(
            **{name: variables[name.upper()] for name in _NAMES},
            shift=Shift(**json.loads(variables["SHIFT"])),
            bake_minutes=int(variables["BAKE_MINUTES"]),
            parameters=Parameters(**json.loads(variables["PARAMETERS"])),
            count_tolerance=float(variables["COUNT_TOLERANCE"]),
        )

    def variables(self) -> dict[str, str]:
        """Return the settings as variables of the function; values may contain CDK tokens."""
        return {
            **{name.upper(): str(getattr(self, name)) for name in _NAMES},
            "SHIFT": json.dumps(asdict(self.shift)),
            "BAKE_MINUTES": str(self.bake_minutes),
            "PARAMETERS": json.dumps(asdict(self.parameters)),
            "COUNT_TOLERANCE": repr(self.count_tolerance),
        }


_NAMES = ("service", "environment", "function", "application", "deployment_group", "bucket", "api")
