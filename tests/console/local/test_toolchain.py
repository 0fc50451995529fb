"""The installation of the CDK CLI, with a fake npm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from console.errors import ConsoleError
from console.local import toolchain
from console.local.toolchain import install
from pipeline.names import CDK_CLI

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def npm(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Write an npm that runs shell lines; the folder to install into is $3."""
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    monkeypatch.setattr(toolchain, "_SCRIPTS", scripts)

    def make(lines: str) -> None:
        (scripts / "npm").write_text(f"#!/bin/sh\n{lines}\n")
        (scripts / "npm").chmod(0o755)

    return make


def test_the_cli_is_installed_once(cache: Path, npm: Callable[[str], None]) -> None:
    npm('echo mine "$@" > "$3/made"')
    cdk = install(cache)
    made = cdk.folder / "made"
    assert made.read_text().endswith(f" aws-cdk@{CDK_CLI}\n")
    npm("exit 1")
    assert install(cache) == cdk
    assert list(cache.iterdir()) == [cdk.folder]


def test_a_concurrent_installation_is_kept(cache: Path, npm: Callable[[str], None]) -> None:
    faster = cache / CDK_CLI
    npm(f'echo mine > "$3/made"; mkdir "{faster}"; echo theirs > "{faster}/made"')
    assert (install(cache).folder / "made").read_text() == "theirs\n"
    assert list(cache.iterdir()) == [faster]


def test_a_folder_that_cannot_be_renamed_is_an_error(
    cache: Path, npm: Callable[[str], None], tmp_path: Path
) -> None:
    cache.mkdir()
    place = cache / CDK_CLI
    place.symlink_to(tmp_path / "nowhere")
    npm('echo mine > "$3/made"')
    with pytest.raises(NotADirectoryError):
        install(cache)
    assert list(cache.iterdir()) == [place]


def test_a_failure_has_npms_message(cache: Path, npm: Callable[[str], None]) -> None:
    npm("echo >&2; echo 'no network' >&2; echo 'a log' >&2; exit 1")
    with pytest.raises(ConsoleError, match=rf"could not install aws-cdk@{CDK_CLI}: no network$"):
        install(cache)
    assert list(cache.iterdir()) == []
