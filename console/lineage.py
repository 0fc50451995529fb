"""The order of commits in git's history: whether one commit contains another."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from console.errors import ConsoleError

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.checkout import Checkout

_COMMIT_ID = re.compile(r"[0-9a-f]{4,64}")


class Lineage(Protocol):
    """The order of commits."""

    def contains(self, later: str, earlier: str) -> bool:
        """Return whether `later` is `earlier` or descends from it.

        Raises:
            ConsoleError: one of them is unknown.
        """
        ...


class CheckoutLineage:
    """`Lineage` of a checkout; fetches the pipeline's branch if a commit is missing."""

    def __init__(self, checkout: Checkout, url: Callable[[], str], branch: str) -> None:
        """Create the lineage; `url` returns the git URL of the pipeline's repository."""
        self._checkout = checkout
        self._url = url
        self._branch = branch
        self._cache: dict[tuple[str, str], bool] = {}

    def contains(self, later: str, earlier: str) -> bool:
        """See `Lineage.contains`."""
        if later == earlier:
            return True
        if (later, earlier) not in self._cache:
            for commit in (later, earlier):
                self._require(commit)
            self._cache[later, earlier] = self._checkout.is_ancestor(earlier, later)
        return self._cache[later, earlier]

    def _require(self, commit: str) -> None:
        if _COMMIT_ID.fullmatch(commit) is None:
            raise ConsoleError(f"commit: found {commit!r}; allowed are 4 to 64 hexadecimal digits")
        if self._checkout.has(commit):
            return
        self._checkout.fetch(self._url(), self._branch)
        if not self._checkout.has(commit):
            raise ConsoleError(
                f"commit {commit[:7]} is neither in this checkout nor in the history of branch "
                f"{self._branch}. Fetch the branch that has it, then run the command again"
            )
