"""Run the unit tests of the service and of the environments.

`--promoted` compares the number of tests with the release promoted last, which needs AWS.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

from pipeline.gates.gate import main
from pipeline.gates.testing import promoted
from pipeline.gates.testing.suite import Comparison, run_tests
from pipeline.service import UNIT_TESTS

if TYPE_CHECKING:
    from pipeline.gates.report.result import GateResult

FOLDERS = (UNIT_TESTS, "tests/environments")


def run(compare: Comparison | None = None) -> GateResult:
    """Run `tests/service/app` and `tests/environments`.

    Raises:
        CouldNotRunError: see `run_tests`.
    """
    return run_tests("unit", FOLDERS, compare)


if __name__ == "__main__":
    if sys.argv[1:] == ["--promoted"]:
        sys.exit(main("unit", partial(run, promoted.comparison("unit"))))
    sys.exit(main("unit", run))
