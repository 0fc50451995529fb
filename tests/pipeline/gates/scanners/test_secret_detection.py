"""Kingfisher with real repositories."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.gates.report.findings import fingerprints
from pipeline.gates.report.result import CouldNotRunError
from pipeline.gates.scanners import secret_detection
from pipeline.gates.scanners.secret_detection import scan, scan_staged

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Secret = Callable[[str], str]


@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        ("aws", "betterleaks.aws-access-token"),
        ("github", "betterleaks.github-pat"),
        ("password", "pithead.assigned-secret"),
    ],
)
def test_a_key_in_a_past_commit_is_found_even_if_removed_later(
    checkout: Any, secret: Secret, kind: str, rule: str
) -> None:
    checkout.write("service/keys.py", f"import os\n{secret(kind)}")
    leak = checkout.commit("leak")
    checkout.write("service/keys.py", "import os\n")
    checkout.commit("removed")
    checkout.git("rm", "--quiet", "service/keys.py")
    checkout.commit("and gone")
    (found,) = scan(checkout.root).findings
    assert (found.rule, found.path, found.line) == (rule, "service/keys.py", 2)
    assert found.severity == "error"
    assert f"in commit {leak[:12]}" in found.message


def test_a_key_on_a_merged_branch_or_in_a_merge_commit_is_found(
    checkout: Any, secret: Secret
) -> None:
    checkout.git("checkout", "--quiet", "-b", "side")
    checkout.write("side.py", secret("github"))
    checkout.commit("leak")
    checkout.git("rm", "--quiet", "side.py")
    checkout.commit("removed")
    checkout.git("checkout", "--quiet", "main")
    checkout.commit("main goes on")
    checkout.git("merge", "--quiet", "--no-ff", "--no-commit", "side")
    checkout.write("merge.py", secret("aws"))
    checkout.commit("merge")
    checkout.git("rm", "--quiet", "merge.py")
    checkout.commit("removed")
    assert {each.path for each in scan(checkout.root).findings} == {"side.py", "merge.py"}


def test_commits_that_head_does_not_reach_are_not_scanned(checkout: Any, secret: Secret) -> None:
    checkout.git("checkout", "--quiet", "-b", "elsewhere")
    checkout.write("side.py", secret("aws"))
    checkout.commit("leak")
    checkout.git("checkout", "--quiet", "--detach", "main")
    assert scan(checkout.root).findings == ()


def test_uncommitted_files_are_scanned_and_ignored_files_are_not(
    checkout: Any, secret: Secret
) -> None:
    checkout.write(".gitignore", "ignored/\n")
    checkout.commit()
    for path in ("new.py", "service/fine.py", "staged.py", "ignored/keys.py"):
        checkout.write(path, secret("github"))
    checkout.git("add", "staged.py")
    found = scan(checkout.root)
    assert [each.path for each in found.findings] == ["new.py", "service/fine.py", "staged.py"]
    assert all("(not committed yet)" in each.message for each in found.findings)
    assert found.scanned == "2 commits and 3 files not committed"


def test_comments_suppress_no_secret(checkout: Any, secret: Secret) -> None:
    line = secret("github").strip()
    checkout.write("a.py", f"{line}  # kingfisher:ignore # gitleaks:allow # nosec\n")
    checkout.commit()
    assert [each.path for each in scan(checkout.root).findings] == ["a.py"]


def test_the_secret_itself_is_never_printed(
    checkout: Any, secret: Secret, capfd: pytest.CaptureFixture[str]
) -> None:
    checkout.write("a.py", secret("aws"))
    checkout.commit()
    told = repr(scan(checkout.root)) + "".join(capfd.readouterr())
    for line in secret("aws").splitlines():
        assert line.split('"')[1] not in told


def test_a_moved_and_committed_secret_keeps_its_fingerprint(checkout: Any, secret: Secret) -> None:
    checkout.write("a.py", secret("github"))
    before = fingerprints(scan(checkout.root).findings)
    checkout.write("a.py", f"\n\n{secret('github')}")
    checkout.commit()
    after = fingerprints(scan(checkout.root).findings)
    assert before == after
    checkout.write("a.py", secret("aws"))
    assert after[0] in fingerprints(scan(checkout.root).findings), "it stays in the history"


def test_a_shallow_clone_is_an_error_for_the_secret_scan(
    checkout: Any, tmp_path: Path, secret: Secret
) -> None:
    checkout.write("a.py", secret("aws"))
    checkout.commit()
    checkout.git("rm", "--quiet", "a.py")
    checkout.commit()
    shallow = tmp_path / "shallow"
    subprocess.run(
        ["git", "clone", "--quiet", "--depth=1", f"file://{checkout.root}", str(shallow)],
        check=True,
    )
    with pytest.raises(CouldNotRunError, match="the clone is shallow"):
        scan(shallow)


def test_a_checkout_without_git_history_is_an_error(checkout: Any) -> None:
    (checkout.root / ".git").rename(checkout.root / "was")
    with pytest.raises(CouldNotRunError, match="the gate needs a clone of the repository"):
        scan(checkout.root)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tip_sha": "0" * 40}, f"Kingfisher scanned 1 commits up to {'0' * 40}, not the 1"),
        ({"fetched_commit_count": 0}, "Kingfisher scanned 0 commits up to"),
        ({"scope": "working_tree"}, "Kingfisher scanned"),
        ({"shallow": True}, "the clone is shallow"),
    ],
)
def test_a_report_about_another_repository_is_an_error(
    checkout: Any, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], said: str
) -> None:
    seen = {
        "scope": "branch_history",
        "tip_sha": checkout.git("rev-parse", "HEAD"),
        "shallow": False,
        "fetched_commit_count": 1,
    }
    target = {
        "scan": {"status": "completed"},
        "stats": {"blobs_scanned": 3},
        "git": seen | change,
    }
    report = {
        "findings": [],
        "audit": {"repositories": [target]},
        "metadata": {"summary": {"rules_applied": 400}},
    }
    program = f"print({json.dumps(report)!r})"
    monkeypatch.setattr(secret_detection, "KINGFISHER", (sys.executable, "-c", program))
    with pytest.raises(CouldNotRunError, match=said):
        scan(checkout.root)


def test_only_staged_content_is_scanned(checkout: Any, secret: Secret) -> None:
    checkout.write("staged.py", secret("github"))
    checkout.write("other.py", secret("aws"))
    checkout.git("add", "staged.py")
    assert [each.path for each in scan_staged(checkout.root).findings] == ["staged.py"]
    checkout.git("rm", "--quiet", "--cached", "staged.py")
    assert scan_staged(checkout.root).findings == ()


class TestTexts:
    """Text that git publishes besides files."""

    @pytest.mark.parametrize("kind", ["aws", "github"])
    def test_a_secret_in_a_commit_message_is_found(
        self, checkout: Any, secret: Secret, kind: str
    ) -> None:
        commit = checkout.commit(f"Fix it\n\n{secret(kind)}")
        found = scan(checkout.root).findings
        assert found
        assert all(f"of commit {commit[:12]}" in each.message for each in found)
        assert all(each.path == "" and each.subject for each in found)

    @pytest.mark.parametrize("author", ["{} <a@example.com>", "Ada <{}>"])
    def test_a_secret_in_an_authors_name_or_address_is_found(
        self, checkout: Any, secret: Secret, author: str
    ) -> None:
        """trufflesecurity/trufflehog#2683: a key that was pasted as the address."""
        author = f"--author={author.format(secret('github').split(chr(34))[1])}"
        checkout.git("commit", "--quiet", "--allow-empty", author, "--message", "x")
        assert len(scan(checkout.root).findings) == 1

    def test_a_secret_in_an_annotated_or_nested_tag_is_found(
        self, checkout: Any, secret: Secret
    ) -> None:
        checkout.git("tag", "--annotate", "--message", secret("github"), "inner")
        checkout.git("tag", "--annotate", "--message", "fine", "outer", "inner")
        checkout.git("tag", "--delete", "inner")
        assert ["in the annotated tag" in x.message for x in scan(checkout.root).findings] == [True]

    def test_a_secret_in_a_tag_name_is_found(self, checkout: Any, secret: Secret) -> None:
        checkout.git("tag", secret("github").split('"')[1])
        assert ["in the name of a tag" in x.message for x in scan(checkout.root).findings] == [True]

    def test_a_secret_in_a_removed_git_note_is_found(self, checkout: Any, secret: Secret) -> None:
        checkout.git("notes", "--ref=review", "add", "--message", secret("github"))
        checkout.git("notes", "--ref=review", "remove")
        assert ["in the git note" in x.message for x in scan(checkout.root).findings] == [True]

    @pytest.mark.parametrize("name", ["{}.txt", "{}/a.txt", "a\n{}.txt", "clé {}"])
    def test_a_secret_in_the_name_of_a_deleted_file_is_found(
        self, checkout: Any, secret: Secret, name: str
    ) -> None:
        token = secret("github").split('"')[1]
        checkout.write(name.format(token), "fine\n")
        checkout.commit()
        checkout.git("rm", "--quiet", "-r", ".")
        checkout.commit()
        (found,) = scan(checkout.root).findings
        assert "in the name of a file in the history" in found.message
        assert token not in repr(found)

    def test_a_secret_in_a_file_name_added_by_a_merge_is_found(
        self, checkout: Any, secret: Secret
    ) -> None:
        checkout.git("checkout", "--quiet", "-b", "side")
        checkout.commit("side")
        checkout.git("checkout", "--quiet", "main")
        checkout.commit("main goes on")
        checkout.git("merge", "--quiet", "--no-ff", "--no-commit", "side")
        checkout.write(secret("github").split('"')[1], "fine\n")
        checkout.commit("merge")
        assert len(scan(checkout.root).findings) == 1

    def test_a_secret_in_the_name_of_a_staged_file_is_found(
        self, checkout: Any, secret: Secret
    ) -> None:
        checkout.write(secret("github").split('"')[1], "fine\n")
        checkout.git("add", "--all")
        assert len(scan_staged(checkout.root).findings) == 1

    def test_text_in_another_encoding_is_scanned(self, checkout: Any) -> None:
        name = b"caf\xe9".decode("utf-8", "surrogateescape")
        (checkout.root / name).write_text("fine\n")
        (checkout.root / ".git" / "message").write_bytes(b"caf\xe9\n")
        checkout.git("add", "--all")
        checkout.git("commit", "--quiet", "--file", ".git/message")
        assert scan(checkout.root).findings == ()
