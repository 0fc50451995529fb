"""Gates' reports from a build to `pithead release`, with the platform's own code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from console.release.gates import reports_of_builds
from pipeline.gates.report.gate_report import EXPORT, VARIABLE, GateReport

if TYPE_CHECKING:
    from console.aws.account import Place
    from tests.localcloud.codebuild.builds import Builds

REFUSED = GateReport("load", "refused", 'p50 is 61 ms: "it\'s" $(slow) é\\', "fix it", ("p50",))
PASSED = GateReport("synthetic", "passed", "3 journeys")
_LEAVES = 'mkdir -p reports && cp "made/{0}.exported" reports/'


class OneAccount:
    """`console.aws.account.Aws` of the account that builds."""

    def __init__(self, builds: Builds) -> None:
        self._builds = builds

    def client(self, service: str, place: Place | None = None, *, role: str | None = None) -> Any:
        assert (place, role) == (None, None)
        return self._builds.client(service)


def _reports(builds: Builds, *commands: str, minutes: float | None = None) -> Any:
    """Return the status and the reports of a build whose gates end as they do on AWS."""
    made = {f"made/{each.gate}.exported": each.exported() for each in (REFUSED, PASSED)}
    spec = {
        "version": "0.2",
        "env": {"exported-variables": [VARIABLE]},
        "phases": {
            "build": {"commands": list(commands)},
            "post_build": {"commands": [EXPORT]},
        },
    }
    build = builds.run(
        minutes,
        buildspec=json.dumps(spec),
        inputs={"Source": builds.put("source.zip", made)},
        primary="Source",
    )
    return build.status, reports_of_builds(OneAccount(builds), [build.id])


@pytest.mark.parametrize(
    ("second", "status", "found"),
    [
        (f"{_LEAVES.format('synthetic')}; true", "FAILED", (REFUSED, PASSED)),
        ("kill -9 $$", "FAILED", (REFUSED,)),
    ],
    ids=["both ended", "one was killed"],
)
def test_a_failed_build_reports_each_of_its_gates_that_ended(
    builds: Builds, second: str, status: str, found: tuple[GateReport, ...]
) -> None:
    first = f"{_LEAVES.format('load')}; exit 1"
    line = (
        f"gates=; sh -c '{first}' & gates=\"$gates $!\"; sh -c '{second}' & gates=\"$gates $!\"; "
        'failed=0; for gate in $gates; do wait "$gate" || failed=1; done; [ "$failed" -eq 0 ]'
    )
    assert _reports(builds, line) == (status, found)


def test_a_build_that_passed_reports_its_gates(builds: Builds) -> None:
    assert _reports(builds, _LEAVES.format("synthetic")) == ("SUCCEEDED", (PASSED,))


def test_a_build_that_ran_out_of_time_reports_nothing(builds: Builds) -> None:
    ended = _reports(builds, _LEAVES.format("load"), "sleep 60", minutes=0.05)
    assert ended == ("TIMED_OUT", ())
