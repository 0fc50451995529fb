"""Give moto random numbers from a seed and the time of the cloud's clock.

A call to moto that is repeated with the same seed at the same time creates the same resource, with
the same identifiers, keys and dates.
"""

from __future__ import annotations

import datetime as dt
import os
import random
import threading
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

# moto would allow every web page to read its answers.
os.environ["MOTO_DISABLE_GLOBAL_CORS"] = "true"
# Roles are given AWS's own policies, which every account has.
os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")

import moto.core.utils
import moto.kms.utils
import moto.s3.models
from moto.core.base_backend import AccountSpecificBackend
from moto.moto_api._internal import mock_random
from moto.moto_api._internal.moto_random import MotoRandom

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.core.clock import Clock

_thread = threading.local()


class _SeededRandom(MotoRandom):
    """moto's source of identifiers, with a state for each thread so that seeds do not mix."""

    def _own(self) -> random.Random:
        own: random.Random | None = getattr(_thread, "random", None)
        if own is None:
            own = _thread.random = random.Random()  # noqa: S311  # identifiers; keys of no worth
        return own

    def random(self) -> float:
        return self._own().random()

    def getrandbits(self, k: int, /) -> int:
        return self._own().getrandbits(k)

    def seed(self, a: Any = None, version: int = 2) -> None:
        self._own().seed(a, version)

    def getstate(self) -> tuple[Any, ...]:
        return self._own().getstate()

    def setstate(self, state: tuple[Any, ...]) -> None:
        self._own().setstate(state)


def give_to_moto(clock: Clock) -> None:
    """Replace moto's sources of random numbers and time in this process."""

    class Moments(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:  # type: ignore[override]  # plain ones
            return dt.datetime.fromtimestamp(_thread_moment() or clock.timestamp(), tz)

    scaled = SimpleNamespace(**vars(dt) | {"datetime": Moments})
    for module in (moto.core.utils, moto.s3.models):
        setattr(module, "datetime", scaled)  # noqa: B010  # which moto does not export
    mock_random.__class__ = _SeededRandom
    setattr(AccountSpecificBackend, "__getitem__", _backend)  # noqa: B010  # as below
    # Without this, nothing encrypted before a restart could be decrypted after it.
    seeded = SimpleNamespace(**vars(os) | {"urandom": mock_random.randbytes})
    for module in (moto.kms.utils, moto.s3.models):
        setattr(module, "os", seeded)  # noqa: B010  # as above


_found = AccountSpecificBackend.__getitem__


def _backend(self: Any, region: str) -> Any:
    """Create a backend with a seed of its own: a read or a write may be its first use."""
    if region in self.keys():
        return _found(self, region)
    before = mock_random.getstate()
    mock_random.seed(f"{self.service_name}/{self.account_id}/{region}")
    try:
        return _found(self, region)
    finally:
        mock_random.setstate(before)


@contextmanager
def as_of(seed: int, moment: float) -> Iterator[None]:
    """Use this seed and this cloud time (seconds since the epoch) in the current thread."""
    mock_random.seed(seed)
    _thread.moment = moment
    try:
        yield
    finally:
        _thread.moment = None
        mock_random.seed()


def _thread_moment() -> float | None:
    return getattr(_thread, "moment", None)
