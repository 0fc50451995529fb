"""How many invocations may run at once: reserved for a function, or shared in its account.

"Understanding Lambda function scaling" of the developer guide.
"""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from localcloud.core.ports import InvocationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.awslambda.catalogue import Catalogue
    from localcloud.awslambda.model import Function


class Concurrency:
    """Counts what runs; lets in what may."""

    def __init__(self, catalogue: Catalogue, quota: int) -> None:
        """`quota` is the account's concurrent executions in a region."""
        self._catalogue = catalogue
        self._quota = quota
        self._lock = threading.Lock()
        self._running: Counter[tuple[str, ...]] = Counter()

    @contextmanager
    def one(self, function: Function) -> Iterator[int]:
        """While one more invocation runs; gives how many of the function run then.

        Raises:
            InvocationError: TooManyRequestsException.
        """
        own, shared = function.at()[:3], function.at()[:2]
        with self._lock:
            if function.reserved is not None:
                free = self._running[own] < function.reserved
            else:
                free = self._running[shared] < self._quota - self._reserved(function)
            if not free:
                raise InvocationError("TooManyRequestsException", "Rate Exceeded.")
            taken = (own,) if function.reserved is not None else (own, shared)
            self._running.update(taken)
            running = self._running[own]
        try:
            yield running
        finally:
            with self._lock:
                self._running.subtract(taken)

    def _reserved(self, function: Function) -> int:
        return self._catalogue.reserved(function.account, function.region)
