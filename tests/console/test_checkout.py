from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from console.checkout import Checkout, PushRefusedError
from console.errors import ConsoleError


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def remote(tmp_path: Path) -> str:
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", "remote.git")
    return str(tmp_path / "remote.git")


def test_a_checkout_is_found_from_a_folder_inside_it(folder: Path) -> None:
    checkout = Checkout.here(folder / "environments")
    assert checkout.root == folder
    assert checkout.home().branch == "main"
    assert list(checkout.environments()) == ["dev", "staging", "prod"]


def test_a_folder_outside_of_git_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConsoleError, match="found no git checkout"):
        Checkout.here(tmp_path)


@pytest.mark.parametrize(
    ("project", "sentence"),
    [
        (None, r"found no \[tool\.pithead\]"),
        ("[project]\n", r"found no \[tool\.pithead\]"),
        ("[tool", "found invalid TOML"),
    ],
)
def test_a_checkout_of_another_project_is_an_error(
    folder: Path, project: str | None, sentence: str
) -> None:
    if project is None:
        (folder / "pyproject.toml").unlink()
    else:
        (folder / "pyproject.toml").write_text(project)
    with pytest.raises(ConsoleError, match=sentence):
        Checkout.here(folder)


def test_a_machine_without_git_is_an_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(ConsoleError, match="git is not installed"):
        Checkout.here(folder)


def test_the_repository_of_a_git_hook_is_ignored(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "another"))
    assert Checkout.here(folder).root == folder


def test_uncommitted_files_are_counted(folder: Path) -> None:
    checkout = Checkout.here(folder)
    assert checkout.uncommitted() == 0
    (folder / "new").write_text("")
    (folder / "pyproject.toml").write_text("[tool.pithead]\n")
    assert checkout.uncommitted() == 2


def test_an_unknown_revision_is_an_error(folder: Path) -> None:
    with pytest.raises(ConsoleError, match="v9: found no such commit"):
        Checkout.here(folder).commit("v9")


def test_a_push_creates_the_branch_and_then_fast_forwards_it(folder: Path, remote: str) -> None:
    checkout = Checkout.here(folder)
    first = checkout.commit("HEAD")
    assert checkout.tip(remote, "main") is None
    checkout.push(remote, first, "main")
    assert checkout.tip(remote, "main") == first
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "Second")
    second = checkout.commit("HEAD")
    checkout.push(remote, second, "main")
    assert checkout.tip(remote, "main") == second
    assert checkout.subject(second) == "Second"


def test_a_push_that_would_lose_commits_names_the_next_step(folder: Path, remote: str) -> None:
    checkout = Checkout.here(folder)
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "Theirs")
    checkout.push(remote, checkout.commit("HEAD"), "main")
    git(folder, "reset", "--quiet", "--hard", "HEAD~1")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "Ours")
    ours = checkout.commit("HEAD")
    with pytest.raises(PushRefusedError) as refused:
        checkout.push(remote, ours, "main")
    assert str(refused.value) == (
        f"branch main has commits that {ours[:7]} lacks. Run git pull --rebase "
        '"$(pithead remote)" main, then pithead release'
    )


def test_a_protected_branch_asks_for_a_pull_request(folder: Path, remote: str) -> None:
    """A hook of the remote responds as GitHub does ("About protected branches")."""
    hook = Path(remote) / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'error: GH006: Protected branch update failed' >&2\nexit 1\n")
    hook.chmod(0o755)
    checkout = Checkout.here(folder)
    with pytest.raises(PushRefusedError, match=r"GH006.*Open a pull request; after the merge, run"):
        checkout.push(remote, checkout.commit("HEAD"), "main")
    assert checkout.tip(remote, "main") is None


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("git@github.com:acme/pithead.git", True),
        ("https://github.com/Acme/Pithead", True),
        ("ssh://git@ghe.example.com:2222/acme/pithead.git/", True),
        ("https://github.com/acme/pithead-docs.git", False),
        ("https://github.com/notacme/pithead.git", False),
    ],
)
def test_the_remote_of_a_repository_is_found_by_its_path(
    folder: Path, url: str, found: bool
) -> None:
    git(folder, "remote", "add", "upstream", url)
    assert Checkout.here(folder).remote_of("acme/pithead") == (url if found else None)


def test_origin_is_preferred_to_other_remotes(folder: Path) -> None:
    for name, host in (("backup", "a"), ("origin", "b")):
        git(folder, "remote", "add", name, f"https://{host}.example.com/acme/pithead.git")
    assert Checkout.here(folder).remote_of("acme/pithead") == (
        "https://b.example.com/acme/pithead.git"
    )


def test_an_unreadable_repository_is_an_error_with_gits_message(folder: Path) -> None:
    with pytest.raises(ConsoleError, match=r"nowhere cannot be read: .*nowhere"):
        Checkout.here(folder).tip(str(folder / "nowhere"), "main")
