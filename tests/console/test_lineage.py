from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from console.checkout import Checkout
from console.errors import ConsoleError
from console.lineage import CheckoutLineage
from tests.console.conftest import git

if TYPE_CHECKING:
    from pathlib import Path


def commit(folder: Path, message: str) -> str:
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)
    return git(folder, "rev-parse", "HEAD")


def lineage(folder: Path, url: object = None) -> CheckoutLineage:
    return CheckoutLineage(Checkout(folder), lambda: str(url), "main")


def test_a_commit_contains_its_ancestors_and_no_other(folder: Path) -> None:
    first, second = git(folder, "rev-parse", "HEAD"), commit(folder, "Second")
    git(folder, "checkout", "--quiet", "-b", "theirs", first)
    theirs = commit(folder, "Theirs")
    known = lineage(folder)
    assert known.contains(second, first)
    assert known.contains(second, second)
    assert not known.contains(first, second)
    assert not known.contains(theirs, second)


def test_a_commit_that_only_the_remote_has_is_fetched(folder: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", str(folder), "theirs")
    first, theirs = git(folder, "rev-parse", "HEAD"), commit(tmp_path / "theirs", "Theirs")
    refs = git(folder, "for-each-ref")
    assert lineage(folder, tmp_path / "theirs").contains(theirs, first)
    assert git(folder, "for-each-ref") == refs


@pytest.mark.parametrize(
    ("later", "sentence"),
    [
        ("a" * 40, "commit aaaaaaa is neither in this checkout nor in the history of branch main"),
        ("--all", "found '--all'; allowed are 4 to 64 hexadecimal digits"),
    ],
)
def test_an_unknown_commit_is_an_error(
    folder: Path, tmp_path: Path, later: str, sentence: str
) -> None:
    git(tmp_path, "clone", "--quiet", str(folder), "theirs")
    with pytest.raises(ConsoleError, match=sentence):
        lineage(folder, tmp_path / "theirs").contains(later, git(folder, "rev-parse", "HEAD"))


def test_a_shallow_clone_is_an_error(folder: Path, tmp_path: Path) -> None:
    first, second = git(folder, "rev-parse", "HEAD"), commit(folder, "Second")
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{folder}", "shallow")
    git(tmp_path / "shallow", "fetch", "--quiet", "--depth=1", "origin", first)
    with pytest.raises(ConsoleError, match="git fetch --unshallow"):
        lineage(tmp_path / "shallow").contains(second, first)
