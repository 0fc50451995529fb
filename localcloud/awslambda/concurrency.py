"""Concurrency limits: reserved for a function, or shared in its account.

Source: "Understanding Lambda function scaling" in the Lambda developer guide.
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
    """Counts running invocations and throttles those above the limit."""

    def __init__(self, catalogue: Catalogue, quota: int) -> None:
        """`quota` is the number of concurrent executions of an account in a region."""
        self._catalogue = catalogue
        self._quota = quota
        self._lock = threading.Lock()
        self._running: Counter[tuple[str, ...]] = Counter()

    @contextmanager
    def one(self, function: Function) -> Iterator[int]:
        """Count an invocation during the block; yield the function's concurrency.

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
