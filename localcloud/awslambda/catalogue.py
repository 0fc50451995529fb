"""The store of functions, in the ledger."""

from __future__ import annotations

import copy
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from localcloud.awslambda.model import Function, missing
from localcloud.core.service_api import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.awslambda.model import Address
    from localcloud.core.ledger import Ledger

_KIND = "functions:function"
_Key = tuple[str, str, str]


class Catalogue:
    """All functions. A returned `Function` is never changed; a change replaces it."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lock = threading.RLock()
        self._functions: dict[_Key, Function] = {}
        for _, document in ledger.all(_KIND):
            function = Function.of(document)
            self._functions[function.account, function.region, function.name] = function

    def get(self, where: Address) -> Function:
        """Return the function of an address; ignore the qualifier.

        Raises:
            ApiError: ResourceNotFoundException.
        """
        function = self._functions.get(where[:3])
        if function is None:
            raise missing(where)
        return function

    def all(self, account: str, region: str) -> list[Function]:
        """Return the functions of an account and region, sorted by name."""
        with self._lock:
            return [
                function
                for key, function in sorted(self._functions.items())
                if key[:2] == (account, region)
            ]

    def reserved(self, account: str, region: str) -> int:
        """Return the sum of reserved concurrency of an account and region."""
        return sum(each.reserved or 0 for each in self.all(account, region))

    def code_size(self, account: str, region: str) -> int:
        """Return the bytes of code of all functions and versions of an account and region.

        Each version counts, even if another one has the same code ("Lambda quotas").
        """
        return sum(
            version.configuration.code_size
            for function in self.all(account, region)
            for version in (function.latest, *function.versions.values())
        )

    def add(self, function: Function) -> None:
        """Add a new function.

        Raises:
            ApiError: ResourceConflictException.
        """
        with self._lock:
            if function.at()[:3] in self._functions:
                raise ApiError(
                    "ResourceConflictException", f"Function already exist: {function.name}"
                )
            self._store(function)

    @contextmanager
    def changing(self, where: Address) -> Iterator[Function]:
        """Yield a copy to change; it replaces the function unless the block raises."""
        with self._lock:
            function = copy.deepcopy(self.get(where))
            yield function
            self._store(function)

    def remove(self, where: Address) -> Function:
        """Delete a function with all its versions, and return it."""
        with self._lock:
            function = self.get(where)
            self._ledger.delete(_KIND, "/".join(where[:3]))
            del self._functions[where[:3]]
            return function

    def _store(self, function: Function) -> None:
        where = function.at()[:3]
        self._ledger.put(_KIND, "/".join(where), function.document())
        self._functions[where] = function
