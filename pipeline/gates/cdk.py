"""`cdk synth`, as the gates run it."""

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

SECONDS = 300
"""What a synthesis may take; ours takes three."""


class AppRefusedError(CouldNotRunError):
    """The app does not let itself be synthesised, and says why in its own sentence."""


class Synthesis:
    """A synthesis of this checkout into a folder, which has begun; it ends with its context."""

    def __init__(
        self, folder: Path, context: Mapping[str, str], variables: Mapping[str, str] | None = None
    ) -> None:
        """Begin.

        Raises:
            CouldNotRunError: there is no CDK CLI.
        """
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # it lasts as long as this does
        command = ["cdk", "synth", "--quiet", "--no-notices", "--output", str(folder)]
        for key, value in context.items():
            command += ["--context", f"{key}={value}"]
        beside = str(Path(sys.executable).parent)  # Python itself, and node
        path = os.pathsep.join([beside, os.environ.get("PATH", os.defpath)])
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
        """Wait for its end.

        Raises:
            AppRefusedError: the app has said why not.
            CouldNotRunError: it failed otherwise, or takes too long.
        """
        try:
            status = self._process.wait(SECONDS)
        except subprocess.TimeoutExpired as error:
            raise CouldNotRunError(f"cdk synth did not end within {SECONDS} s") from error
        if status != 0:
            self._log.seek(0)
            said = self._log.read().decode(errors="replace")
            sys.stdout.write(said)
            if refusal := _refusal(said):
                raise AppRefusedError(refusal)
            lines = said.split("\n")
            last = next((line.strip() for line in reversed(lines) if line.strip()), "nothing")
            raise CouldNotRunError(f"cdk synth failed, and its last word was: {last}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        """End it and all that it has started, if it still runs."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._log.close()


def refusal(error: AppRefusedError, folder: Path) -> GateResult:
    """Return the outcome of a synthesis into a folder that the app refused.

    What cdk-nag found counts as findings. A waiver of one changes nothing: there is no assembly.
    """
    found = tuple(validation.of_refusal(folder))
    return GateResult(
        "refused",
        f"the app cannot be synthesised: {error}",
        findings=found,
        tools=(validation.TOOL,) if found else (),
        next_step="fix each finding, or review it with its reason in pipeline/delivery/nag.py"
        if found
        else "fix that and run `pithead gates synthesis`",
    )


def placeholder_connection() -> str:
    """An ARN for a synthesis that nobody deploys; only its text stands in the assembly."""
    home = load_home()
    return f"arn:aws:codeconnections:{home.region}:{home.account}:connection/none"


def _refusal(said: str) -> str:
    """The app's own sentence, and what follows if that names more to come; or nothing."""
    _, found, rest = said.partition("pithead: ")
    sentence, _, more = rest.partition("\n")
    if not found:
        return ""
    return f"{sentence} {more.partition(chr(10))[0]}" if sentence.endswith(":") else sentence
