"""Audit a hashed lock with pip-audit in strict mode.

pip-audit skips packages that it cannot look up; `--strict` makes that an error. It also accepts an
answer without any vulnerabilities as clean. So the audit includes a package that is known to have
vulnerabilities, to check that the advisory service knows any.
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
"""Ends an audit with a service that hangs; each single request has five seconds."""
_PROBE_NAME, _PROBE_VERSION = "flask", "0.5"
_COMMAND = (sys.executable, "-m", "pip_audit", "--strict", "--require-hashes", "--disable-pip")
_OPTIONS = ("--progress-spinner", "off", "--format", "json", "--aliases", "on", "--timeout", "5")


def audit(lock: Path, report: Path, lines: Mapping[str, int]) -> tuple[int, list[Finding]]:
    """Return the number of packages in a lock, and a finding for each known vulnerability.

    `lines` maps packages to their lines in the lock. `report` gets pip-audit's own report.

    Raises:
        CouldNotRunError: a package could not be looked up, the service knows no vulnerabilities, or
            pip-audit wrote no report.
    """
    packages = [each for each in _audited(lock, report) if not _is_probe(each)]
    if not packages:
        raise CouldNotRunError("pip-audit skipped every package")
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


def _audited(lock: Path, report: Path) -> list[dict[str, Any]]:
    report.parent.mkdir(exist_ok=True)
    report.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        probe = Path(folder) / "probe.txt"
        probe.write_text(f"{_PROBE_NAME}=={_PROBE_VERSION} --hash=sha256:{'0' * 64}\n")
        command = [*_COMMAND, *_OPTIONS, "--output", str(report)]
        command += ["--requirement", str(lock), "--requirement", str(probe)]
        # An empty cache, so that no earlier answer is used.
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
        output = (done.stderr.strip() or done.stdout.strip()).splitlines() or ["no output"]
        reason = output[-1].removeprefix("ERROR:pip_audit._cli:")
        raise CouldNotRunError(f"pip-audit wrote no report: {reason}") from error
    if skipped:
        raise CouldNotRunError(f"pip-audit skipped {', '.join(skipped)}")
    if not known:
        raise CouldNotRunError(
            f"the advisory service returns no vulnerabilities for {_PROBE_NAME} {_PROBE_VERSION}, "
            "which has published ones; configure a service that knows them"
        )
    return packages


def _is_probe(package: dict[str, Any]) -> bool:
    return (package["name"], package["version"]) == (_PROBE_NAME, _PROBE_VERSION)
