"""The form of a decision record, so that a wrong one is told by key, by what was found and allowed.

What the fields mean stands in `pipeline.judge.statistics.record`. That reads them too, but in the
judge, which has no pydantic and wrote them itself.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    ValidationError,
    model_validator,
)

from pipeline.judge.statistics.judging import Outcome, Verdict  # noqa: TC001  # pydantic reads the annotation
from pipeline.judge.statistics.periods import Counted, Incident, Undecided  # noqa: TC001  # the same


class FormError(Exception):
    """A text is no decision record; the message says where, what was found and what is allowed."""


def check(text: str) -> None:
    """Hold the text of a decision record against its form.

    Raises:
        FormError: it has another.
    """
    try:
        _Record.model_validate_json(text)
    except ValidationError as error:
        raise FormError(_sentence(error)) from error


def _sentence(error: ValidationError) -> str:
    first, *others = error.errors(include_url=False)
    if first["type"] == "json_invalid":
        return f"no JSON: {first['ctx']['error']}"
    key = ".".join(map(str, first["loc"]))
    more = f" ({len(others)} more such keys)" if others else ""
    if first["type"] == "missing":
        return f"{key}: nothing found; the key is required{more}"
    if first["type"] == "extra_forbidden":
        return f"{key}: found a key that no decision record has{more}"
    told = str(first["ctx"]["error"]) if first["type"] == "value_error" else first["msg"]
    place = f"{key}: " if key else ""
    return f"{place}found {_short(first['input'])}; {told[0].lower()}{told[1:]}{more}"


def _short(found: object) -> str:
    shown = repr(found)
    most = 60
    return shown if len(shown) <= most else f"{shown[:most]}…"


def _ordered(counts: tuple[int, int]) -> tuple[int, int]:
    requests, bad = counts
    if bad > requests:
        raise ValueError(f"at most as many as requests, {requests}, can be bad")
    return counts


_Count = Annotated[int, Field(ge=0, lt=2**53)]
_Share = Annotated[FiniteFloat, Field(gt=0, lt=1)]
_Positive = Annotated[FiniteFloat, Field(gt=0)]
_Text = Annotated[str, Field(min_length=1)]
_Counts = Annotated[tuple[_Count, _Count], AfterValidator(_ordered)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Pair(_Part):
    canary: _Counts
    stable: _Counts


class _ColdStarts(_Part):
    canary: _Count
    stable: _Count


class _Period(_Part):
    start: AwareDatetime
    seconds: Annotated[int, Field(ge=1, le=86400)]
    counts: dict[str, _Pair]
    cold_starts: _ColdStarts
    evidence: FiniteFloat


class _Parameters(_Part):
    false_rollback_rate: _Share
    tolerance: _Positive
    harmful: _Positive
    undecided: Undecided
    incident: Incident
    objectives: Annotated[dict[str, _Positive], Field(min_length=1)]
    limits: dict[str, _Share]
    min_requests: _Count

    @model_validator(mode="after")
    def _limited(self) -> _Parameters:
        if not self.limits.keys() <= self.objectives.keys():
            raise ValueError(f"limits must be of {', '.join(self.objectives)}, no others")
        return self


class _Discrepancy(_Part):
    what: Counted
    version: _Text | None
    reported: _Count
    platform: _Count
    allowed: _Count

    @model_validator(mode="after")
    def _apart(self) -> _Discrepancy:
        if abs(self.reported - self.platform) <= self.allowed:
            raise ValueError(f"reported and platform must be more than {self.allowed} apart")
        return self


class _Record(_Part):
    schema_: Literal[1] = Field(alias="schema")
    service: _Text
    environment: _Text
    deployment_id: _Text
    stable: _Text
    canary: _Text
    percent: Annotated[FiniteFloat, Field(ge=0, le=100)]
    began: AwareDatetime
    shift_ends: AwareDatetime
    parameters: _Parameters
    code: _Text
    periods: tuple[_Period, ...]
    rule: _Text
    verdict: Verdict
    incident: bool
    decided_at: AwareDatetime | None
    outcome: Outcome
    sentence: str
    version_digest: str = ""
    discrepancies: tuple[_Discrepancy, ...] = ()

    @model_validator(mode="after")
    def _counted(self) -> _Record:
        for index, each in enumerate(self.periods):
            if each.counts.keys() != self.parameters.objectives.keys():
                raise ValueError(
                    f"periods.{index}.counts must be those of the objectives, "
                    f"{', '.join(self.parameters.objectives)}, no others"
                )
        return self
