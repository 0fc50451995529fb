from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.builds import commit

if TYPE_CHECKING:
    from pathlib import Path


def test_the_commit_comes_from_the_build_or_the_checkout(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CODEBUILD_RESOLVED_SOURCE_VERSION", "c0ffee")
    assert commit.commit() == "c0ffee"
    monkeypatch.delenv("CODEBUILD_RESOLVED_SOURCE_VERSION")
    monkeypatch.setattr(commit, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(
        commit.CommitError, match="found no git checkout with a commit that has HEAD; commit first"
    ):
        commit.commit()
