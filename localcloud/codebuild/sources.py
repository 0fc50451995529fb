"""Unpack an input artifact: a zip, or a reference to a repository to clone.

A source action with the `OutputArtifactFormat` `CODEBUILD_CLONE_REF` outputs a JSON reference
instead of files. CodeBuild then clones the whole repository with its history ("Full clone" in
"CodeStarSourceConnection for Bitbucket Cloud, GitHub, … actions").
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import zipfile
from typing import TYPE_CHECKING

from localcloud.codebuild.files import unpack

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from localcloud.core.credentials import Session
    from localcloud.core.delivery_ports import RepositoryReader

_COMMIT = re.compile("[0-9a-f]{40}")
_GIT_TIMEOUT_SECONDS = 300
# Ignore the user's git configuration, and do not prompt.
_GIT = {
    "PATH": os.environ.get("PATH", os.defpath),
    "LANG": "C.UTF-8",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
}


class SourceError(Exception):
    """An input artifact is neither a zip nor a reference, or it cannot be cloned."""


def unpack_artifact(
    content: bytes, folder: Path, endpoint: str, repositories: RepositoryReader, session: Session
) -> None:
    """Unpack an artifact into the folder; `session` is the build's role, which clones.

    A clone refers to the objects of the repository, which are already on this machine: to copy and
    index them for each build would take longer than the commands of many builds.

    Raises:
        SourceError: it is neither a zip nor a reference, or its commit cannot be cloned.
    """
    if not content.startswith(b"{"):
        try:
            unpack(content, folder)
        except zipfile.BadZipFile as error:
            raise SourceError(str(error)) from error
        return
    try:
        reference = json.loads(content)
        url, commit = str(reference["CloneUrl"]), str(reference["CommitId"])
        repository = str(reference["ConnectionArn"]), str(reference["FullRepositoryName"])
    except (ValueError, KeyError) as error:
        raise SourceError(f"the artifact refers to no repository: {error!r}") from error
    if not _COMMIT.fullmatch(commit):
        raise SourceError(f"the artifact refers to {commit!r}; expected 40 hexadecimal digits")
    borrowed = f"--reference-if-able={repositories.folder(*repository)}"
    clone = ("clone", "--quiet", "--no-checkout", "--template=", borrowed, "--", url, str(folder))
    _git(*clone, variables=_credentials(endpoint, repositories, url, session))
    # Check out the commit and not its branch, which may have moved.
    _git("-C", str(folder), "checkout", "--quiet", "--detach", commit)


def _credentials(
    endpoint: str, repositories: RepositoryReader, url: str, session: Session
) -> dict[str, str]:
    """Return variables with git's credentials, which only this cloud's URLs get."""
    if not url.startswith(f"{endpoint}/git-http/"):
        return {}
    authorization = repositories.authorization(url, session)
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{endpoint}/.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: {authorization}",
    }


def _git(*arguments: str, variables: Mapping[str, str] | None = None) -> None:
    try:
        done = subprocess.run(
            ["git", *arguments],
            capture_output=True,
            check=False,
            env={**_GIT, **(variables or {})},
            timeout=_GIT_TIMEOUT_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise SourceError(
            f"git {arguments[0]} did not end within {_GIT_TIMEOUT_SECONDS} s"
        ) from error
    if done.returncode != 0 and b"error: 403" in done.stderr:
        # CodePipeline guide, "Troubleshooting": a service role without `UseConnection`.
        raise SourceError("authorization failed")
    if done.returncode != 0:
        raise SourceError(done.stderr.decode(errors="replace").strip())
