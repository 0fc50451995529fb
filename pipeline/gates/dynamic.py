"""Test dev against its own OpenAPI document with schemathesis."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from environments.schema import load
from pipeline.gates import gate
from pipeline.gates.address import address
from pipeline.gates.gate import ROOT, main
from pipeline.gates.lambda_throttles import EnvironmentWatch
from pipeline.gates.report.findings import Finding
from pipeline.gates.report.result import CouldNotRunError, GateResult
from pipeline.gates.throttling import require_unthrottled_if_known
from pipeline.service import DYNAMIC_HOOKS, DYNAMIC_SETTINGS

if TYPE_CHECKING:
    from environments.gates import Dynamic

_DEFAULT_SETTINGS = ROOT / "pipeline" / "gates" / "schemathesis.toml"
"""The configuration of the tool if the service has none of its own."""
_TOOL = "schemathesis"
_SERVER_ERROR_RULE = "ST101"
"""Schemathesis's code for an answer with a status of 500 or more."""
_ENVIRONMENT = "dev"
_DETAILS = "reports/dynamic.xml has each request and its answer"
_MAX_OUTPUT_CHARACTERS = 300


def run() -> GateResult:
    """Test dev.

    Raises:
        CouldNotRunError: there is no URL, a part of the API was not tested, or Lambda throttled
            requests.
    """
    url = address()
    dev = load(_ENVIRONMENT)
    if dev.dynamic is None:
        raise CouldNotRunError(
            "environments/dev.toml: dynamic: nothing found; the table is required. Add it with the "
            "limits"
        )
    watch = EnvironmentWatch(_ENVIRONMENT, dev)
    result = examine(url, dev.dynamic, dev.api.requests_per_second)
    if any(each.rule == _SERVER_ERROR_RULE for each in result.findings):
        require_unthrottled_if_known(
            result.sentence, name=_ENVIRONMENT, environment=dev, watch=watch
        )
    return result


def examine(url: str, limits: Dynamic, requests_per_second: int) -> GateResult:
    """Send requests that the document allows and forbids, and check the answers against it.

    Raises:
        CouldNotRunError: a part of the API was not tested.
    """
    report = gate.REPORTS / "dynamic-schemathesis.json"
    junit = gate.REPORTS / "dynamic.xml"
    for each in (report, junit):
        each.unlink(missing_ok=True)
    base = url.rstrip("/")
    command = [sys.executable, "-m", "schemathesis.cli", "--no-color"]
    settings, hooks = ROOT / DYNAMIC_SETTINGS, ROOT / DYNAMIC_HOOKS
    command += ["--config-file", str(settings if settings.exists() else _DEFAULT_SETTINGS)]
    command += ["run", f"{base}/openapi.json", "--url", base, "--continue-on-failure"]
    command += ["--max-examples", str(limits.max_examples), "--workers", "1"]
    command += ["--rate-limit", f"{requests_per_second}/s", "--request-timeout", "10"]
    command += ["--report", "json,junit"]
    command += ["--report-json-path", str(report), "--report-junit-path", str(junit)]
    variables = os.environ | {"URL": base}
    if hooks.exists():
        variables |= {"SCHEMATHESIS_HOOKS": str(hooks)}
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=limits.seconds,
        )
    except subprocess.TimeoutExpired as error:
        raise CouldNotRunError(
            f"{_TOOL} did not end within {limits.seconds} seconds; lower max_examples or raise "
            "seconds in [dynamic] of environments/dev.toml"
        ) from error
    try:
        found = json.loads(report.read_text(encoding="utf-8"))
        if not junit.exists():
            raise CouldNotRunError(f"{_TOOL} wrote no JUnit report")
        return _result(found, done.returncode)
    except FileNotFoundError as error:
        output = (done.stderr or done.stdout).strip()[-_MAX_OUTPUT_CHARACTERS:]
        raise CouldNotRunError(
            f"{_TOOL} wrote no report and ended with exit code {done.returncode}: {output}"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CouldNotRunError(
            f"the report of {_TOOL} is invalid, exit code {done.returncode}: {error!r}"
        ) from error


def _result(report: dict[str, Any], code: int) -> GateResult:
    operations, sent = report["operations"] or {}, report["test_cases"]["generated"]
    findings = [
        Finding(
            _TOOL,
            failure["code"],
            f"{failure['title']}, {failure['count']} times; {_DETAILS}",
            subject=operation,
        )
        for failure in report["failures"]
        for operation in failure["operations"]
    ]
    details = {"operations": operations, "requests": sent, "phases": report["phases"]}
    if not findings:
        _require_complete(report, code)
    return GateResult.of_findings(
        findings,
        f"{sent} requests to {operations.get('tested')} operations, each answered as described",
        details,
        (_TOOL,),
    )


def _require_complete(report: dict[str, Any], code: int) -> None:
    """Check that every operation was tested.

    Raises:
        CouldNotRunError: one was not.
    """
    errors = ", ".join(error["title"] for error in report["errors"])
    if errors:
        raise CouldNotRunError(f"{_TOOL} could not test the API: {errors}; {_DETAILS}")
    if report["warnings"]["rate_limited"]:
        raise CouldNotRunError(
            "dev answered requests with 429; raise requests_per_second in [api] of "
            "environments/dev.toml"
        )
    operations = report["operations"]
    missed = operations["total"] - operations["tested"]
    if code or not report["complete"] or missed or not report["test_cases"]["generated"]:
        raise CouldNotRunError(
            f"{_TOOL} did not test {missed} of {operations['total']} operations and ended with "
            f"exit code {code}: {report['stop_reason']}"
        )


if __name__ == "__main__":
    sys.exit(main("dynamic", run))
