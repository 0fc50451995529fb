"""Versions that the judge condemned, and the permission to release one of them again.

A version is known by the digest of its code and configuration, since its number says nothing:
Lambda does not publish an equal version twice, and a number may stand for other code in another
environment. Both documents lie in the bucket of the environment's judge, beside its records:

- `condemned/DIGEST.json` is written by the judge with the verdict;
- `permitted/DIGEST.json` is written by a person, and holds for condemnations before it alone.

The judge refuses a shift to a condemned version before it gets traffic, unless it is permitted.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline.judge.statistics.record import RecordError, text_of, time_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

_IDENTITY = (
    "CodeSha256", "Runtime", "Handler", "MemorySize", "Timeout", "Architectures", "Layers",
    "Environment",
)  # fmt: skip
"""What makes a version behave as it does, of Lambda's `FunctionConfiguration`."""


@dataclass(frozen=True)
class Condemnation:
    """The judge's word on a version."""

    version_digest: str
    deployment_id: str
    at: datetime
    sentence: str
    """Why, as the decision record has it."""


@dataclass(frozen=True)
class Permission:
    """A person's word that a condemned version may be released again."""

    version_digest: str
    at: datetime
    """When it was given, by AWS's clock."""
    by: str
    """Who gave it: an owner that a reviewer can ask."""
    reason: str


def version_digest(configuration: Mapping[str, Any]) -> str:
    """The digest of a version's code and configuration, of its `FunctionConfiguration`."""
    identity = {name: configuration.get(name) for name in _IDENTITY}
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def condemnation_key(digest: str) -> str:
    """Where the judge's bucket has the condemnation of a version."""
    return f"condemned/{digest.removeprefix('sha256:')}.json"


def permission_key(digest: str) -> str:
    """Where the judge's bucket has the permission to release a version again."""
    return f"permitted/{digest.removeprefix('sha256:')}.json"


def text(document: Condemnation | Permission) -> str:
    """A condemnation or a permission as its file has it."""
    return json.dumps(asdict(document) | {"at": text_of(document.at)}, ensure_ascii=False) + "\n"


def read_condemnation(content: str) -> Condemnation:
    """A condemnation out of its file.

    Raises:
        RecordError: it is none.
    """
    return Condemnation(**_fields(content, "condemnation", Condemnation))


def read_permission(content: str) -> Permission:
    """A permission out of its file.

    Raises:
        RecordError: it is none.
    """
    return Permission(**_fields(content, "permission", Permission))


def refusal(condemned: Condemnation | None, permitted: Permission | None) -> str | None:
    """Why a version may not be released; None where it may."""
    if condemned is None:
        return None
    if permitted is not None and permitted.at > condemned.at:
        return None
    return (
        f"Refused before it got traffic: deployment {condemned.deployment_id} condemned this code "
        f"and configuration at {text_of(condemned.at)} ({condemned.sentence.rstrip('.')}). Fix it "
        "or revert it; to release it again as it is: pithead release --again --reason …"
    )


def _fields(content: str, what: str, type_: type[Condemnation | Permission]) -> dict[str, Any]:
    try:
        document = json.loads(content)
        fields = {name: document[name] for name in type_.__dataclass_fields__}
        wrong = [name for name, each in fields.items() if not isinstance(each, str)]
        at = time_of(fields["at"])
    except KeyError as error:
        raise RecordError(f"{what}: {error.args[0]}: nothing found; the key is required") from error
    except (TypeError, ValueError) as error:
        raise RecordError(f"{what}: {error}") from error
    if wrong:
        raise RecordError(f"{what}: {wrong[0]}: found {fields[wrong[0]]!r}; allowed is a text")
    return fields | {"at": at}
