"""What a run of the load generator saw; small however long it ran, and added up across workers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Self

from pipeline.gates.load.histogram import Histogram

BLOCKS = 20
"""A run is cut into so many times of the same length: what lies close together is alike."""

ALL = "all requests"
"""The name of all names together."""
NO_ANSWER = "no answer"
"""The reason of a failure that says nothing but that time was up."""
RATE_LIMITED = "status 429 of API Gateway"
"""The reason of a request that the stage's or the account's rate limit throttled."""
NOT_INVOKED = "status 500 of API Gateway"
"""The reason of a request that never reached the service: Lambda throttled it, or API Gateway may
not invoke the function."""


def _blocks() -> list[Histogram]:
    return [Histogram() for _ in range(BLOCKS)]


@dataclass
class Measured:
    """What became of the requests to one address.

    Latencies are in milliseconds, from when a request was due to its answer.
    """

    seconds: float
    """For which requests were due."""
    latencies: dict[str, list[Histogram]] = field(default_factory=dict)
    """Of warm sandboxes: by the request's name, then by the block in which it was due."""
    cold: list[Histogram] = field(default_factory=_blocks)
    """Of requests that met a cold start, by block: they waited for the sandbox, not the code."""
    failures: Counter[str] = field(default_factory=Counter)
    """By their reason."""
    lateness: Histogram = field(default_factory=Histogram)
    """Of the generator itself, in milliseconds: how late it noticed what was due."""
    busy: float = 0.0
    """The share of a processor's time that the busiest worker took."""
    stalled: float = 0.0
    """Of the time in which the busiest worker was ready to run, the share that it waited for a
    processor; 0 where the system does not say."""
    warm_up: float = 0.0
    """Seconds before that; of the slowest worker."""
    failed: list[int] = field(default_factory=lambda: [0] * BLOCKS)
    """Answers with an error, by the block of the request; one that never came is late instead."""
    timely: list[int] = field(default_factory=lambda: [0] * BLOCKS)
    """Good answers that came while requests were due, by the block of the request."""
    errors: Counter[str] = field(default_factory=Counter)
    """Of the profile's own code."""

    def answered(
        self, name: str, due: float, milliseconds: float, failure: str | None, *, cold: bool = False
    ) -> None:
        """Count a request that was due so many seconds from the beginning."""
        block = min(int(BLOCKS * due / self.seconds), BLOCKS - 1)
        (self.cold if cold else self._blocks(name))[block].add(milliseconds)
        if failure is None:
            self.timely[block] += due + milliseconds / 1000 <= self.seconds
        else:
            self.failures[failure] += 1
            self.failed[block] += failure != NO_ANSWER

    @property
    def warm(self) -> Histogram:
        """The latencies of all requests that met no cold start."""
        return Histogram.sum(self.warm_blocks)

    @property
    def warm_blocks(self) -> list[Histogram]:
        """The same by block."""
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
        """How many requests were counted."""
        return sum(self.requests_by_block)

    @property
    def throughput(self) -> float:
        """Good answers a second while requests were due; the last of them may miss it."""
        return sum(self.timely) / self.seconds

    def with_all(self) -> dict[str, list[Histogram]]:
        """The latencies by name, and those of all names together."""
        return {ALL: self.warm_blocks, **self.latencies}

    def shortened(self, milliseconds: float) -> Self:
        """Return what would have been seen had every answer come so much earlier."""
        copy = type(self).read(self.document())
        copy.latencies = {
            name: [block.shortened(milliseconds) for block in blocks]
            for name, blocks in self.latencies.items()
        }
        return copy

    def add(self, other: Measured) -> None:
        """Count also what another worker saw in the same seconds."""
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
        """As JSON has it; `read` takes it."""
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
        """What `document` gave.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: it is something else.
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
