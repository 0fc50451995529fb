from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from pipeline.gates.load.plan import Plan

if TYPE_CHECKING:
    from environments.gates import Load

PLANS = st.builds(
    Plan,
    requests_per_second=st.integers(1, 60),
    seconds=st.integers(1, 8),
    users=st.integers(1, 50),
    workers=st.integers(1, 5),
    warm_up_seconds=st.integers(0, 10),
    warm_up_users=st.integers(1, 50),
    answer_timeout=st.floats(0.1, 10),
)


@given(PLANS)
def test_the_workers_together_send_the_rate_in_every_second(plan: Plan) -> None:
    each = [list(plan.arrivals(worker)) for worker in range(plan.workers)]
    everything = sorted(due for dues in each for due in dues)
    assert len(everything) == plan.requests
    for second in range(plan.seconds):
        within = [due for due in everything if second <= due < second + 1]
        assert len(within) == plan.requests_per_second
    for dues in each:
        assert all(earlier <= later for earlier, later in pairwise(dues))
        assert plan.requests // plan.workers <= len(dues) <= plan.requests // plan.workers + 1


@given(PLANS, st.integers(2, 3))
def test_addresses_alternate(plan: Plan, addresses: int) -> None:
    """For any number of workers; no worker serves only one address."""
    dues = {
        due: address
        for address in range(addresses)
        for worker in range(plan.workers)
        for due in plan.arrivals(worker, address, addresses)
    }
    assert len(dues) == plan.requests * addresses
    for second in range(plan.seconds):
        assert sum(second <= due < second + 1 for due in dues) == (
            plan.requests_per_second * addresses
        )
    if plan.workers == 1:
        assert [dues[due] for due in sorted(dues)] == [
            index % addresses for index in range(len(dues))
        ]
    for address in range(addresses):
        sent = sum(each == address for each in dues.values())
        assert abs(sent - plan.requests) < plan.workers * addresses


@given(PLANS)
def test_the_arrivals_are_the_same_in_every_process(plan: Plan) -> None:
    again = Plan.read(plan.text())
    assert again == plan
    assert [list(again.arrivals(n)) for n in range(plan.workers)] == [
        list(plan.arrivals(n)) for n in range(plan.workers)
    ]


def test_arrivals_come_in_bursts_as_customers_do() -> None:
    """The gaps of a Poisson process have a standard deviation equal to their mean."""
    dues = list(Plan(1000, 10, 1, 1, 0, 1, 1.0).arrivals(0))
    gaps = [later - earlier for earlier, later in pairwise(dues)]
    mean = sum(gaps) / len(gaps)
    deviation = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert 0.9 < deviation / mean < 1.1


def test_the_timeout_allows_for_a_full_cold_start(limits: Load) -> None:
    assert Plan.of(limits).answer_timeout == 10  # Lambda's limit for a sandbox to initialise
    slow = limits.model_copy(update={"max_p99_ms": 20_000})
    assert Plan.of(slow).answer_timeout == 40
