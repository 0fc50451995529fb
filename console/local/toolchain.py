"""The CDK CLI in the version that the platform pins."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from console.errors import ConsoleError
from pipeline.names import CDK_CLI

if TYPE_CHECKING:
    from collections.abc import Mapping

_SCRIPTS = Path(sysconfig.get_path("scripts"))


@dataclass(frozen=True)
class Cdk:
    """The CDK CLI, installed below a folder; see `install`."""

    folder: Path

    @property
    def path(self) -> str:
        """A PATH that starts with this Python's scripts and the CLI."""
        bins = [str(_SCRIPTS), str(self.folder / "node_modules" / ".bin")]
        return os.pathsep.join([*bins, os.environ.get("PATH", os.defpath)])

    def run(
        self, arguments: list[str], *, cwd: Path, variables: Mapping[str, str], log: Path
    ) -> None:
        """Run the CLI to its end; write its output to `log`.

        `variables` are the only AWS variables that it gets.

        Raises:
            ConsoleError: the CLI failed; the message contains its last error.
        """
        program = self.folder / "node_modules" / "aws-cdk" / "bin" / "cdk"
        process_variables = {
            name: value
            for name, value in os.environ.items()
            # Compiling aws-cdk-lib takes half of an app's start, so its bytecode is written.
            if not name.startswith("AWS_") and name != "PYTHONDONTWRITEBYTECODE"
        }
        process_variables |= {
            **variables,
            "CDK_DISABLE_CLI_TELEMETRY": "true",
            # As in the pipeline's own build.
            "CDK_VALIDATION": "false",
            "NODE_COMPILE_CACHE": str(self.folder.parent / "compiled"),
            "NO_COLOR": "1",
            # The app starts with `python -m …`, and jsii finds node on the PATH.
            "PATH": os.pathsep.join([str(_SCRIPTS), os.environ.get("PATH", os.defpath)]),
        }
        command = [str(_tool("node")), str(program), *arguments, "--no-notices"]
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            done = subprocess.run(
                command, cwd=cwd, env=process_variables, stdout=output, stderr=output, check=False
            )
        if done.returncode != 0:
            raise ConsoleError(f"cdk {arguments[0]} failed: {_error_message(log)}. See {log}")


def install(cache: Path) -> Cdk:
    """Return the pinned CLI below a cache folder; install it if it is missing.

    Raises:
        ConsoleError: Node is missing, or npm failed.
    """
    folder = cache / CDK_CLI
    if folder.exists():
        return Cdk(folder)
    partial = cache / f"{CDK_CLI}.{os.getpid()}"
    partial.mkdir(parents=True, exist_ok=True)
    command = [str(_tool("npm")), "install", "--prefix", str(partial), "--loglevel=error"]
    command += ["--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
    process_variables = {**os.environ}
    process_variables["PATH"] = os.pathsep.join([str(_SCRIPTS), os.environ.get("PATH", os.defpath)])
    done = subprocess.run(
        [*command, f"aws-cdk@{CDK_CLI}"], env=process_variables, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        shutil.rmtree(partial, ignore_errors=True)
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no reason given"]
        raise ConsoleError(f"npm could not install aws-cdk@{CDK_CLI}: {lines[0]}")
    try:
        partial.rename(folder)
    except OSError:
        shutil.rmtree(partial)
        if not folder.exists():  # else another process installed it at the same time
            raise
    return Cdk(folder)


def _tool(name: str) -> Path:
    path = _SCRIPTS / name
    if not path.exists():
        raise ConsoleError(f"{_SCRIPTS}: found no {name}. Run make setup")
    return path


def _error_message(log: Path) -> str:
    """Return the last error of the app in a log, else of the CLI, else the last line."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    app = [line.removeprefix("pithead: ") for line in lines if line.startswith("pithead: ")]
    cli = [line.lstrip("❌ ") for line in lines if "❌" in line]
    return (app or cli or lines or ["its log is empty"])[-1].rstrip(".")
