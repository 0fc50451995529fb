"""A target's input: constant input, input path or input transformer.

Source: "Amazon EventBridge input transformation" in the user guide.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_STEP = re.compile(r"\.([\w-]+)|\['([^']+)'\]|\[(\d+)\]")
_PATH = re.compile(r"\$(?:\.[\w-]+|\['[^']+'\]|\[\d+\])*")
_PLACEHOLDER = re.compile(r"<([A-Za-z0-9_.-]+)>")
_RESERVED = {
    "aws.events.rule-arn",
    "aws.events.rule-name",
    "aws.events.event.ingestion-time",
    "aws.events.event",
    "aws.events.event.json",
}
_MISSING = object()


class InputError(ValueError):
    """EventBridge would reject the input settings."""


def check(target: Mapping[str, Any]) -> None:
    """Check a target's input settings.

    Raises:
        InputError: one of them is invalid.
    """
    given = [
        name for name in ("Input", "InputPath", "InputTransformer") if target.get(name) is not None
    ]
    if len(given) > 1:
        raise InputError(f"Only one of Input, InputPath, or InputTransformer must be provided for "
                         f"target {target['Id']}.")  # fmt: skip
    if "Input" in given:
        try:
            json.loads(target["Input"])
        except ValueError as error:
            raise InputError(f"JSON syntax error in input for target {target['Id']}") from error
    if "InputPath" in given:
        _check_path(target["InputPath"])
    if "InputTransformer" in given:
        names = target["InputTransformer"].get("InputPathsMap") or {}
        for path in names.values():
            _check_path(path)
        for name in _PLACEHOLDER.findall(target["InputTransformer"]["InputTemplate"]):
            if name not in names and name not in _RESERVED:
                raise InputError(f"Invalid InputTemplate for target {target['Id']}: "
                                 f"[<{name}>] is not an input path.")  # fmt: skip


def render(
    target: Mapping[str, Any], event: Mapping[str, Any], rule_arn: str, ingested: str
) -> str:
    """Return the target's input: JSON, unless the template renders other text."""
    if target.get("Input") is not None:
        return str(target["Input"])
    if target.get("InputPath") is not None:
        return json.dumps(_at(event, target["InputPath"]), default=lambda _missing: None)
    transformer = target.get("InputTransformer")
    if not transformer:
        return json.dumps(event)
    values: dict[str, Any] = {
        name: _at(event, path) for name, path in (transformer.get("InputPathsMap") or {}).items()
    }
    values |= {
        "aws.events.rule-arn": rule_arn,
        "aws.events.rule-name": rule_arn.rsplit("/", 1)[-1],
        "aws.events.event.ingestion-time": ingested,
        "aws.events.event": {key: value for key, value in event.items() if key != "detail"},
        "aws.events.event.json": dict(event),
    }
    return _filled(transformer["InputTemplate"], values)


def _filled(template: str, values: Mapping[str, Any]) -> str:
    """Fill in a template: values are JSON, or text inside of a JSON string."""
    done, at = [], 0
    inside = False
    for found in _PLACEHOLDER.finditer(template):
        text = template[at : found.start()]
        done.append(text)
        inside ^= len(re.findall(r'(?<!\\)"', text)) % 2 == 1
        value = values[found[1]]
        if inside:
            plain = "" if value is _MISSING else value
            plain = plain if isinstance(plain, str) else json.dumps(plain)
            done.append(json.dumps(plain)[1:-1])
        else:
            done.append("null" if value is _MISSING else json.dumps(value))
        at = found.end()
    return "".join([*done, template[at:]])


def _check_path(path: str) -> None:
    if not _PATH.fullmatch(path):
        raise InputError(
            f"Input path {path} is not part of the local cloud; use steps such as $.detail.name[0]"
        )


def _at(event: Any, path: str) -> Any:
    for name, quoted, index in _STEP.findall(path):
        try:
            event = event[int(index)] if index else event[name or quoted]
        except (KeyError, IndexError, TypeError):
            return _MISSING
    return event
