"""Discrepancies of a service's metrics, and what an honest service is excused."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.judge.discrepancies import Window, find_discrepancies
from pipeline.judge.evaluation import evaluate
from pipeline.judge.port import StageCounts, VersionCounts

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.judge.settings import Settings

    Judge = Callable[..., Settings]

STABLE = VersionCounts(72, 1, 0, 0, 72, 0, 0, 4)
CANARY = VersionCounts(8, 0, 0, 0, 8, 0, 0, 1)
STAGE = StageCounts(80, 80, 5, 1, 80)
BEFORE = range(-10, 0)


def _found(world: Any, *, end: int = 6, tolerance: float = 0.05) -> list[tuple[str, str | None]]:
    """Return the discrepancies in the minutes from noon to `end`."""
    minutes = {world.after(at): both for at, both in world.minutes.items()}
    gateway = {world.after(at): each for at, each in world.answered_by_gateway.items()}
    window, before = (
        Window(minutes, gateway, world.after(begin), world.after(stop))
        for begin, stop in ((0, end), (-10, 0))
    )
    found = find_discrepancies(window, before, "2", "3", tolerance)
    return [(each.what, each.version) for each in found]


@pytest.fixture
def served(world: Any) -> Any:
    """Ten minutes of the stable version alone, then ten of both, honestly reported."""
    world.minutes = {at: {"2": STABLE} for at in BEFORE}
    world.fill(CANARY, STABLE, range(10))
    world.answered_by_gateway = {at: StageCounts(72, 72, 4, 1, 72) for at in BEFORE}
    world.answered_by_gateway |= dict.fromkeys(range(10), STAGE)
    return world


class _Changes(TypedDict, total=False):
    """Fields of `VersionCounts` in which the canary differs from an honest one."""

    requests: int
    failures: int
    invocations: int
    errors: int
    throttles: int
    client_errors: int | None


def _canary(world: Any, **changed: Unpack[_Changes]) -> None:
    world.fill(replace(CANARY, **changed), STABLE, range(10))


def _stage(world: Any, **changed: int) -> None:
    world.answered_by_gateway |= dict.fromkeys(range(10), replace(STAGE, **changed))


def test_an_honest_service_has_no_discrepancies(served: Any) -> None:
    assert not _found(served)


def test_unreported_failures_are_detected_at_the_gateway(served: Any) -> None:
    _stage(served, server_errors=5)
    assert _found(served) == [("5xx responses", None)]


def test_uncounted_403_responses_are_detected_at_the_gateway(served: Any) -> None:
    _canary(served, client_errors=None)
    _stage(served, client_errors=9)
    assert _found(served) == [("4xx responses", None)]


def test_more_reported_failures_than_responses_are_a_discrepancy(served: Any) -> None:
    _canary(served, failures=8)
    assert _found(served) == [("5xx responses", None)]


@pytest.mark.parametrize("reported", [160, 0, 4])
def test_twentyfold_or_too_few_reported_requests_are_a_discrepancy(
    served: Any, reported: int
) -> None:
    _canary(served, requests=reported)
    assert ("requests", "3") in _found(served)


def test_counts_reported_as_the_other_versions_are_a_discrepancy(served: Any) -> None:
    served.fill(replace(CANARY, requests=0), replace(STABLE, requests=80), range(10))
    assert ("requests", "3") in _found(served)


def test_crashes_are_counted_only_by_lambda(served: Any) -> None:
    _canary(served, requests=4, errors=4)
    _stage(served, server_errors=5)
    assert not _found(served)


def test_throttled_attempts_are_excused(served: Any) -> None:
    _canary(served, throttles=20)
    _stage(served, requests=100, integrated=100, server_errors=21)
    assert not _found(served)


def test_the_gateways_own_responses_are_excused(served: Any) -> None:
    _stage(served, requests=480, client_errors=405)
    assert not _found(served)


def test_a_flood_of_429_does_not_excuse_hidden_failures(served: Any) -> None:
    _stage(served, requests=480, client_errors=405, server_errors=5)
    assert ("5xx responses", None) in _found(served)


def test_uploads_rejected_by_lambda_are_excused(served: Any) -> None:
    """The gateway takes 10 MB, Lambda 6: a 413 with an integration latency, and no invocation."""
    _stage(served, requests=87, integrated=87, client_errors=12)
    assert not _found(served)


def test_a_flood_of_413_does_not_excuse_hidden_failures(served: Any) -> None:
    _stage(served, requests=480, integrated=480, client_errors=405, server_errors=5)
    assert ("5xx responses", None) in _found(served)


def test_direct_invocations_do_not_offset_rejected_uploads(served: Any) -> None:
    _stage(served, requests=87, integrated=87, client_errors=12)
    beside = replace(STABLE, requests=272, invocations=272)
    served.minutes[0] = {"2": beside, "3": CANARY}
    assert not _found(served)


def test_dropped_log_lines_do_not_double_the_tolerance(world: Any) -> None:
    """12 of 120 requests fail, 6 lines are dropped, and no failure is reported."""
    stable = replace(STABLE, failures=0, client_errors=0)
    canary = VersionCounts(12, 0, 0, 0, 12, 0, 0, 0)
    world.fill(canary, stable, range(10))
    world.fill(replace(canary, requests=9), stable, range(2))
    world.answered_by_gateway = dict.fromkeys(range(10), StageCounts(84, 84, 0, 0, 84))
    world.answered_by_gateway |= dict.fromkeys(range(4), StageCounts(84, 84, 0, 3, 84))
    assert _found(world, end=10) == [("5xx responses", None)]


def test_late_log_lines_may_all_be_failures(world: Any) -> None:
    stable = replace(STABLE, failures=0, client_errors=0)
    canary = VersionCounts(12, 0, 0, 0, 12, 0, 0, 0)
    world.fill(canary, stable, range(10))
    world.fill(replace(canary, requests=7), replace(stable, requests=66), range(2))
    world.answered_by_gateway = dict.fromkeys(range(10), StageCounts(84, 84, 0, 0, 84))
    world.answered_by_gateway |= dict.fromkeys(range(2), StageCounts(84, 84, 0, 11, 84))
    assert not _found(world, end=10)


def test_direct_invocations_are_excused(served: Any) -> None:
    _canary(served, requests=40, invocations=40, failures=16)
    assert not _found(served)


def test_missing_gateway_metrics_are_no_discrepancy(served: Any) -> None:
    """Even if the service reports failures correctly."""
    _canary(served, failures=8)
    served.answered_by_gateway = {}
    assert not _found(served)


def test_counts_less_than_five_minutes_late_are_no_discrepancy(served: Any, judge: Judge) -> None:
    honest = dict(served.minutes)
    for seconds in range(30, 13 * 60, 20):
        served.now = served.after(seconds / 60)
        # A minute's line of metrics arrives 299 seconds after the minute's end.
        served.minutes = {
            at: both
            if seconds >= 60 * (at + 1) + 299
            else {
                version: VersionCounts(0, 0, 0, 0, each.invocations, 0)
                for version, each in both.items()
            }
            for at, both in honest.items()
        }
        evaluate(served, judge())
    assert set(served.published_values("Testimony")) == {0}
    assert set(served.published_values("Heartbeat")) == {1}


def test_a_stable_version_that_counts_no_4xx_does_not_block_the_one_that_does(served: Any) -> None:
    old = replace(STABLE, client_errors=None)
    served.minutes = {at: {"2": old} for at in BEFORE}
    served.fill(CANARY, old, range(10))
    assert not _found(served)
    # Uploads rejected by Lambda before the shift do not change that.
    served.answered_by_gateway |= dict.fromkeys(BEFORE, StageCounts(112, 92, 44, 1, 72))
    assert not _found(served)
    # Yet they excuse no canary with many more of them.
    _canary(served, client_errors=None)
    served.fill(replace(CANARY, client_errors=None), old, range(10))
    _stage(served, client_errors=12)
    assert _found(served) == [("4xx responses", None)]


def test_another_versions_earlier_share_is_no_excuse(served: Any) -> None:
    """A dishonest version that was rolled back is not the stable version's share."""
    served.answered_by_gateway |= dict.fromkeys(BEFORE, StageCounts(80, 80, 4, 9, 80))
    _stage(served, server_errors=5)
    assert _found(served) == [("5xx responses", None)]


