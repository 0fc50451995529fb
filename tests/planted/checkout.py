"""The git checkout of a delivery."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from localcloud.codeconnections.authentication import sign
from tests.planted.policies import TOOLING
from tests.planted.stages import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from localcloud.compose import Cloud

_VARIABLES = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
}


class Checkout:
    """A folder whose commits are pushed by the tooling account's administrator."""

    def __init__(self, folder: Path, cloud: Cloud, connection: str) -> None:
        self._folder = folder
        self._cloud = cloud
        self._url = cloud.codeconnections.clone_url(connection, REPOSITORY)
        self._git("init", "--quiet", "--initial-branch=main")
        cloud.codeconnections.ensure_repository(connection, REPOSITORY)

    def push(self, files: Mapping[str, str], message: str) -> None:
        """Commit files and push the branch."""
        for name, text in files.items():
            path = self._folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message", message)
        user, password = sign(self._url, TOOLING, self._cloud.credentials.secret_key)
        address = self._url.replace("://", f"://{user}:{password}@")
        self._git("push", "--quiet", address, "HEAD:main")

    def _git(self, *arguments: str) -> None:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self._folder,
            env=_VARIABLES,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
