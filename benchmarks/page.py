"""Write the benchmarks' tables into docs/canary.md."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "canary.md"


def write_section(benchmark: str, text: str) -> None:
    """Replace what the page has between the markers of a benchmark (`canary`, `delays`, …)."""
    begin, end = (
        f"<!-- written by python -m benchmarks.{benchmark}: {at} -->" for at in ("begin", "end")
    )
    page = PAGE.read_text(encoding="utf-8")
    section = f"{begin}\n\n{text}\n\n{end}"
    changed = re.sub(f"{begin}.*{end}", lambda _: section, page, flags=re.DOTALL)
    PAGE.write_text(changed, encoding="utf-8")
