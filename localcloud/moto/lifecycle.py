"""Apply S3's lifecycle rules to noncurrent versions, which moto stores but ignores.

"Expiring objects" of the S3 user guide: a noncurrent version expires NoncurrentDays after the next
version was written, rounded up to midnight UTC; a delete marker without versions expires if the
rule asks for it. Versions that the journal's plain entries cannot restore are kept.
"""

from __future__ import annotations

import logging
import math
import threading
from datetime import UTC
from typing import TYPE_CHECKING, Any

from moto.s3.models import FakeDeleteMarker, s3_backends

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from localcloud.core.clock import Clock

logger = logging.getLogger(__name__)
_DAY_SECONDS = 86_400


class Lifecycle:
    """Applies the rules at each midnight of cloud time, and once at start.

    `expire` applies them at a cloud time (`Journal.expire`).
    """

    def __init__(self, clock: Clock, expire: Callable[[float], object]) -> None:
        self._clock = clock
        self._expire = expire
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="s3-lifecycle", daemon=True)

    def start(self) -> None:
        """Start applying the rules."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, after the current run of the rules."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                self._expire(self._clock.timestamp())
            except Exception:  # the next midnight is another chance
                logger.exception("Lifecycle rules are applied again at the next midnight")
            now = self._clock.timestamp()
            midnight = (now // _DAY_SECONDS + 1) * _DAY_SECONDS
            if self._clock.wait(midnight - now, self._stopping):
                return


def expired(now: float, plain: Collection[str]) -> Iterator[tuple[Any, str, list[Any]]]:
    """Each bucket and key with its oldest versions that have expired.

    `plain` are the ids of the versions whose entries of the journal can be left out.
    """
    for backends in list(s3_backends.values()):
        for backend in list(backends.values()):
            for bucket in list(backend.buckets.values()):
                for key in list(bucket.keys) if bucket.rules else ():
                    rules = [each for each in bucket.rules if _applies(each, key)]
                    found = _oldest(bucket.keys.getlist(key), rules, now, plain)
                    if found:
                        yield bucket, key, found


def remove_versions(bucket: Any, key: str, versions: list[Any]) -> None:
    """Delete versions of an object for good."""
    ids = {version.version_id for version in versions}
    left = [each for each in bucket.keys.getlist(key) if each.version_id not in ids]
    bucket.keys.setlist(key, left)
    if not left:
        bucket.keys.pop(key)
    tagger = s3_backends[bucket.account_id]["aws"].tagger
    for version in versions:
        if not isinstance(version, FakeDeleteMarker):
            tagger.delete_all_tags_for_resource(version.arn)
            version.dispose()


def _oldest(versions: list[Any], rules: list[Any], now: float, plain: Collection[str]) -> list[Any]:
    days = [int(rule.nve_noncurrent_days) for rule in rules if rule.nve_noncurrent_days]
    if not days:
        return []
    number = 0
    while number < len(versions) - 1 and versions[number].version_id in plain:
        since = versions[number + 1].last_modified.replace(tzinfo=UTC).timestamp()
        if math.ceil(since / _DAY_SECONDS + min(days)) * _DAY_SECONDS > now:
            break
        number += 1
    left = versions[number:]
    if len(left) == 1 and isinstance(left[0], FakeDeleteMarker):
        removes = any(rule.expired_object_delete_marker == "true" for rule in rules)
        if removes and left[0].version_id in plain:
            return versions
    # A replay can create a marker only after a version.
    while number and isinstance(versions[number], FakeDeleteMarker):
        number -= 1
    return versions[:number]


def _applies(rule: Any, key: str) -> bool:
    if rule.status != "Enabled":
        return False
    where = rule.filter
    if where is not None and (where.tag_key or where.and_filter):
        return False
    prefix = (where.prefix if where is not None else rule.prefix) or ""
    return key.startswith(prefix)
