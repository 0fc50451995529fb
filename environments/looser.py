"""The looser direction of each key of an environment file, for gate `changes`.

A test fails if a key of the schema is missing here. A key in neither is a finding.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

Direction: TypeAlias = (
    Literal["higher", "lower", "grows", "widens", "shrinks", "changed", "never"] | tuple[str, ...]
)
"""The change that makes a value looser than the previous one.

`higher`, `lower`: of a number. `grows`: of a list whose empty value is the strictest. `widens`: of
a list whose absence allows everything. `shrinks`: a list loses an item. `changed`: any other value,
or none. `never`: the key restricts nothing. A tuple has the values of a key from strict to loose.
"""

ENVIRONMENT: dict[str, Direction] = {
    # A move to another account or region leaves the old resources behind.
    "account": "changed",
    "region": "changed",
    "owner": "never",
    "tags": "never",
    "function.memory_mb": "never",
    "function.timeout_seconds": "never",
    "function.log_retention_days": "lower",
    "api.requests_per_second": "never",
    "api.burst": "never",
    "api.allowed_origins": "grows",
    # The shift is compared in the templates (PH703).
    "shift.type": "never",
    "shift.percent": "never",
    "shift.minutes": "never",
    "shift.bake_minutes": "lower",
    "guard.latency_objective_ms": "higher",
    "guard.max_failure_share": "higher",
    "guard.max_slow_share": "higher",
    "guard.min_requests": "higher",
    # A lower rate of false rollbacks needs more evidence, and so stops fewer bad releases.
    "judge.false_rollback_rate": "lower",
    "judge.tolerance": "higher",
    "judge.harmful": "higher",
    "judge.count_tolerance": "higher",
    "judge.undecided": ("rollback", "promote"),
    "judge.incident": ("stop", "continue"),
    # They only plan a canary; the judge does not use them.
    "judge.requests_per_second": "never",
    "judge.failure_share": "never",
    "load.users": "lower",
    "load.workers": "never",
    "load.seconds": "lower",
    "load.warm_up_seconds": "higher",
    "load.requests_per_second": "lower",
    "load.min_throughput": "lower",
    "load.max_failure_share": "higher",
    "load.max_cold_share": "higher",
    "load.max_p50_ms": "higher",
    "load.max_p95_ms": "higher",
    "load.max_p99_ms": "higher",
    # As for the judge: fewer false alarms mean fewer true ones.
    "load.comparison.false_alarm_share": "lower",
    "load.comparison.min_growth": "higher",
    "load.comparison.min_growth_ms": "higher",
    "dynamic.max_examples": "lower",
    "dynamic.seconds": "never",
    "synthetic.every_minutes": "higher",
    "synthetic.seconds": "higher",
    "freeze": "shrinks",
}