@given(lag=st.lists(st.integers(0, 8), min_size=12, max_size=12))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_requests_counted_in_a_neighbouring_minute_are_no_discrepancy(
    worlds: Callable[[], Any], lag: list[int]
) -> None:
    """The service counts up to all requests of a minute in the next one."""
    world = worlds()
    for at in range(10):
        counted = 8 - lag[at + 1] + lag[at]
        canary = replace(CANARY, requests=counted, client_errors=0, failures=counted)
        world.minutes[at] = {"2": replace(STABLE, failures=0, client_errors=0), "3": canary}
        world.answered_by_gateway[at] = StageCounts(80, 80, 0, 8, 80)
    for end in range(1, 10):
        assert not _found(world, end=end)


_FEW = st.integers(0, 3)
_MANY = st.one_of(st.just(0), st.integers(0, 500))


@dataclass(frozen=True)
class Traffic:
    """A minute of requests of customers and other clients, by result."""

    failures: int = 0
    """Of each version, as `refused`, `crashes` and `timeouts`."""
    refused: int = 0
    crashes: int = 0
    timeouts: int = 0
    oversized: int = 0
    """Taken by the gateway, refused by Lambda."""
    throttled: int = 0
    retries: int = 0
    rejected: int = 0
    """Answered 4xx by the gateway: malformed, unauthorised, limited, half sent."""
    unavailable: int = 0
    """Answered 5xx by the gateway."""
    aborted: int = 0
    """Answered by a version to a client that has gone."""

    def seen(self, requests: int) -> VersionCounts:
        """Return the counts of an honest version and of Lambda."""
        counted = requests + self.failures + self.refused + self.aborted
        errors = self.crashes + self.timeouts
        return VersionCounts(
            counted, self.failures, 0, 0, counted + errors, errors,
            self.throttled + self.retries, self.refused,
        )  # fmt: skip

    def stage(self, *versions: VersionCounts) -> StageCounts:
        """Return the platform's counts of the stage."""
        invocations = sum(each.invocations for each in versions)
        integrated = invocations + self.oversized + self.throttled * len(versions)
        return StageCounts(
            integrated + self.rejected + self.unavailable,
            integrated,
            sum(each.client_errors or 0 for each in versions) + self.oversized + self.rejected,
            sum(each.failures + each.errors for each in versions)
            + self.throttled * len(versions) + self.unavailable,
            invocations,
        )  # fmt: skip


