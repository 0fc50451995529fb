"""The integration tests against a deployed environment, whose URL is in `URL`."""

from __future__ import annotations

import sys

from pipeline.gates.address import address
from pipeline.gates.gate import Outcome, run
from pipeline.gates.testing.suite import run_tests

FOLDERS = ("tests/integration",)


def judge() -> Outcome:
    """Run `tests/integration`.

    Raises:
        CouldNotRunError: there is no URL; or see `run_tests`.
    """
    return run_tests("integration", FOLDERS, target=f" against {address()}")


if __name__ == "__main__":
    sys.exit(run("integration", judge))
