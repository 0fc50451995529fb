"""Bare repositories on disk, and git's own HTTP backend in front of them."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

from localcloud.core.delivery_ports import Commit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

_SUBMODULE = "160000"
# Neither the user's git configuration nor a git that this process runs below has a say.
_CLEAN = {
    "PATH": os.environ.get("PATH", os.defpath),
    "LANG": "C.UTF-8",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
}


class RepositoryError(Exception):
    """Git could not do what was asked, or the repository holds what cannot be honoured."""


class Repositories:
    """The repositories below a folder, by connection id and `owner/name`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, connection: str, repository: str) -> Path:
        """Where a repository is, or would be."""
        return self._folder / connection / f"{repository}.git"

    def exists(self, connection: str, repository: str) -> bool:
        """Whether anything has named it yet."""
        return (self.path(connection, repository) / "HEAD").exists()

    def all(self, connection: str) -> list[str]:
        """`owner/name` of each repository of a connection."""
        found = (self._folder / connection).glob("*/*.git")
        return sorted(f"{each.parent.name}/{each.name.removesuffix('.git')}" for each in found)

    def create(self, connection: str, repository: str) -> None:
        """Make it, unless it is there."""
        path = self.path(connection, repository)
        if self.exists(connection, repository):
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        made = path.with_name(f".{path.name}.{os.getpid()}")
        _git("init", "--quiet", "--bare", "--template=", "--initial-branch=main", str(made))
        # Its answer would wait for a garbage collection that goes on in the background.
        for setting in ("http.receivepack=true", "receive.autogc=false", "gc.auto=0"):
            _git("-C", str(made), "config", *setting.split("="))
        made.rename(path)

    def branches(self, connection: str, repository: str) -> dict[str, str]:
        """Branch names and the commits that they are at."""
        listed = self._in(
            connection,
            repository,
            "for-each-ref",
            "--format=%(refname:lstrip=2) %(objectname)",
            "refs/heads",
        )
        return dict(line.rsplit(" ", 1) for line in listed.decode().splitlines())

    def commit(self, connection: str, repository: str, commit: str) -> Commit:
        """What a commit says of itself.

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
        """The tree of a commit as a zip: links as links, executables executable.

        Raises:
            RepositoryError: there is no such commit, or it has a submodule.
        """
        tree = self._in(connection, repository, "ls-tree", "-r", "--end-of-options", commit)
        for line in tree.decode(errors="replace").splitlines():
            if line.startswith(_SUBMODULE):
                raise RepositoryError(
                    f"{line.split(chr(9), 1)[1]} of {repository} is a submodule; submodules are "
                    "not part of a source artifact"
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
        variables = _CLEAN | {
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
            return [done.stderr or b"git http-backend gave no answer\n"]
        headers = [
            tuple(line.split(": ", 1)) for line in head.decode().splitlines() if ": " in line
        ]
        status = next((value for name, value in headers if name == "Status"), "200 OK")
        start_response(status, [each for each in headers if each[0] != "Status"])
        return [body]

    def _in(self, connection: str, repository: str, *arguments: str) -> bytes:
        return _git("-C", str(self.path(connection, repository)), *arguments)


def _git(*arguments: str) -> bytes:
    done = subprocess.run(["git", *arguments], capture_output=True, check=False, env=_CLEAN)
    if done.returncode != 0:
        raise RepositoryError(done.stderr.decode(errors="replace").strip())
    return done.stdout
