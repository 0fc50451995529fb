"""Quotas of a build project ("Quotas for AWS CodeBuild", user guide).

The constraints are those of `CreateProject` and `StartBuild` in the API reference. The maximum
length of a variable is from users' reports (wolfeidau/buildkite-serverless-agent#35).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-_]{1,149}")
_MAX_DESCRIPTION_CHARACTERS = 255
_MAX_VARIABLE_CHARACTERS = 4096
_MAX_TAGS = 50
_TIMEOUT_MINUTES = {"timeoutInMinutes": (5, 2160), "queuedTimeoutInMinutes": (5, 480)}


def exceeded(project: Mapping[str, Any]) -> Iterator[str]:
    """Yield a message for each quota that a project, in the API's shape, exceeds."""
    if not _NAME.fullmatch(project["name"]):
        yield _invalid("name", f"Member must satisfy regular expression pattern: {_NAME.pattern}")
    for key, found, most in (
        ("description", len(project.get("description") or ""), _MAX_DESCRIPTION_CHARACTERS),
        ("tags", len(project.get("tags") or []), _MAX_TAGS),
    ):
        if found > most:
            yield _invalid(key, f"Member must have length less than or equal to {most}")
    for key in _TIMEOUT_MINUTES:
        yield from outside(key, project.get(key))
    yield from too_long(project["environment"].get("environmentVariables") or [])


def outside(key: str, minutes: float | None) -> Iterator[str]:
    """Yield a message if a timeout is set and out of range."""
    least, most = _TIMEOUT_MINUTES[key]
    if minutes is not None and minutes < least:
        yield _invalid(key, f"Member must have value greater than or equal to {least}")
    if minutes is not None and minutes > most:
        yield _invalid(key, f"Member must have value less than or equal to {most}")


def too_long(variables: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a message if the value of a variable is too long."""
    if any(len(str(each["value"])) > _MAX_VARIABLE_CHARACTERS for each in variables):
        yield f"EnvironmentVariable should be at most {_MAX_VARIABLE_CHARACTERS} characters"


def _invalid(where: str, constraint: str) -> str:
    return (
        f"1 validation error detected: Value at '{where}' failed to satisfy constraint: "
        f"{constraint}"
    )
