"""The CDK CLI's installation, by an npm that a test writes."""

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
    """Makes npm what the shell lines do, with the folder to fill as $3."""
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


def test_another_command_that_was_faster_is_left_what_it_made(
    cache: Path, npm: Callable[[str], None]
) -> None:
    faster = cache / CDK_CLI
    npm(f'echo mine > "$3/made"; mkdir "{faster}"; echo theirs > "{faster}/made"')
    assert (install(cache).folder / "made").read_text() == "theirs\n"
    assert list(cache.iterdir()) == [faster]


def test_what_cannot_be_put_in_its_place_is_an_error(
    cache: Path, npm: Callable[[str], None], tmp_path: Path
) -> None:
    cache.mkdir()
    place = cache / CDK_CLI
    place.symlink_to(tmp_path / "nowhere")
    npm('echo mine > "$3/made"')
    with pytest.raises(NotADirectoryError):
        install(cache)
    assert list(cache.iterdir()) == [place]


def test_what_npm_says_of_a_failure_is_told(cache: Path, npm: Callable[[str], None]) -> None:
    npm("echo >&2; echo 'no network' >&2; echo 'a log' >&2; exit 1")
    with pytest.raises(ConsoleError, match=rf"could not install aws-cdk@{CDK_CLI}: no network$"):
        install(cache)
    assert list(cache.iterdir()) == []
