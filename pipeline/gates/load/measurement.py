"""The measurement of one address in a run of the load generator, added up over its workers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Self

from pipeline.gates.load.histogram import Histogram

BLOCKS = 20
"""Number of blocks of equal length in a run; conditions within a block hardly change."""

ALL = "all requests"
"""Name for the requests of all names together."""
NO_ANSWER = "no answer"
"""Failure of a request without an answer at the end of the run."""
RATE_LIMITED = "status 429 of API Gateway"
"""Failure of a request that the rate limit of the stage or the account throttled."""
NOT_INVOKED = "status 500 of API Gateway"
"""Failure of a request that did not reach the service: Lambda throttled it, or API Gateway may not
invoke the function."""


def _blocks() -> list[Histogram]:
    return [Histogram() for _ in range(BLOCKS)]


@dataclass
class Measurement:
    """The counts of the requests to one address.

    Latencies are in milliseconds, from the due time of a request to its answer. The block of a
    request is the one in which it was due.
    """

    seconds: float
    """Time in which requests were due."""
    latencies: dict[str, list[Histogram]] = field(default_factory=dict)
    """Latencies of requests to warm sandboxes, by name and block."""
    cold: list[Histogram] = field(default_factory=_blocks)
    """Latencies of requests with a cold start, by block."""
    failures: Counter[str] = field(default_factory=Counter)
    """Failed requests by reason."""
    lateness: Histogram = field(default_factory=Histogram)
    """Delays of the generator itself, in milliseconds after a due time."""
    busy: float = 0.0
    """Share of a processor's time that the busiest worker used."""
    stalled: float = 0.0
    """Share of its ready time in which the busiest worker waited for a processor; 0 if the system
    does not report it."""
    warm_up: float = 0.0
    """Seconds of the slowest worker's warm-up."""
    failed: list[int] = field(default_factory=lambda: [0] * BLOCKS)
    """Answers with an error, by block; a missing answer counts as late instead."""
    timely: list[int] = field(default_factory=lambda: [0] * BLOCKS)
    """Good answers that arrived while requests were due, by block."""
    errors: Counter[str] = field(default_factory=Counter)
    """Errors of the profile's own code."""

    def answered(
        self, name: str, due: float, milliseconds: float, failure: str | None, *, cold: bool = False
    ) -> None:
        """Count a request that was due `due` seconds after the start of the run."""
        block = min(int(BLOCKS * due / self.seconds), BLOCKS - 1)
        (self.cold if cold else self._blocks(name))[block].add(milliseconds)
        if failure is None:
            self.timely[block] += due + milliseconds / 1000 <= self.seconds
        else:
            self.failures[failure] += 1
            self.failed[block] += failure != NO_ANSWER

    @property
    def warm(self) -> Histogram:
        """Return the latencies of all requests without a cold start."""
        return Histogram.sum(self.warm_blocks)

    @property
    def warm_blocks(self) -> list[Histogram]:
        """Return the latencies of all requests without a cold start, by block."""
        return [
            Histogram.sum(blocks[index] for blocks in self.latencies.values())
            for index in range(BLOCKS)
        ]

    @property
    def cold_total(self) -> int:
        """How many requests met a cold start."""
        return sum(block.total for block in self.cold)

    @property
    def requests_by_block(self) -> list[int]:
        """How many requests were due in each block."""
        pairs = zip(self.warm_blocks, self.cold, strict=True)
        return [warm.total + cold.total for warm, cold in pairs]

    @property
    def requests(self) -> int:
        """Return the number of counted requests."""
        return sum(self.requests_by_block)

    @property
    def throughput(self) -> float:
        """Return the good answers per second that arrived while requests were due."""
        return sum(self.timely) / self.seconds

    def with_all(self) -> dict[str, list[Histogram]]:
        """Return the latencies by name, and those of all names together."""
        return {ALL: self.warm_blocks, **self.latencies}

    def shortened(self, milliseconds: float) -> Self:
        """Return the measurement with every answer earlier by some milliseconds."""
        copy = type(self).read(self.document())
        copy.latencies = {
            name: [block.shortened(milliseconds) for block in blocks]
            for name, blocks in self.latencies.items()
        }
        return copy

    def add(self, other: Measurement) -> None:
        """Add the measurement of another worker in the same run."""
        for name, blocks in other.latencies.items():
            pairs = zip(self._blocks(name), blocks, strict=True)
            self.latencies[name] = [Histogram.sum(pair) for pair in pairs]
        self.failures += other.failures
        self.errors += other.errors
        self.cold = [Histogram.sum(pair) for pair in zip(self.cold, other.cold, strict=True)]
        self.lateness = Histogram.sum((self.lateness, other.lateness))
        self.busy = max(self.busy, other.busy)
        self.stalled = max(self.stalled, other.stalled)
        self.warm_up = max(self.warm_up, other.warm_up)
        self.failed = list(map(int.__add__, self.failed, other.failed))
        self.timely = list(map(int.__add__, self.timely, other.timely))

    def _blocks(self, name: str) -> list[Histogram]:
        if name not in self.latencies:
            self.latencies[name] = _blocks()
        return self.latencies[name]

    def document(self) -> dict[str, Any]:
        """Return the measurement as a JSON document for `read`."""
        return {
            "seconds": self.seconds,
            "latencies": {
                name: [_counts(block) for block in blocks]
                for name, blocks in self.latencies.items()
            },
            "cold": [_counts(block) for block in self.cold],
            "failures": dict(self.failures),
            "lateness": _counts(self.lateness),
            "busy": self.busy,
            "stalled": self.stalled,
            "warm_up": self.warm_up,
            "failed": self.failed,
            "timely": self.timely,
            "errors": dict(self.errors),
        }

    @classmethod
    def read(cls, document: dict[str, Any]) -> Self:
        """Read a document that `document` returned.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: the document is invalid.
        """
        latencies = {
            name: [_histogram(block) for block in blocks]
            for name, blocks in document["latencies"].items()
        }
        cold = [_histogram(block) for block in document["cold"]]
        failed, timely = ([int(each) for each in document[name]] for name in ("failed", "timely"))
        if {len(failed), len(timely), len(cold), *map(len, latencies.values())} != {BLOCKS}:
            raise ValueError(f"a run has {BLOCKS} blocks")
        return cls(
            float(document["seconds"]),
            latencies,
            cold,
            Counter(document["failures"]),
            _histogram(document["lateness"]),
            float(document["busy"]),
            float(document["stalled"]),
            float(document["warm_up"]),
            failed,
            timely,
            Counter(document["errors"]),
        )


def _counts(histogram: Histogram) -> dict[str, int]:
    return {str(bucket): count for bucket, count in sorted(histogram.counts.items())}


def _histogram(counts: dict[str, int]) -> Histogram:
    return Histogram({int(bucket): int(count) for bucket, count in counts.items()})
