"""Whether every version that serves an environment contains a commit."""

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
class Containment:
    """A commit compared with the versions that serve an environment."""

    contains: bool | None
    """Whether every version that has traffic contains the commit; None if that is unknown."""
    sentence: str
    """What serves, or why that is unknown."""
    commits: frozenset[str] = frozenset()
    """The commits of the versions that have traffic."""


def containment(
    aws: Aws, lineage: Lineage, environment: str, place: Place, commit: str
) -> Containment:
    """Read what serves an environment and compare a commit with it."""
    try:
        service = deployed(aws, environment, place)
        if service is None:
            return Containment(None, f"nothing serves {environment}")
        return compare(lineage, environment, serving(aws, service), commit)
    except ConsoleError as error:
        return Containment(None, f"what serves {environment} cannot be read: {error}")


def compare(lineage: Lineage, environment: str, now: Serving, commit: str) -> Containment:
    """Compare a commit with the versions that serve an environment now."""
    sentence = f"{environment} serves {now.description}"
    commits = {each for each in now.commits.values() if each is not None}
    if None in now.commits.values():
        return Containment(None, f"{sentence}, so it is unknown whether it contains {commit[:7]}")
    try:
        contains = all(lineage.contains(each, commit) for each in sorted(commits))
    except ConsoleError as error:
        return Containment(None, f"{sentence}, which cannot be compared with {commit[:7]}: {error}")
    return Containment(contains, sentence, frozenset(commits))
