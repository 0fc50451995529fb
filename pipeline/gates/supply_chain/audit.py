"""pip-audit, strict, over a hashed lock.

pip-audit skips what it cannot look up and calls the rest clean; `--strict` makes that an error.
It also takes an answer that says nothing of vulnerabilities for a clean one. So it is asked of a
package too that is known to have some: a service that knows of none has not audited anything.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from pipeline.gates.report.findings import Finding
from pipeline.gates.report.result import CouldNotRunError

if TYPE_CHECKING:
    from collections.abc import Mapping

TOOL = "pip-audit"
_TIMEOUT_SECONDS = 300
"""For a service that hangs: each of its requests has five seconds of its own."""
_PROBE, _PROBED = "flask", "0.5"
_COMMAND = (sys.executable, "-m", "pip_audit", "--strict", "--require-hashes", "--disable-pip")
_OPTIONS = ("--progress-spinner", "off", "--format", "json", "--aliases", "on", "--timeout", "5")


def audit(lock: Path, report: Path, lines: Mapping[str, int]) -> tuple[int, list[Finding]]:
    """Ask for each package of a lock; how many there were, and what is known against them.

    `lines` says where in the lock a package stands. pip-audit's own report is kept as `report`.

    Raises:
        CouldNotRunError: a package could not be looked up, the service knows nothing, or
            pip-audit did not report.
    """
    packages = [each for each in _asked(lock, report) if not _is_probe(each)]
    if not packages:
        raise CouldNotRunError("pip-audit skipped everything")
    findings = [
        Finding(
            TOOL,
            found["id"],
            f"{each['name']} {each['version']} is vulnerable; fixed in "
            f"{', '.join(found['fix_versions']) or 'no release yet'}",
            path=f"requirements/{lock.name}",
            line=lines.get(canonicalize_name(each["name"]), 0),
            subject=each["name"],
            aliases=tuple(found["aliases"]),
        )
        for each in packages
        for found in each["vulns"]
    ]
    return len(packages), findings


def _asked(lock: Path, report: Path) -> list[dict[str, Any]]:
    report.parent.mkdir(exist_ok=True)
    report.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        probe = Path(folder) / "probe.txt"
        probe.write_text(f"{_PROBE}=={_PROBED} --hash=sha256:{'0' * 64}\n")
        command = [*_COMMAND, *_OPTIONS, "--output", str(report)]
        command += ["--requirement", str(lock), "--requirement", str(probe)]
        # A cache of its own: nobody's earlier answer stands in for today's.
        command += ["--cache-dir", str(Path(folder) / "cache")]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_SECONDS
            )
        except subprocess.TimeoutExpired as error:
            raise CouldNotRunError(f"pip-audit did not end within {_TIMEOUT_SECONDS} s") from error
    try:
        packages: list[dict[str, Any]] = json.loads(report.read_text())["dependencies"]
        skipped = [each["name"] for each in packages if "skip_reason" in each]
        known = [each for each in packages if _is_probe(each) and each["vulns"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines() or ["nothing"]
        why = said[-1].removeprefix("ERROR:pip_audit._cli:")
        raise CouldNotRunError(f"pip-audit left no report: {why}") from error
    if skipped:
        raise CouldNotRunError(f"pip-audit skipped {', '.join(skipped)}")
    if not known:
        raise CouldNotRunError(
            f"the advisory service knows nothing: it calls {_PROBE} {_PROBED} clean, "
            "which has published vulnerabilities"
        )
    return packages


def _is_probe(package: dict[str, Any]) -> bool:
    return (package["name"], package["version"]) == (_PROBE, _PROBED)
