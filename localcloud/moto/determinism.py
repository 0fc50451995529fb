"""What moto takes from the world, given to it: chance by a seed, the time by the cloud's clock.

Done again under the same seed and at the same moment, a call to moto makes the same resource,
with the same identifiers, keys and dates.
"""

from __future__ import annotations

import datetime as dt
import os
import random
import threading
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

# moto would let every web page read its answers.
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
    """Have moto ask here for chance and time from now on, in this whole process."""

    class Moments(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:  # type: ignore[override]  # plain ones
            return dt.datetime.fromtimestamp(_thread_moment() or clock.timestamp(), tz)

    scaled = SimpleNamespace(**vars(dt) | {"datetime": Moments})
    for module in (moto.core.utils, moto.s3.models):
        setattr(module, "datetime", scaled)  # noqa: B010  # which moto does not export
    mock_random.__class__ = _SeededRandom
    setattr(AccountSpecificBackend, "__getitem__", _backend)  # noqa: B010  # as below
    # Without this, what was encrypted by a key before a restart could not be read behind it.
    seeded = SimpleNamespace(**vars(os) | {"urandom": mock_random.randbytes})
    for module in (moto.kms.utils, moto.s3.models):
        setattr(module, "os", seeded)  # noqa: B010  # as above


_found = AccountSpecificBackend.__getitem__


def _backend(self: Any, region: str) -> Any:
    """A backend is made when first looked at, by a read or a write: by a seed of its own."""
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
    """In this thread: chance by this seed, at this cloud time (seconds since the epoch)."""
    mock_random.seed(seed)
    _thread.moment = moment
    try:
        yield
    finally:
        _thread.moment = None
        mock_random.seed()


def _thread_moment() -> float | None:
    return getattr(_thread, "moment", None)
