"""The CDK CLI that the platform is made for, and how it is run."""

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
        """A PATH on which the CLI is, and before all else what is beside this Python."""
        bins = [str(_SCRIPTS), str(self.folder / "node_modules" / ".bin")]
        return os.pathsep.join([*bins, os.environ.get("PATH", os.defpath)])

    def run(
        self, arguments: list[str], *, cwd: Path, variables: Mapping[str, str], log: Path
    ) -> None:
        """Run it to its end with these AWS variables and no others; it writes to `log`.

        Raises:
            ConsoleError: it failed; the message ends with its own sentence.
        """
        program = self.folder / "node_modules" / "aws-cdk" / "bin" / "cdk"
        environment = {
            name: value
            for name, value in os.environ.items()
            # Half of an app's start is the bytecode of aws-cdk-lib: it is kept.
            if not name.startswith("AWS_") and name != "PYTHONDONTWRITEBYTECODE"
        }
        environment |= {
            **variables,
            "CDK_DISABLE_CLI_TELEMETRY": "true",
            # As in the pipeline's own build.
            "CDK_VALIDATION": "false",
            "NODE_COMPILE_CACHE": str(self.folder.parent / "compiled"),
            "NO_COLOR": "1",
            # The app is `python -m …`, and jsii looks for node there.
            "PATH": os.pathsep.join([str(_SCRIPTS), os.environ.get("PATH", os.defpath)]),
        }
        command = [str(_tool("node")), str(program), *arguments, "--no-notices"]
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            done = subprocess.run(
                command, cwd=cwd, env=environment, stdout=output, stderr=output, check=False
            )
        if done.returncode != 0:
            raise ConsoleError(f"cdk {arguments[0]} failed: {_sentence(log)}; see {log}")


def install(cache: Path) -> Cdk:
    """The pinned CLI below a cache folder, installed from npm unless it is there.

    Raises:
        ConsoleError: Node is missing, or npm could not install it.
    """
    folder = cache / CDK_CLI
    if folder.exists():
        return Cdk(folder)
    partial = cache / f"{CDK_CLI}.{os.getpid()}"
    partial.mkdir(parents=True, exist_ok=True)
    command = [str(_tool("npm")), "install", "--prefix", str(partial), "--loglevel=error"]
    command += ["--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
    environment = {**os.environ}
    environment["PATH"] = os.pathsep.join([str(_SCRIPTS), os.environ.get("PATH", os.defpath)])
    done = subprocess.run(
        [*command, f"aws-cdk@{CDK_CLI}"], env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode != 0:
        shutil.rmtree(partial, ignore_errors=True)
        said = [line for line in done.stderr.splitlines() if line.strip()] or ["no reason given"]
        raise ConsoleError(f"npm could not install aws-cdk@{CDK_CLI}: {said[0]}")
    try:
        partial.rename(folder)
    except OSError:
        shutil.rmtree(partial)
        if not folder.exists():  # else another command was faster
            raise
    return Cdk(folder)


def _tool(name: str) -> Path:
    path = _SCRIPTS / name
    if not path.exists():
        raise ConsoleError(f"{name} is missing from {_SCRIPTS}; run make setup")
    return path


def _sentence(log: Path) -> str:
    """What went wrong: the app's own sentence, else what the CLI has crossed out."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    ours = [line.removeprefix("pithead: ") for line in lines if line.startswith("pithead: ")]
    crossed = [line.lstrip("❌ ") for line in lines if "❌" in line]
    return (ours or crossed or lines or ["it gave no reason"])[-1].rstrip(".")
