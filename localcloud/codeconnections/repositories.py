"""Bare git repositories on disk, served by `git http-backend`."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

from localcloud.core.delivery_ports import Commit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

_SUBMODULE = "160000"
# Git must not read the user's configuration, nor the variables of a git that started us.
_GIT_VARIABLES = {
    "PATH": os.environ.get("PATH", os.defpath),
    "LANG": "C.UTF-8",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
}


class RepositoryError(Exception):
    """Git failed, or the repository has content that is not supported."""


class Repositories:
    """The repositories below a folder, by connection id and `owner/name`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, connection: str, repository: str) -> Path:
        """Return the folder of a repository, which need not exist."""
        return self._folder / connection / f"{repository}.git"

    def exists(self, connection: str, repository: str) -> bool:
        """Whether a repository was created."""
        return (self.path(connection, repository) / "HEAD").exists()

    def all(self, connection: str) -> list[str]:
        """List the repositories of a connection as `owner/name`."""
        found = (self._folder / connection).glob("*/*.git")
        return sorted(f"{each.parent.name}/{each.name.removesuffix('.git')}" for each in found)

    def create(self, connection: str, repository: str) -> None:
        """Create a repository if it does not exist."""
        path = self.path(connection, repository)
        if self.exists(connection, repository):
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        made = path.with_name(f".{path.name}.{os.getpid()}")
        _git("init", "--quiet", "--bare", "--template=", "--initial-branch=main", str(made))
        # Otherwise the response to a push waits for a background garbage collection.
        for setting in ("http.receivepack=true", "receive.autogc=false", "gc.auto=0"):
            _git("-C", str(made), "config", *setting.split("="))
        made.rename(path)

    def branches(self, connection: str, repository: str) -> dict[str, str]:
        """Return the commit of each branch, by branch name."""
        listed = self._in(
            connection,
            repository,
            "for-each-ref",
            "--format=%(refname:lstrip=2) %(objectname)",
            "refs/heads",
        )
        return dict(line.rsplit(" ", 1) for line in listed.decode().splitlines())

    def commit(self, connection: str, repository: str, commit: str) -> Commit:
        """Return the details of a commit.

        Raises:
            RepositoryError: there is no such commit.
        """
        shown = self._in(
            connection,
            repository,
            "show",
            "--no-patch",
            "--format=%H%x00%an%x00%aI%x00%B",
            "--end-of-options",
            f"{commit}^{{commit}}",
        )
        sha, author, date, message = shown.decode(errors="replace").split("\0", 3)
        return Commit(sha, message.strip(), author, date)

    def archive(self, connection: str, repository: str, commit: str) -> bytes:
        """Return a commit's tree as a zip that keeps symbolic links and executable bits.

        Raises:
            RepositoryError: there is no such commit, or it has a submodule.
        """
        tree = self._in(connection, repository, "ls-tree", "-r", "--end-of-options", commit)
        for line in tree.decode(errors="replace").splitlines():
            if line.startswith(_SUBMODULE):
                raise RepositoryError(
                    f"{line.split(chr(9), 1)[1]} of {repository} is a submodule; a source "
                    "artifact cannot contain submodules"
                )
        return self._in(connection, repository, "archive", "--format=zip", "-0", commit)

    def serve(
        self,
        connection: str,
        repository: str,
        rest: str,
        environ: dict[str, Any],
        start_response: Callable[..., Any],
    ) -> Iterable[bytes]:
        """Run `git http-backend`, a CGI program, for one request."""
        variables = _GIT_VARIABLES | {
            "GIT_PROJECT_ROOT": str(self.path(connection, repository)),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": f"/{rest}",
            "QUERY_STRING": environ.get("QUERY_STRING", ""),
            "REQUEST_METHOD": environ["REQUEST_METHOD"],
            "CONTENT_TYPE": environ.get("CONTENT_TYPE", ""),
            "CONTENT_LENGTH": environ.get("CONTENT_LENGTH", ""),
            "REMOTE_ADDR": "127.0.0.1",
            "REMOTE_USER": "local",
            "HTTP_CONTENT_ENCODING": environ.get("HTTP_CONTENT_ENCODING", ""),
            "GIT_PROTOCOL": environ.get("HTTP_GIT_PROTOCOL", ""),
        }
        done = subprocess.run(
            ["git", "http-backend"],
            input=environ["wsgi.input"].read(),
            env=variables,
            capture_output=True,
            check=False,
        )
        head, found, body = done.stdout.partition(b"\r\n\r\n")
        if not found:
            start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
            return [done.stderr or b"git http-backend returned no response\n"]
        headers = [
            tuple(line.split(": ", 1)) for line in head.decode().splitlines() if ": " in line
        ]
        status = next((value for name, value in headers if name == "Status"), "200 OK")
        start_response(status, [each for each in headers if each[0] != "Status"])
        return [body]

    def _in(self, connection: str, repository: str, *arguments: str) -> bytes:
        return _git("-C", str(self.path(connection, repository)), *arguments)


def _git(*arguments: str) -> bytes:
    done = subprocess.run(["git", *arguments], capture_output=True, check=False, env=_GIT_VARIABLES)
    if done.returncode != 0:
        raise RepositoryError(done.stderr.decode(errors="replace").strip())
    return done.stdout
