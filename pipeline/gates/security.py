"""Scan code, secrets, workflows, dependencies, and comments that would silence a scanner.

`--staged` scans only the staged changes, in a moment, for pre-commit.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from pipeline.gates.gate import ROOT, main
from pipeline.gates.report.result import CouldNotRunError, GateResult
from pipeline.gates.scanners import (
    dependencies,
    repository,
    sast,
    secret_detection,
    silencing,
    workflows,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.gates.scanners.tool import Scan

    Scanner = Callable[[], Scan]


def run() -> GateResult:
    """Scan the whole checkout and its history.

    Raises:
        CouldNotRunError: a scanner could not run; the message contains the others' findings.
    """
    return _together(
        lambda: sast.scan(ROOT),
        lambda: silencing.scan(ROOT),
        lambda: secret_detection.scan(ROOT),
        lambda: workflows.scan(ROOT),
        lambda: dependencies.scan(ROOT),
    )


def run_staged() -> GateResult:
    """Scan the staged changes.

    Raises:
        CouldNotRunError: as `run`.
    """
    staged = _staged()
    scanners: list[Scanner] = [lambda: secret_detection.scan_staged(ROOT)]
    if staged:
        scanners.append(lambda: silencing.scan(ROOT, staged))
    code = [path for path in staged if repository.is_python(ROOT, path)]
    if code:
        scanners.append(lambda: sast.scan(ROOT, code))
    audited = workflows.audited_files(staged)
    if audited:
        scanners.append(lambda: workflows.scan(ROOT, audited))
    scopes = dependencies.scopes_of(staged)
    if scopes:
        scanners.append(lambda: dependencies.scan(ROOT, scopes))
    return _together(*scanners)


def _together(*scanners: Scanner) -> GateResult:
    with ThreadPoolExecutor(len(scanners)) as pool:
        timed = [pool.submit(_timed, scanner) for scanner in scanners]
    failures = [str(each.exception()) for each in timed if each.exception()]
    for each in timed:
        error = each.exception()
        if error and not isinstance(error, CouldNotRunError):
            raise error
    scans = [each.result() for each in timed if not each.exception()]
    findings = [finding for scan, _ in scans for finding in scan.findings]
    result = GateResult.of_findings(
        findings,
        "nothing found: " + ", ".join(f"{scan.tool} in {scan.scanned}" for scan, _ in scans),
        {
            "tools": {
                scan.tool: {"scanned": scan.scanned, "seconds": round(seconds, 3)}
                for scan, seconds in scans
            }
        },
        tuple(scan.tool for scan, _ in scans),
    )
    if failures:
        also = [f"others: {result.sentence}"] if findings else []
        raise CouldNotRunError("; ".join([*failures, *also]))
    return result


def _timed(scanner: Scanner) -> tuple[Scan, float]:
    began = time.monotonic()
    return scanner(), time.monotonic() - began


def _staged() -> Sequence[str]:
    """Return the regular files that the next commit adds or changes."""
    listed = repository.git(
        ROOT, "diff", "-z", "--cached", "--name-only", "--no-renames", "--diff-filter=d"
    )
    return [
        name
        for name in repository.names(listed)
        if (ROOT / name).is_file() and not (ROOT / name).is_symlink()
    ]


if __name__ == "__main__":
    if sys.argv[1:] == ["--staged"]:
        sys.exit(main("security", run_staged, whole=False))
    sys.exit(main("security", run))
