"""The checkout that a command runs in: its files, its commits, its remotes."""

from __future__ import annotations

import getpass
import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from console.errors import ConsoleError
from console.git import access_options, error_message, run_git, run_git_bytes
from console.words import printable
from environments.schema import EnvironmentFileError, load_all, load_home

if TYPE_CHECKING:
    from environments.schema import Environment, Home

_PROTECTED_BRANCH = re.compile(r"protected branch|GH006|GH013|TF402455", re.IGNORECASE)
"""What GitHub, GitLab and Azure Repos answer to a push to a branch that only merges may change."""


class PushRefusedError(ConsoleError):
    """The branch has commits that the pushed one lacks, or only merges may change it."""


@dataclass(frozen=True)
class Checkout:
    """A git checkout whose pyproject.toml has a table `[tool.pithead]`."""

    root: Path

    @classmethod
    def here(cls, folder: Path | None = None) -> Checkout:
        """Return the checkout that contains a folder, by default the working directory.

        Raises:
            ConsoleError: no checkout of the platform contains it.
        """
        folder = folder or Path.cwd()
        done = run_git_bytes(folder, "rev-parse", "--show-toplevel")
        if done.returncode != 0:
            raise ConsoleError(
                f"{folder}: found no git checkout. Change into a checkout of the platform"
            )
        root = Path(os.fsdecode(done.stdout.removesuffix(b"\n")))
        try:
            project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
        except FileNotFoundError:
            project = {}
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConsoleError(
                f"pyproject.toml: found invalid TOML: {error}. Correct it"
            ) from error
        if "pithead" not in project.get("tool", {}):
            raise ConsoleError(
                f"{root}: found no [tool.pithead] in pyproject.toml. Change into a checkout of the "
                "platform"
            )
        return cls(root)

    @property
    def state(self) -> Path:
        """The state folder of the checkout's local cloud."""
        return self.root / ".pithead"

    @property
    def rehearsal(self) -> Path:
        """The state folder of the rehearsal's local cloud."""
        return self.state / "rehearsal"

    @property
    def states(self) -> tuple[Path, Path]:
        """The state folders in which commands search for a running local cloud, in order."""
        return self.state, self.rehearsal

    def home(self) -> Home:
        """Return the pipeline's account, region, repository and branch.

        Raises:
            ConsoleError: `[tool.pithead]` of pyproject.toml is invalid.
        """
        try:
            return load_home(self.root)
        except EnvironmentFileError as error:
            raise ConsoleError(str(error)) from error

    def environments(self) -> dict[str, Environment]:
        """Return the environments by name, in the order of promotion.

        Raises:
            ConsoleError: an environment file is invalid.
        """
        try:
            return load_all(self.root / "environments")
        except EnvironmentFileError as error:
            raise ConsoleError(str(error)) from error

    def commit(self, revision: str) -> str:
        """Return the id of the commit that a revision names.

        Raises:
            ConsoleError: the revision names no commit.
        """
        done = run_git(self.root, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
        if done.returncode != 0:
            raise ConsoleError(
                f"{revision}: found no such commit in this checkout. git log lists its commits"
            )
        return done.stdout.strip()

    def subject(self, commit: str) -> str:
        """Return the first line of a commit's message; empty if the commit is unknown.

        git converts the message from the encoding that the commit declares. Bytes that are not
        of that encoding, and control characters, become escapes.
        """
        done = run_git(
            self.root,
            *("-c", "i18n.logOutputEncoding=UTF-8"),
            *("show", "--no-show-signature", "--no-patch", "--format=%s", commit),
        )
        return printable(done.stdout.strip())

    def has(self, commit: str) -> bool:
        """Return whether the checkout's repository has a commit."""
        return run_git(self.root, "cat-file", "-e", f"{commit}^{{commit}}").returncode == 0

    def is_ancestor(self, earlier: str, later: str) -> bool:
        """Return whether `later` is `earlier` or descends from it; both exist here.

        Raises:
            ConsoleError: the clone is too shallow to decide.
        """
        done = run_git(self.root, "merge-base", "--is-ancestor", earlier, later)
        if done.returncode == 0:
            return True
        shallow = run_git(self.root, "rev-parse", "--is-shallow-repository").stdout.strip()
        if done.returncode != 1 or shallow == "true":
            raise ConsoleError(
                f"{self.root}: the history does not show whether {later[:7]} contains "
                f"{earlier[:7]}. If the clone is shallow, run git fetch --unshallow"
            )
        return False

    def fetch(self, url: str, branch: str) -> None:
        """Fetch the commits of a remote's branch; no ref of this repository changes.

        Raises:
            ConsoleError: git could not fetch.
        """
        quiet = ("--quiet", "--no-tags", "--no-write-fetch-head")
        done = run_git(
            self.root, *access_options(url), "fetch", *quiet, url, f"refs/heads/{branch}"
        )
        if done.returncode != 0:
            raise ConsoleError(f"branch {branch} of {url} cannot be fetched: {error_message(done)}")

    def user(self) -> str:
        """Return git's user.name, or the login name if git has none."""
        return run_git(self.root, "config", "user.name").stdout.strip() or getpass.getuser()

    def uncommitted(self) -> int:
        """Return the number of files that differ from HEAD, untracked ones included."""
        return len(run_git(self.root, "status", "--porcelain").stdout.splitlines())

    def tip(self, url: str, branch: str) -> str | None:
        """Return the newest commit of a remote's branch; None if there is no such branch.

        Raises:
            ConsoleError: the repository cannot be read.
        """
        done = run_git(self.root, *access_options(url), "ls-remote", url, f"refs/heads/{branch}")
        if done.returncode != 0:
            raise ConsoleError(f"{url} cannot be read: {error_message(done)}")
        return done.stdout.split()[0] if done.stdout else None

    def remote_of(self, repository: str) -> str | None:
        """Return the URL of the git remote of a repository; `origin` if there are several.

        Args:
            repository: `owner/name`; upper and lower case are the same.
        """
        names = run_git(self.root, "remote").stdout.split()
        for name in sorted(names, key=lambda each: (each != "origin", each)):
            url = run_git(self.root, "remote", "get-url", name).stdout.strip()
            path = url.rstrip("/").removesuffix(".git").lower()
            if path.endswith((f"/{repository.lower()}", f":{repository.lower()}")):
                return url
        return None

    def push(self, url: str, commit: str, branch: str) -> None:
        """Push a commit to a remote's branch, fast-forward only.

        Raises:
            PushRefusedError: the branch has commits that this one lacks, or is protected.
            ConsoleError: git could not push.
        """
        refspec = f"{commit}:refs/heads/{branch}"
        done = run_git(self.root, *access_options(url), "push", "--porcelain", url, refspec)
        if done.returncode == 0:
            return
        if _PROTECTED_BRANCH.search(done.stdout + done.stderr):
            raise PushRefusedError(
                f"branch {branch} of {url} is protected: {error_message(done).rstrip('.')}. Open a "
                "pull request; after the merge, run git pull and pithead release"
            )
        if "non-fast-forward" in done.stdout or "fetch first" in done.stdout:
            raise PushRefusedError(
                f"branch {branch} has commits that {commit[:7]} lacks. Run git pull --rebase "
                f'"$(pithead remote)" {branch}, then pithead release'
            )
        raise ConsoleError(f"git could not push to {url}: {error_message(done)}")
