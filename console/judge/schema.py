"""Validation of decision records; errors name key, value and what is allowed.

The judge's classes are the one definition: `pipeline.judge.statistics.record.Record` and its parts.
The judge does not validate the records that it reads, because it wrote them itself and has no
pydantic. Here the schema of each class is derived from its annotations, and adds only what they
leave open: the ranges of numbers, and fields with another representation in the document.
"""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    ValidationError,
    create_model,
    model_validator,
)

from pipeline.judge.statistics.judging import Outcome, Verdict
from pipeline.judge.statistics.periods import (
    Counted,
    Discrepancy,
    Incident,
    Pair,
    Parameters,
    Period,
    Undecided,
)
from pipeline.judge.statistics.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable


class FormError(Exception):
    """A text is not a decision record; the message says where, what was found and why."""


def check(text: str) -> None:
    """Validate the text of a decision record.

    Raises:
        FormError: the text is not a decision record.
    """
    try:
        _RECORD.model_validate_json(text)
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
_ANNOTATION_TYPES: dict[str, Any] = {
    "Counted": Counted,
    "Counts": Annotated[tuple[_Count, _Count], AfterValidator(_ordered)],
    "Incident": Incident,
    "Mapping": dict,
    "Outcome": Outcome,
    "Undecided": Undecided,
    "Verdict": Verdict,
    "datetime": AwareDatetime,
    "float": FiniteFloat,
    "int": _Count,
    "str": Annotated[str, Field(min_length=1)],
}
"""The schema of the names in annotations of the judge's classes."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def _form(
    class_: type, check: Callable[[Any], Any] | None = None, **stated: Any
) -> type[BaseModel]:
    """Return the schema of a class of the judge.

    Args:
        class_: a dataclass or a named tuple; later annotations with its name use this schema.
        check: raises ValueError unless the fields agree with each other.
        stated: the type of a field that differs from its annotation, or a type and a default;
            None if the document has no such field.
    """
    meant = get_type_hints(class_, globalns={}, localns=_ANNOTATION_TYPES, include_extras=True)
    fields: dict[str, Any] = {
        name: each if isinstance(each, tuple) else (each, ...)
        for name, each in stated.items()
        if each is not None
    }
    for name, parameter in signature(class_).parameters.items():
        if name not in stated:
            default = ... if parameter.default is parameter.empty else parameter.default
            fields[name] = (meant[name], default)
    validators: dict[str, Any] = {"check": model_validator(mode="after")(check)} if check else {}
    made = create_model(class_.__name__, __base__=_Part, __validators__=validators, **fields)
    _ANNOTATION_TYPES[class_.__name__] = made
    return made


def _limited(parameters: Any) -> Any:
    if not parameters.limits.keys() <= parameters.objectives.keys():
        raise ValueError(f"limits must be of {', '.join(parameters.objectives)}, no others")
    return parameters


def _apart(found: Any) -> Any:
    if abs(found.reported - found.platform) <= found.allowed:
        raise ValueError(f"reported and platform must be more than {found.allowed} apart")
    return found


def _counted(record: Any) -> Any:
    for index, each in enumerate(record.periods):
        if each.counts.keys() != record.parameters.objectives.keys():
            raise ValueError(
                f"periods.{index}.counts must be those of the objectives, "
                f"{', '.join(record.parameters.objectives)}, no others"
            )
    return record


class _ColdStarts(_Part):
    canary: _Count
    stable: _Count


_form(Pair)
_form(
    Period,
    seconds=Annotated[int, Field(ge=1, le=86400)],
    cold_starts=_ColdStarts,
    evidence=FiniteFloat,
)
_form(
    Parameters,
    _limited,
    false_rollback_rate=_Share,
    tolerance=_Positive,
    harmful=_Positive,
    objectives=Annotated[dict[str, _Positive], Field(min_length=1)],
    limits=dict[str, _Share],
)
_form(Discrepancy, _apart)
_RECORD = _form(
    Record,
    _counted,
    schema_=Annotated[Literal[1], Field(alias="schema")],
    percent=Annotated[FiniteFloat, Field(ge=0, le=100)],
    evidence=None,  # each period has its own
    sentence=str,
    version_digest=(str, Record.version_digest),
)
