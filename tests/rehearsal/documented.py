"""The shell commands of docs/aws.md, and a shell that runs them in a checkout."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# AWS publishes version 2 of its CLI in no package index; version 1 accepts the same commands.
_AWS_CLI = "awscli==1.45.11"
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SECTION = re.compile(r"^## (?:\d+\. )?", re.MULTILINE)


def blocks(document: str) -> dict[str, list[str]]:
    """Return the shell blocks of a page by the title of their section, the introduction as ""."""
    introduction, *sections = _SECTION.split(document)
    found = {"": _BLOCK.findall(introduction)}
    for section in sections:
        title, _, text = section.partition("\n")
        found[title] = _BLOCK.findall(text)
    return found


@dataclass(frozen=True)
class Shell:
    """Runs blocks one after the other in one shell, which keeps variables.

    `introduction` is the block that prepares each new shell; `substitutions` replaces parts of the
    page's text.
    """

    folder: Path
    """A checkout whose local cloud runs."""
    introduction: str
    substitutions: Mapping[str, str]

    def run(self, block: str, account: str, region: str) -> str:
        """Run a block as the administrator of an account, and return what it wrote to stdout."""
        for documented, ours in self.substitutions.items():
            block = block.replace(documented, ours)
        kept = self.folder / ".git" / "documented-variables"
        script = [
            "set -eu; shopt -s expand_aliases",
            self.introduction,
            _aws(),
            'eval "$(pithead env)"',
            f"export AWS_ACCESS_KEY_ID={account} AWS_REGION={region} AWS_DEFAULT_REGION={region}",
            f"if [ -f '{kept}' ]; then . '{kept}'; fi",
            block,
            f"if [ -n \"${{ARN-}}\" ]; then declare -p ARN > '{kept}'; fi",
        ]
        done = subprocess.run(
            ["bash", "-c", "\n".join(script)],
            cwd=self.folder,
            env=_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        return done.stdout


def _aws() -> str:
    if shutil.which("aws"):
        return ""
    return f'aws() {{ uv tool run --quiet --from {_AWS_CLI} aws "$@"; }}'


def _environment() -> dict[str, str]:
    clean = {name: each for name, each in os.environ.items() if not name.startswith("AWS_")}
    return clean | {"CDK_DISABLE_CLI_TELEMETRY": "true", "CDK_NOTICES": "false", "NO_COLOR": "1"}
