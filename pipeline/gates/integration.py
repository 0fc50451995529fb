"""The integration tests against a deployed environment, whose URL is in `URL`."""

from __future__ import annotations

import sys
from dataclasses import replace

from pipeline.gates.address import address
from pipeline.gates.gate import Outcome, run
from pipeline.gates.testing import run_tests


def judge() -> Outcome:
    """Run `tests/integration`.

    Raises:
        CouldNotRunError: there is no URL; or see `run_tests`.
    """
    url = address()
    outcome = run_tests("integration", "tests/integration")
    return replace(outcome, sentence=f"{outcome.sentence} against {url}")


if __name__ == "__main__":
    sys.exit(run("integration", judge))
