"""Run the integration tests against a deployed environment, whose address is in variable `URL`.

`--promoted` compares the number of tests with the release promoted last, which needs AWS.
"""

from __future__ import annotations

import re
import sys
from functools import partial
from typing import TYPE_CHECKING

from environments.schema import load
from pipeline.gates.address import address
from pipeline.gates.gate import main
from pipeline.gates.lambda_throttles import EnvironmentWatch
from pipeline.gates.testing import promoted
from pipeline.gates.testing.suite import Comparison, run_tests
from pipeline.gates.throttling import require_unthrottled_if_known
from pipeline.service import INTEGRATION_TESTS

if TYPE_CHECKING:
    from pipeline.gates.report.result import GateResult

FOLDERS = (INTEGRATION_TESTS,)
_ENVIRONMENT = "dev"
_SERVER_ERROR = re.compile(r"\b500\b|server error")
"""Matches the message of a test that got API Gateway's own answer: its status, or the end of its
body, which pytest shortens. Lambda's metrics must confirm it."""


def run(compare: Comparison | None = None) -> GateResult:
    """Run `tests/service/integration`.

    Raises:
        CouldNotRunError: there is no URL, or Lambda throttled requests; see also `run_tests`.
    """
    target = f" against {address()}"
    dev = load(_ENVIRONMENT)
    watch = EnvironmentWatch(_ENVIRONMENT, dev)
    result = run_tests("integration", FOLDERS, compare, target=target)
    if any(map(_SERVER_ERROR.search, result.details["broken"].values())):
        require_unthrottled_if_known(
            result.sentence, name=_ENVIRONMENT, environment=dev, watch=watch
        )
    return result


if __name__ == "__main__":
    if sys.argv[1:] == ["--promoted"]:
        sys.exit(main("integration", partial(run, promoted.comparison("integration"))))
    sys.exit(main("integration", run))
