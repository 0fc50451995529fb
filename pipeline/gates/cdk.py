"""Run `cdk synth` for gates."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from environments.schema import load_home
from pipeline.gates.gate import ROOT
from pipeline.gates.report.result import CouldNotRunError, GateResult
from pipeline.gates.template import validation
from pipeline.names import CDK_CLI

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

TIMEOUT_SECONDS = 300
"""Longest time of a synthesis, which normally takes three seconds."""


class AppRefusedError(CouldNotRunError):
    """The app stopped the synthesis with an error of its own; the message is the app's sentence."""


class Synthesis:
    """A running synthesis of this checkout into a folder; the end of the context stops it."""

    def __init__(
        self, folder: Path, context: Mapping[str, str], variables: Mapping[str, str] | None = None
    ) -> None:
        """Start the synthesis.

        Raises:
            CouldNotRunError: the CDK CLI is missing.
        """
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # `__exit__` closes it
        command = ["cdk", "synth", "--quiet", "--no-notices", "--output", str(folder)]
        for key, value in context.items():
            command += ["--context", f"{key}={value}"]
        scripts = str(Path(sys.executable).parent)  # with Python and Node
        path = os.pathsep.join([scripts, os.environ.get("PATH", os.defpath)])
        try:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, "PATH": path, **(variables or {})},
                stdout=self._log,
                stderr=self._log,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            self._log.close()
            raise CouldNotRunError(
                "cdk is missing", next_step=f"run `npm install --global aws-cdk@{CDK_CLI}`"
            ) from error

    def wait(self) -> None:
        """Wait for the end of the synthesis.

        Raises:
            AppRefusedError: the app stopped it with an error of its own.
            CouldNotRunError: it failed otherwise, or took too long.
        """
        try:
            status = self._process.wait(TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise CouldNotRunError(f"cdk synth did not end within {TIMEOUT_SECONDS} s") from error
        if status != 0:
            self._log.seek(0)
            output = self._log.read().decode(errors="replace")
            sys.stdout.write(output)
            if sentence := _app_error(output):
                raise AppRefusedError(sentence)
            lines = output.split("\n")
            last = next((line.strip() for line in reversed(lines) if line.strip()), "nothing")
            raise CouldNotRunError(f"cdk synth failed; the last line of its output is: {last}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        """Kill the synthesis and its child processes if it is still running."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._log.close()


def refusal(error: AppRefusedError, folder: Path) -> GateResult:
    """Return the result of a synthesis that the app stopped, with the findings of cdk-nag.

    A waiver of such a finding has no effect, because there is no assembly.
    """
    found = tuple(validation.of_refusal(folder))
    return GateResult(
        "refused",
        f"the app cannot be synthesised: {error}",
        findings=found,
        tools=(validation.TOOL,) if found else (),
        next_step="fix each finding, or review it with its reason in pipeline/delivery/reviews.py"
        if found
        else "fix it and run `pithead gates synthesis`",
    )


def placeholder_connection() -> str:
    """Return the ARN of a connection that does not exist, for an assembly that is not deployed."""
    home = load_home()
    return f"arn:aws:codeconnections:{home.region}:{home.account}:connection/none"


def _app_error(output: str) -> str:
    """Return the app's error with the next line if it ends in a colon; empty if there is none."""
    _, found, rest = output.partition("pithead: ")
    sentence, _, more = rest.partition("\n")
    if not found:
        return ""
    return f"{sentence} {more.partition(chr(10))[0]}" if sentence.endswith(":") else sentence
