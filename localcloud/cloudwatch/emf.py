"""Extract metrics from log lines ("Specification: Embedded metric format").

A metric without a numeric target and a malformed directive are skipped and counted as
`EMFValidationErrors`. A line that is not JSON is counted as `EMFParsingErrors`. As on AWS, both
metrics are in `AWS/Logs` by `LogGroupName`.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn, TypeGuard

MAX_VALUE = 2.0**360
"""The largest absolute value of a metric."""
UNITS = frozenset({
    "Seconds", "Microseconds", "Milliseconds", "Bytes", "Kilobytes", "Megabytes", "Gigabytes",
    "Terabytes", "Bits", "Kilobits", "Megabits", "Gigabits", "Terabits", "Percent", "Count",
    "Bytes/Second", "Kilobytes/Second", "Megabytes/Second", "Gigabytes/Second",
    "Terabytes/Second", "Bits/Second", "Kilobits/Second", "Megabits/Second", "Gigabits/Second",
    "Terabits/Second", "Count/Second", "None",
})  # fmt: skip
"""`StandardUnit` of the API."""
MAX_DIMENSIONS = 30
"""The maximum number of dimensions of a metric."""
_MAX_METRICS = 100
_MAX_VALUES = 100


class Observation(NamedTuple):
    """Values of one metric at the wall time `milliseconds`."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    values: tuple[float, ...]
    unit: str
    milliseconds: float
    resolution: int


@dataclass
class Extracted:
    """The metrics of a log line, and the numbers of errors."""

    observations: list[Observation] = field(default_factory=list)
    invalid: int = 0
    unreadable: int = 0


def extract(line: str) -> Extracted:
    """Extract a line's metrics; text may precede its JSON, as in Lambda's lines."""
    found = Extracted()
    if '"CloudWatchMetrics"' not in line:
        return found
    try:
        root = json.loads(line[line.find("{") :], parse_constant=_reject_constant)
    except (ValueError, RecursionError):
        found.unreadable = 1
        return found
    metadata = root.get("_aws") if isinstance(root, dict) else None
    if not isinstance(metadata, dict) or "CloudWatchMetrics" not in metadata:
        return found
    directives = metadata["CloudWatchMetrics"]
    milliseconds = metadata.get("Timestamp")
    if not isinstance(directives, list) or not _number(milliseconds):
        found.invalid = 1
        return found
    for directive in directives:
        if not isinstance(directive, dict) or not _directive(root, directive, milliseconds, found):
            found.invalid += 1
    return found


def _reject_constant(constant: str) -> NoReturn:
    message = f"{constant} is not JSON"
    raise ValueError(message)


def _number(value: Any) -> TypeGuard[float]:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and -MAX_VALUE <= value <= MAX_VALUE
    )


def _directive(
    root: dict[str, Any], directive: dict[str, Any], milliseconds: float, found: Extracted
) -> bool:
    namespace, sets = directive.get("Namespace"), directive.get("Dimensions")
    definitions = directive.get("Metrics")
    if not (
        isinstance(namespace, str)
        and namespace
        and isinstance(sets, list)
        and isinstance(definitions, list)
        and len(definitions) <= _MAX_METRICS
    ):
        return False
    dimensions = [_dimensions(root, each) for each in sets]
    if None in dimensions:
        return False
    for definition in definitions:
        metric = _metric(root, definition)
        if metric is None:
            found.invalid += 1
            continue
        name, values, unit, resolution = metric
        found.observations += [
            Observation(namespace, name, each, values, unit, milliseconds, resolution)
            for each in dimensions
            if each is not None
        ]
    return True


def _dimensions(root: dict[str, Any], names: Any) -> tuple[tuple[str, str], ...] | None:
    if not isinstance(names, list) or len(names) > MAX_DIMENSIONS:
        return None
    pairs = []
    for name in names:
        value = root.get(name) if isinstance(name, str) else None
        if not isinstance(value, str) or not value:
            return None
        pairs.append((name, value))
    return tuple(sorted(pairs))


def _metric(
    root: dict[str, Any], definition: Any
) -> tuple[str, tuple[float, ...], str, int] | None:
    if not isinstance(definition, dict) or not isinstance(definition.get("Name"), str):
        return None
    name = definition["Name"]
    target = root.get(name)
    values: list[Any] = target if isinstance(target, list) else [target]
    unit = definition.get("Unit", "None")
    resolution = definition.get("StorageResolution", 60)
    if not (
        0 < len(values) <= _MAX_VALUES
        and all(_number(value) for value in values)
        and isinstance(unit, str)
        and unit in UNITS
        and resolution in (1, 60)
    ):
        return None
    return name, tuple(float(value) for value in values), unit, resolution
