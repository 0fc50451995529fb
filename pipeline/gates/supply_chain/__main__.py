"""`python -m pipeline.gates.supply_chain`."""

from __future__ import annotations

import sys

from pipeline.gates.gate import main
from pipeline.gates.supply_chain.program import run

if __name__ == "__main__":
    sys.exit(main("supply_chain", run))
