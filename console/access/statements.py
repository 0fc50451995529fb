"""Grants of identity policies, compared with the actions that were used."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping


@dataclass(frozen=True)
class Grant:
    """One pattern of actions that a statement allows.

    Attributes:
        policy: the name of the policy.
        pattern: an action, which may have wildcards, such as `s3:GetObject*`.
        resources: the ARNs on which the action is allowed; they may have wildcards.
        used: the actions that match the pattern and were used, sorted.
    """

    policy: str
    pattern: str
    resources: tuple[str, ...]
    used: tuple[str, ...]


def grants(policies: Mapping[str, Mapping[str, Any]], used: Collection[str]) -> Iterator[Grant]:
    """Yield the grants of policies, in their order; `NotAction` counts as `*`."""
    for name, document in policies.items():
        for statement in _allowing(document):
            patterns = _list(statement.get("Action", "*"))
            for pattern in patterns:
                found = tuple(sorted(each for each in used if _matches(pattern, each)))
                yield Grant(name, pattern, tuple(_list(statement.get("Resource", "*"))), found)


def reduced(policies: Mapping[str, Mapping[str, Any]], used: Collection[str]) -> dict[str, Any]:
    """Merge policies into one that allows only the actions that were used.

    Resources, conditions and denying statements stay.
    """
    statements: list[dict[str, Any]] = []
    for document in policies.values():
        for statement in _list(document["Statement"]):
            if statement["Effect"] == "Deny":
                statements.append(dict(statement))
                continue
            patterns = _list(statement.get("Action", "*"))
            actions = sorted(
                {each for each in used for pattern in patterns if _matches(pattern, each)}
            )
            kept = {key: each for key, each in statement.items() if key != "NotAction"}
            if actions:
                statements.append(kept | {"Action": actions})
    return {"Version": "2012-10-17", "Statement": statements}


def _allowing(document: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    return (each for each in _list(document["Statement"]) if each["Effect"] == "Allow")


def _matches(pattern: str, action: str) -> bool:
    """Return whether a pattern with IAM's wildcards matches an action, ignoring case."""
    literal = pattern.lower().replace("[", "[[]")
    return fnmatch.fnmatchcase(action.lower(), literal)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
