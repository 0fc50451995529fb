"""Check whether every version that serves an environment contains a commit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.aws.deployed import deployed, serving
from console.errors import ConsoleError

if TYPE_CHECKING:
    from console.aws.account import Aws, Place
    from console.aws.deployed import Serving
    from console.lineage import Lineage


@dataclass(frozen=True)
class InService:
    """What serves an environment, compared with a commit."""

    contains: bool | None
    """Whether every version that has traffic contains the commit; None if that is unknown."""
    sentence: str
    """What serves, or why that is unknown."""
    commits: frozenset[str] = frozenset()
    """Of the versions that have traffic."""


def in_service(
    aws: Aws, lineage: Lineage, environment: str, place: Place, commit: str
) -> InService:
    """Compare a commit with the versions that the environment's alias sends requests to."""
    try:
        what = deployed(aws, environment, place)
        if what is None:
            return InService(None, f"nothing serves {environment}")
        return compared(lineage, environment, serving(aws, what), commit)
    except ConsoleError as error:
        return InService(None, f"what serves {environment} cannot be read: {error}")


def compared(lineage: Lineage, environment: str, now: Serving, commit: str) -> InService:
    """Compare a commit with what serves now."""
    sentence = f"{environment} serves {described(now)}"
    commits = {each for each in now.commits.values() if each is not None}
    if None in now.commits.values():
        return InService(None, f"{sentence}, so it is unknown whether it contains {commit[:7]}")
    try:
        contains = all(lineage.contains(each, commit) for each in sorted(commits))
    except ConsoleError as error:
        return InService(None, f"{sentence}, which cannot be compared with {commit[:7]}: {error}")
    return InService(contains, sentence, frozenset(commits))


def described(now: Serving) -> str:
    """Such as version 3 of commit c0ffeec; with shares while there are several."""
    shares = {version: share for version, share in now.weights.items() if share}
    parts = []
    for version, share in shares.items():
        percent = f" ({share:.0%})" if len(shares) > 1 else ""
        parts.append(
            f"version {version} of commit {(now.commits[version] or 'unknown')[:7]}{percent}"
        )
    return " and ".join(parts)
