"""Differences that a comparison of builds ignores."""

from __future__ import annotations

from pipeline.gates.template.build_configuration import normalised, trees

INSTALL = "python3 -m pipeline.builds.downloads packages requirements/{}.txt"
TREE = "0123456789abcdef0123456789abcdef01234567"


def test_an_install_command_is_compared_without_its_group() -> None:
    assert normalised(INSTALL.format("load")) == normalised(INSTALL.format("scanners"))
    assert normalised(INSTALL.format("load") + "; sh") != normalised(INSTALL.format("scanners"))


def test_a_git_tree_is_compared_without_its_id() -> None:
    assert normalised(f"git archive {TREE}") == normalised(f"git archive {'f' * 40}")
    assert trees(f"git archive {TREE}") == {TREE}
