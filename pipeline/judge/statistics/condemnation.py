"""Condemnations of versions by the judge, and permissions to release such a version again.

A version is identified by the digest of its code and configuration. Its number does not identify
it: Lambda does not publish an equal version twice, and the same number may be other code in another
environment. Both documents are in the bucket of the environment's judge, next to its records:

- `condemned/DIGEST.json`: the judge writes it with the verdict;
- `permitted/DIGEST.json`: a person writes it; it applies to earlier condemnations only.

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
"""Fields of Lambda's `FunctionConfiguration` that decide how a version behaves."""


@dataclass(frozen=True)
class Condemnation:
    """The judge's statement that a version must not be released."""

    version_digest: str
    deployment_id: str
    at: datetime
    sentence: str
    """The reason: the sentence of the decision record."""


@dataclass(frozen=True)
class Permission:
    """A person's permission to release a condemned version again."""

    version_digest: str
    at: datetime
    """Its time by AWS's clock."""
    by: str
    """The person who gave it."""
    reason: str


def version_digest(configuration: Mapping[str, Any]) -> str:
    """Return the digest of a version's code and configuration from its `FunctionConfiguration`."""
    identity = {name: configuration.get(name) for name in _IDENTITY}
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def condemnation_key(digest: str) -> str:
    """Return the key of a version's condemnation in the judge's bucket."""
    return f"condemned/{digest.removeprefix('sha256:')}.json"


def permission_key(digest: str) -> str:
    """Return the key of a version's permission in the judge's bucket."""
    return f"permitted/{digest.removeprefix('sha256:')}.json"


def text(document: Condemnation | Permission) -> str:
    """Return the text of a condemnation or permission."""
    return json.dumps(asdict(document) | {"at": text_of(document.at)}, ensure_ascii=False) + "\n"


def read_condemnation(content: str) -> Condemnation:
    """Parse a condemnation.

    Raises:
        RecordError: the text is no condemnation.
    """
    return Condemnation(**_fields(content, "condemnation", Condemnation))


def read_permission(content: str) -> Permission:
    """Parse a permission.

    Raises:
        RecordError: the text is no permission.
    """
    return Permission(**_fields(content, "permission", Permission))


def refusal(condemned: Condemnation | None, permitted: Permission | None) -> str | None:
    """Return the reason why a version may not be released; None if it may."""
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
