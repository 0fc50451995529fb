"""Confinement of a build to its workspace, the image, and the package indexes."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from localcloud.codebuild import image
from localcloud.core import confinement

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from localcloud.codebuild.workspace import Workspace
    from localcloud.core.confinement import Rules

# AWS uses these ports: a build reaches them only through `localcloud.codebuild.egress`.
_WEB_PORTS = (80, 443)
_PLACE = re.compile(r"(?:file://)?(/[^\s\"',;]+)")
_PROJECT_FILES = (
    ".python-version", "package.json", "pyproject.toml", "pytest.ini", "ruff.toml", "setup.cfg",
    "setup.py", "tox.ini", "uv.toml",
)  # fmt: skip
_INDEX_FILES = ("PIP_CONFIG_FILE", "UV_CONFIG_FILE", "NPM_CONFIG_USERCONFIG")
_INDEXES = re.compile(r"^(PIP|UV|NPM_CONFIG|npm_config)_|SSL_CERT|_CA_BUNDLE$|_CA_CERTS$|_CAINFO$")


def confinement_rules(state: Path, workspace: Workspace, variables: Mapping[str, str]) -> Rules:
    """Return the confinement of a build; `variables` are those of its commands."""
    tools = image.folder()
    borrowed = _borrowed(workspace, (state / "git").resolve())
    read: list[Path | str] = [
        *image.tools(tools),
        *_configured(variables),
        *borrowed,
        *_project_files_above(workspace.folder),
    ]
    made = confinement.rules(state, read, [*workspace.own, *image.caches(tools, workspace.project)])
    return replace(made, ports=confinement.closed_ports(*_WEB_PORTS))


def _project_files_above(folder: Path) -> Iterator[Path]:
    """Yield files that tools search in all parent folders.

    The tools fail if they find such a file and cannot read it. On AWS the parent folders are empty.
    Here the state folder is usually inside a checkout.
    """
    for above in folder.resolve().parents:
        yield from (above / name for name in _PROJECT_FILES if (above / name).is_file())


def _configured(variables: Mapping[str, str]) -> Iterator[str]:
    """Yield the paths in the user's settings of package indexes and certificates."""
    texts = [value for name, value in variables.items() if _INDEXES.search(name)]
    for name in _INDEX_FILES:
        path = Path(variables.get(name, ""))
        if path.is_file():
            texts.append(path.read_text(errors="replace"))
    for text in texts:
        for place in _PLACE.findall(text):
            if Path(place).exists() and Path(place) not in {Path("/"), Path.home()}:
                yield place


def _borrowed(workspace: Workspace, repositories: Path) -> Iterator[str]:
    """Yield the object stores of the repositories that a build's clones refer to."""
    for source in (workspace.source, *(workspace.folder / "inputs").iterdir()):
        alternates = source / ".git" / "objects" / "info" / "alternates"
        if alternates.is_file():
            for line in alternates.read_text().splitlines():
                # A source that is not a clone may contain a file of this name with any content.
                if Path(line).resolve().is_relative_to(repositories):
                    yield line
