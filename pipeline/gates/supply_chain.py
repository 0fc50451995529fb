"""pip-audit, strict, over the hashed lock of what is deployed.

pip-audit skips what it cannot look up and calls the rest clean; `--strict` makes that an error,
and an audit that did not happen refuses. For an outage of the advisory service an operator may
set the SSM parameter `/pithead/gates/supply-chain/override` in the pipeline's account to
`{"until": "2026-11-25T00:00:00Z", "reason": "…", "by": "…"}`. It lets an audit that *could not
run* go by until then, reported as not run; a vulnerability that was found is never let by.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from pipeline.gates import aws
from pipeline.gates.gate import REPORTS, ROOT, CouldNotRunError, Outcome, run
from pipeline.names import OVERRIDE_PARAMETER

if TYPE_CHECKING:
    from datetime import datetime

LOCK = ROOT / "requirements" / "service.txt"
_SECONDS = 120


class Override(BaseModel):
    """Who lets an audit that could not run go by, why, and until when."""

    until: AwareDatetime
    reason: Annotated[str, Field(min_length=3)]
    by: Annotated[str, Field(min_length=1)]


@dataclass(frozen=True)
class Found:
    """A parameter's value at the AWS service's own time."""

    value: str
    now: datetime


def audit() -> Outcome:
    """Audit the lock.

    Raises:
        CouldNotRunError: a package could not be looked up, or pip-audit did not report.
    """
    REPORTS.mkdir(exist_ok=True)
    report = REPORTS / "pip-audit.json"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pip_audit", "--strict", "--require-hashes", "--disable-pip"]
    command += ["--requirement", str(LOCK), "--progress-spinner", "off"]
    command += ["--format", "json", "--output", str(report), "--timeout", "5"]
    try:
        # A cache of its own: nobody's earlier answer stands in for today's.
        with tempfile.TemporaryDirectory() as cache:
            done = subprocess.run(
                [*command, "--cache-dir", cache],
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=False,
                timeout=_SECONDS,
            )
    except subprocess.TimeoutExpired as error:
        raise CouldNotRunError(f"pip-audit did not end within {_SECONDS} s") from error
    try:
        packages = json.loads(report.read_text())["dependencies"]
    except (FileNotFoundError, json.JSONDecodeError, KeyError) as error:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines() or ["nothing"]
        why = said[-1].removeprefix("ERROR:pip_audit._cli:")
        raise CouldNotRunError(f"pip-audit left no report: {why}") from error
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    if skipped or not packages:
        raise CouldNotRunError(f"pip-audit skipped {', '.join(skipped) or 'everything'}")
    vulnerable = [package for package in packages if package["vulns"]]
    if vulnerable:
        first = vulnerable[0]
        fixed = ", ".join(first["vulns"][0]["fix_versions"]) or "no release yet"
        return Outcome(
            "refused",
            f"{len(vulnerable)} of {len(packages)} packages are vulnerable, the first "
            f"{first['name']} {first['version']} by {first['vulns'][0]['id']}; fixed in {fixed}",
            {"vulnerable": [package["name"] for package in vulnerable]},
        )
    return Outcome("passed", f"no advisory names any of {len(packages)} packages")


def override() -> Found | None:
    """The override's parameter, or None when nobody has set one.

    Raises:
        CouldNotRunError: it cannot be told.
    """
    try:
        answer = aws.client("ssm").get_parameter(Name=OVERRIDE_PARAMETER)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ParameterNotFound":
            return None
        raise CouldNotRunError(f"the override could not be read: {error}") from error
    except BotoCoreError as error:
        raise CouldNotRunError(f"the override could not be read: {error}") from error
    return Found(answer["Parameter"]["Value"], aws.answered_at(answer))


def judge() -> Outcome:
    """Audit; where that cannot be done, ask for the override.

    Raises:
        CouldNotRunError: no valid override lets it go by.
    """
    try:
        return audit()
    except CouldNotRunError as failure:
        try:
            found = override()
        except CouldNotRunError as unread:
            raise CouldNotRunError(f"{failure}; {unread}") from failure
        if found is None:
            raise
        return _let_by(failure, found)


def _let_by(failure: CouldNotRunError, found: Found) -> Outcome:
    try:
        granted = Override.model_validate_json(found.value)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "value"
        raise CouldNotRunError(
            f"{failure}; and the override in {OVERRIDE_PARAMETER} is malformed: "
            f"{key}: {first['msg']}"
        ) from error
    if granted.until <= found.now:
        raise CouldNotRunError(
            f"{failure}; and the override in {OVERRIDE_PARAMETER} expired at "
            f"{granted.until.isoformat()}"
        ) from failure
    return Outcome(
        "not run",
        f"{failure}; let by until {granted.until.isoformat()} by {granted.by}: {granted.reason}",
        {"override": granted.model_dump(mode="json")},
    )


if __name__ == "__main__":
    sys.exit(run("supply_chain", judge))
