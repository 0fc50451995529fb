from __future__ import annotations

import io
import os
import re
import shlex
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localcloud.codebuild.buildspec import Files
from localcloud.codebuild.files import NoFilesError, _expression, pack, select, unpack
from localcloud.codebuild.log import BuildLog
from localcloud.codebuild.shell import Shell
from localcloud.core.confinement import Rules

EVERYTHING = Rules(("/",), ("/",))

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("**/*", ["a", "d/a", "d/e/.a"], []),
        ("*", ["a", ".a"], ["d/a"]),
        ("d/*", ["d/a"], ["a", "d/e/a"]),
        ("d/**/*", ["d/a", "d/e/a"], ["a", "e/d/a"]),
        ("**/*.py", ["a.py", "d/a.py"], ["a.pyc", "apy"]),
        ("./a?", ["ab"], ["a", "abc", "d/ab"]),
        ("a+b.(c)", ["a+b.(c)"], ["aab.c"]),
    ],
)
def test_patterns(pattern: str, matching: list[str], others: list[str]) -> None:
    expression = re.compile(_expression(pattern))
    assert [each for each in matching + others if expression.fullmatch(each)] == matching


def test_a_base_directory_may_be_a_pattern(tmp_path: Path) -> None:
    for name in ("out-1/a", "out-2/b", "other/c"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    assert list(select(tmp_path, Files(("**/*",), "out-*"), bool)) == ["a", "b"]
    with pytest.raises(NoFilesError, match="base directory"):
        select(tmp_path, Files(("**/*",), "none-*"), bool)


def test_a_link_is_unpacked_as_text_and_never_followed(tmp_path: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, str(tmp_path / "outside"))
        archive.writestr("../escaped", "x")
    (tmp_path / "outside").mkdir()
    unpack(content.getvalue(), tmp_path / "in")
    link_file = tmp_path / "in" / "link"
    assert (link_file.is_symlink(), link_file.read_text()) == (False, str(tmp_path / "outside"))
    assert not (tmp_path / "escaped").exists()


def test_packing_and_unpacking_round_trips(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "x").write_bytes(b"\0\1")
    (tmp_path / "a" / "run").write_text("#!/bin/sh\n")
    (tmp_path / "a" / "run").chmod(0o755)
    unpack(pack(select(tmp_path / "a", Files(("**/*",)), bool)), tmp_path / "c")
    assert (tmp_path / "c" / "b" / "x").read_bytes() == b"\0\1"
    assert (tmp_path / "c" / "run").stat().st_mode & 0o777 == 0o755


@given(
    lines=st.lists(st.text(st.characters(exclude_characters="\n\r\0", codec="utf-8"), max_size=9)),
    secrets=st.lists(st.text("ab \n", min_size=1, max_size=4), max_size=3),
)
def test_the_log_keeps_lines_in_order_and_masks_secrets(
    lines: list[str], secrets: list[str]
) -> None:
    kept: list[str] = []
    log = BuildLog(kept.extend)
    for secret in secrets:
        log.mask(secret)
    for line in lines:
        log.write(line)
    log.close()
    assert len(kept) == len(lines)
    parts = {part for secret in secrets for part in {secret, *secret.splitlines()} if part}
    assert not [part for part in parts for line in kept if part in line]
    if not secrets:
        assert kept == lines


@pytest.fixture(scope="module", params=["sh", "bash"])
def shell(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    log = BuildLog(lambda _: None)
    folder = tmp_path_factory.mktemp("shell")
    variables = {"PATH": os.environ["PATH"], "CODEBUILD_BUILD_ID": f"test:{folder.name}"}
    shell = Shell(request.param, folder, folder, variables, log.descriptor, EVERYTHING)
    yield shell
    shell.close()
    log.close()


@settings(max_examples=40)
@given(value=st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=20))
def test_any_variable_value_persists_between_commands(shell: Shell, value: str) -> None:
    assert shell.run(f"VALUE={shlex.quote(value)}", succeeding=True) == 0
    assert shell.run("true 'it''s \"nothing\"'", succeeding=True) == 0
    assert shell.exported(("VALUE",)) == {"VALUE": value}


def test_a_terminated_shell_is_reported(tmp_path: Path) -> None:
    log = BuildLog(lambda _: None)
    shell = Shell(
        "sh", tmp_path, tmp_path, {"CODEBUILD_BUILD_ID": "test:x"}, log.descriptor, EVERYTHING
    )
    shell.end()
    assert shell.run("true", succeeding=True) is None
    shell.close()
    log.close()
