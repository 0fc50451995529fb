"""Counts of one version in one period."""

from __future__ import annotations


class Counts:
    """The requests that one version answered in a period, and the bad ones among them.

    Raises:
        ValueError: a count is no integer or below 0, or there are more failures than requests.
    """

    __slots__ = ("failures", "requests")

    failures: int
    requests: int

    def __init__(self, requests: int, failures: int) -> None:
        for name, found in (("requests", requests), ("failures", failures)):
            # A bool is an int in Python, and a float could become NaN.
            if type(found) is not int or found < 0:
                raise ValueError(f"{name}: {found!r} found; allowed is a whole number from 0 on")
        if failures > requests:
            raise ValueError(
                f"failures: {failures} found; allowed are at most as many as requests, {requests}"
            )
        self.requests = requests
        self.failures = failures

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Counts):
            return NotImplemented
        return (self.requests, self.failures) == (other.requests, other.failures)

    def __hash__(self) -> int:
        return hash((self.requests, self.failures))

    def __repr__(self) -> str:
        return f"Counts(requests={self.requests}, failures={self.failures})"
