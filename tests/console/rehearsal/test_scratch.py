from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from console.checkout import Checkout
from console.rehearsal.acts import Act, Edit
from console.rehearsal.scratch import Scratch

if TYPE_CHECKING:
    from pathlib import Path

_PROJECT = """
[tool.pithead]
account = "111111111111"
region = "eu-west-1"
repository = "acme/thing"
branch = "trunk"
connection = "thing"
"""


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@localhost", *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_the_scratch_clone_commits_and_reverts_without_changing_the_checkout(
    tmp_path: Path,
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    _git(mine, "init", "--quiet", "--initial-branch=feature")
    (mine / "pyproject.toml").write_text(_PROJECT)
    (mine / "module.py").write_text("a = 1\n")
    _git(mine, "add", ".")
    _git(mine, "commit", "--quiet", "--message", "first")
    (mine / "module.py").write_text("a = 'not committed'\n")
    before = (_git(mine, "for-each-ref"), _git(mine, "status", "--porcelain"))

    scratch = Scratch(Checkout(mine), tmp_path / "state" / "checkout")
    edit = Edit("module.py", "a = 1\n", "a = 2\n")
    commit = scratch.commit(Act("an-act", "Second", (edit,), "promoted"))
    file = scratch.checkout.root / "module.py"
    assert file.read_text() == "a = 2\n"
    assert scratch.checkout.subject(commit) == "Second"
    assert _git(scratch.checkout.root, "branch", "--show-current") == "trunk\n"
    scratch.revert(commit)
    assert file.read_text() == "a = 1\n"
    assert scratch.checkout.commit("HEAD~1") == commit
    assert (_git(mine, "for-each-ref"), _git(mine, "status", "--porcelain")) == before
    assert (mine / "module.py").read_text() == "a = 'not committed'\n"
