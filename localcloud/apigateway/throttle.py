"""API Gateway's throttling: a token bucket for each method of a stage."""

from __future__ import annotations

import threading


class TokenBucket:
    """A bucket of `burst` tokens that gains `rate` tokens per second of cloud time.

    A negative `rate` means no limit, as in a stage's method settings.
    """

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self.rate = rate
        self.burst = burst
        self._tokens = burst
        self._at = now
        self._lock = threading.Lock()

    def take(self, now: float) -> bool:
        """Take a token; return False if the bucket is empty."""
        if self.rate < 0:
            return True
        with self._lock:
            self._tokens = min(self.burst, self._tokens + max(0.0, now - self._at) * self.rate)
            self._at = max(self._at, now)
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True