def _traffic(retries: st.SearchStrategy[int] = _FEW) -> st.SearchStrategy[Traffic]:
    return st.builds(
        Traffic, _FEW, _MANY, _FEW, _MANY, _MANY, _MANY, retries, _MANY, _MANY, _MANY
    )  # fmt: skip


def _serve(world: Any, traffic: dict[int, Traffic]) -> None:
    for at, each in traffic.items():
        versions = {"2": each.seen(72)} | ({"3": each.seen(8)} if at >= 0 else {})
        world.minutes[at] = versions
        world.answered_by_gateway[at] = each.stage(*versions.values())


@given(traffic=st.lists(_traffic(), min_size=20, max_size=20))
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_other_clients_traffic_never_contradicts_an_honest_service(
    worlds: Callable[[], Any], traffic: list[Traffic]
) -> None:
    world = worlds()
    _serve(world, dict(enumerate(traffic, -10)))
    for end in range(1, 10):
        assert not _found(world, end=end)


@given(
    traffic=st.lists(_traffic(retries=st.just(0)), min_size=6, max_size=6),
    what=st.sampled_from(["failures", "client_errors"]),
    more=st.integers(1, 50),
)
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_other_clients_traffic_never_hides_a_dishonest_service(
    worlds: Callable[[], Any], traffic: list[Traffic], what: str, more: int
) -> None:
    """One response above the tolerance is hidden among other clients' requests."""
    world = worlds()
    quiet = dict.fromkeys([*BEFORE, 6, 7], Traffic())
    _serve(world, quiet | dict(enumerate(traffic)))
    lies = world.minutes[3]["3"]
    invocations = sum(world.minutes[at]["3"].invocations for at in range(6))
    # More requests are hidden than the tolerance of all, those among them.
    hidden = math.floor((0.05 * invocations + 5) / 0.95) + 1 + more
    world.minutes[3]["3"] = replace(
        lies, requests=lies.requests + hidden, invocations=lies.invocations + hidden
    )
    stage = world.answered_by_gateway[3]
    counted = {"failures": "server_errors", "client_errors": "client_errors"}[what]
    world.answered_by_gateway[3] = replace(
        stage,
        requests=stage.requests + hidden,
        integrated=stage.integrated + hidden,
        invocations=stage.invocations + hidden,
        **{counted: getattr(stage, counted) + hidden},
    )
    said = {"failures": "5xx responses", "client_errors": "4xx responses"}[what]
    assert (said, None) in _found(world)


def test_a_dishonest_service_is_stopped_with_its_own_reason(served: Any, judge: Judge) -> None:
    _stage(served, server_errors=9)
    served.now = served.after(6)
    seen = evaluate(served, judge())
    assert seen.stops
    assert seen.record is not None
    assert (seen.record.verdict, seen.record.outcome) == ("inconsistent", "in progress")
    assert "the versions report" in seen.record.sentence
    assert "API Gateway counts 27 (allowed difference: 7)" in seen.record.sentence
    assert served.published_values("Testimony") == [1]
    assert served.published_values("Evidence")[-1] < 2
    # It stays so for any later counts.
    _stage(served)
    served.end("stopped", 6.5)
    served.now = served.after(9)
    seen = evaluate(served, judge())
    assert seen.record is not None
    assert seen.record.outcome == "stopped as inconsistent"


def test_a_service_that_counts_more_failures_than_requests_is_judged_all_the_same(
    served: Any, judge: Judge
) -> None:
    _canary(served, failures=99)
    served.now = served.after(6)
    assert evaluate(served, judge()).stops
