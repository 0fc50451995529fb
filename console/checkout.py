"""The checkout that the command stands in: its files, its commits, its remote."""

from __future__ import annotations

import getpass
import os
import re
import shlex
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from console.aws.git_credentials import is_signed
from console.errors import ConsoleError
from console.words import printable
from environments.schema import EnvironmentFileError, load_all, load_home

if TYPE_CHECKING:
    from environments.schema import Environment, Home

# Inside a git hook these would point every command at the hook's own repository.
_HOOK = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"}
# CodeConnections wants a signature by the caller's keys. The empty helper first removes the
# user's own helpers: they are not asked, and store no signature. Other URLs are the user's own.
_SIGNED = (
    "-c", "credential.helper=",
    "-c", f"credential.helper=!{shlex.quote(sys.executable)} -P -m console.aws.git_credentials",
    "-c", "credential.UseHttpPath=true",
)  # fmt: skip


_PROTECTED = re.compile(r"protected branch|GH006|GH013|TF402455", re.IGNORECASE)
"""What GitHub, GitLab and Azure Repos answer to a push to a branch that takes only merges."""


class PushRefusedError(ConsoleError):
    """The branch takes no such push: it has other commits, or takes only merges."""


@dataclass(frozen=True)
class Checkout:
    """A git checkout whose pyproject.toml has a `[tool.pithead]`."""

    root: Path

    @classmethod
    def here(cls, folder: Path | None = None) -> Checkout:
        """The checkout around a folder, by default the working directory.

        Raises:
            ConsoleError: there is none.
        """
        folder = folder or Path.cwd()
        done = _run(folder, "rev-parse", "--show-toplevel")
        if done.returncode != 0:
            raise ConsoleError(
                f"{folder} is in no git checkout; change into a checkout of the platform"
            )
        root = Path(os.fsdecode(done.stdout.removesuffix(b"\n")))
        try:
            project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
        except FileNotFoundError:
            project = {}
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConsoleError(f"pyproject.toml: no valid TOML: {error}") from error
        if "pithead" not in project.get("tool", {}):
            raise ConsoleError(
                f"{root} is no checkout of the platform: its pyproject.toml has no [tool.pithead]"
            )
        return cls(root)

    @property
    def state(self) -> Path:
        """Where its local cloud remembers."""
        return self.root / ".pithead"

    @property
    def rehearsal(self) -> Path:
        """Where the local cloud of its rehearsal remembers."""
        return self.state / "rehearsal"

    @property
    def states(self) -> tuple[Path, Path]:
        """Where a local cloud that is meant without being named remembers."""
        return self.state, self.rehearsal

    def home(self) -> Home:
        """Where its pipeline lives.

        Raises:
            ConsoleError: pyproject.toml does not say so.
        """
        try:
            return load_home(self.root)
        except EnvironmentFileError as error:
            raise ConsoleError(str(error)) from error

    def environments(self) -> dict[str, Environment]:
        """Its environments by name, in the order of promotion.

        Raises:
            ConsoleError: a file is wrong.
        """
        try:
            return load_all(self.root / "environments")
        except EnvironmentFileError as error:
            raise ConsoleError(str(error)) from error

    def commit(self, revision: str) -> str:
        """The id of a commit.

        Raises:
            ConsoleError: the revision names none.
        """
        done = _git(self.root, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
        if done.returncode != 0:
            raise ConsoleError(f"{revision} names no commit of this checkout; see git log")
        return done.stdout.strip()

    def subject(self, commit: str) -> str:
        """The first line of a commit's message, printable; empty if the commit is unknown here.

        git converts the message from the encoding that the commit declares. Bytes that are not
        of that encoding, and control characters, come as escapes.
        """
        done = _git(
            self.root,
            *("-c", "i18n.logOutputEncoding=UTF-8"),
            *("show", "--no-show-signature", "--no-patch", "--format=%s", commit),
        )
        return printable(done.stdout.strip())

    def has(self, commit: str) -> bool:
        """Whether the checkout's repository has a commit."""
        return _git(self.root, "cat-file", "-e", f"{commit}^{{commit}}").returncode == 0

    def is_ancestor(self, earlier: str, later: str) -> bool:
        """Whether `later` is `earlier` or descends from it; the repository has both.

        Raises:
            ConsoleError: the repository is too shallow to know.
        """
        done = _git(self.root, "merge-base", "--is-ancestor", earlier, later)
        if done.returncode == 0:
            return True
        shallow = _git(self.root, "rev-parse", "--is-shallow-repository").stdout.strip()
        if done.returncode != 1 or shallow == "true":
            raise ConsoleError(
                f"{self.root}: the history does not say whether {later[:7]} contains "
                f"{earlier[:7]}; if the clone is shallow, run git fetch --unshallow"
            )
        return False

    def fetch(self, url: str, branch: str) -> None:
        """Get the commits of a remote's branch; no ref of this repository changes.

        Raises:
            ConsoleError: git could not fetch.
        """
        quiet = ("--quiet", "--no-tags", "--no-write-fetch-head")
        done = _git(self.root, *_access(url), "fetch", *quiet, url, f"refs/heads/{branch}")
        if done.returncode != 0:
            raise ConsoleError(f"branch {branch} of {url} cannot be fetched: {_said(done)}")

    def user(self) -> str:
        """Return git's user.name, or the login name where git has none."""
        return _git(self.root, "config", "user.name").stdout.strip() or getpass.getuser()

    def uncommitted(self) -> int:
        """How many files differ from HEAD, untracked ones included."""
        return len(_git(self.root, "status", "--porcelain").stdout.splitlines())

    def tip(self, url: str, branch: str) -> str | None:
        """The commit that a branch is at in a remote repository, None where there is no branch.

        Raises:
            ConsoleError: the repository cannot be read.
        """
        done = _git(self.root, *_access(url), "ls-remote", url, f"refs/heads/{branch}")
        if done.returncode != 0:
            raise ConsoleError(f"{url} cannot be read: {_said(done)}")
        return done.stdout.split()[0] if done.stdout else None

    def remote_of(self, repository: str) -> str | None:
        """Return the URL of the remote that leads to a repository; `origin` if several do.

        Args:
            repository: `owner/name`, in the case that the host ignores.
        """
        names = _git(self.root, "remote").stdout.split()
        for name in sorted(names, key=lambda each: (each != "origin", each)):
            url = _git(self.root, "remote", "get-url", name).stdout.strip()
            path = url.rstrip("/").removesuffix(".git").lower()
            if path.endswith((f"/{repository.lower()}", f":{repository.lower()}")):
                return url
        return None

    def push(self, url: str, commit: str, branch: str) -> None:
        """Bring a remote's branch to a commit, forward only.

        Raises:
            PushRefusedError: the branch has commits that this one lacks.
            ConsoleError: git could not push.
        """
        done = _git(
            self.root, *_access(url), "push", "--porcelain", url, f"{commit}:refs/heads/{branch}"
        )
        if done.returncode == 0:
            return
        if _PROTECTED.search(done.stdout + done.stderr):
            raise PushRefusedError(
                f"{branch} of {url} is protected: {_said(done)}. Open a pull request; after the "
                f"merge, run git pull and pithead release"
            )
        if "non-fast-forward" in done.stdout or "fetch first" in done.stdout:
            raise PushRefusedError(
                f"{branch} has commits that {commit[:7]} lacks; bring them in "
                f'(git pull --rebase "$(pithead remote)" {branch}) and release again'
            )
        raise ConsoleError(f"git could not push to {url}: {_said(done)}")


def _access(url: str) -> tuple[str, ...]:
    """Return git's options for a URL: a signature for CodeConnections, else none."""
    return _SIGNED if is_signed(url) else ()


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run git; bytes that are not UTF-8 come as escapes."""
    done = _run(folder, *arguments)
    out, err = (each.decode(errors="backslashreplace") for each in (done.stdout, done.stderr))
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    environment = {name: value for name, value in os.environ.items() if name not in _HOOK}
    environment["GIT_TERMINAL_PROMPT"] = "0"
    environment["LC_ALL"] = "C"
    try:
        return subprocess.run(
            ["git", *arguments], cwd=folder, env=environment, capture_output=True, check=False
        )
    except FileNotFoundError as error:
        raise ConsoleError("git is missing; install it, e.g. apt-get install git") from error


def _said(done: subprocess.CompletedProcess[str]) -> str:
    """The sentence in what git wrote: a remote's own words, else the first that went wrong."""
    lines = [printable(line.strip()) for line in done.stderr.splitlines() if line.strip()]
    for sign in ("remote: ", "fatal: ", "error: "):
        found = [line.removeprefix(sign) for line in lines if line.startswith(sign)]
        if found:
            return found[0]
    return lines[-1] if lines else "it gave no reason"
