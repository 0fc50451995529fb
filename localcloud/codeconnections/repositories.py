"""Bare repositories on disk, and git's own HTTP backend in front of them."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path


@dataclass(frozen=True)
class Commit:
    """A commit as a source action tells of it."""

    id: str
    message: str
    author: str
    date: str


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

    def create(self, connection: str, repository: str) -> None:
        """Make it, unless it is there."""
        if self.exists(connection, repository):
            return
        path = self.path(connection, repository)
        path.mkdir(parents=True)
        _git("init", "--quiet", "--bare", "--initial-branch=main", str(path))
        _git("-C", str(path), "config", "http.receivepack", "true")

    def refs(self, connection: str, repository: str) -> dict[str, str]:
        """Branch names and the commits that they are at."""
        listed = _git(
            "-C",
            str(self.path(connection, repository)),
            "for-each-ref",
            "--format=%(refname:lstrip=2) %(objectname)",
            "refs/heads",
        )
        return dict(line.rsplit(" ", 1) for line in listed.decode().splitlines())

    def commit(self, connection: str, repository: str, commit: str) -> Commit:
        """What a commit says of itself."""
        shown = _git(
            "-C",
            str(self.path(connection, repository)),
            "show",
            "--no-patch",
            "--format=%H%x00%an%x00%aI%x00%B",
            commit,
        )
        sha, author, date, message = shown.decode(errors="replace").split("\0", 3)
        return Commit(sha, message.strip(), author, date)

    def archive(self, connection: str, repository: str, commit: str) -> bytes:
        """The tree of a commit as a zip."""
        path = str(self.path(connection, repository))
        return _git("-C", path, "archive", "--format=zip", "-0", commit)

    def serve(
        self,
        connection: str,
        repository: str,
        rest: str,
        environ: dict[str, Any],
        start_response: Callable[..., Any],
    ) -> Iterable[bytes]:
        """Run `git http-backend`, a CGI program, for one request."""
        variables = {
            "PATH": os.environ.get("PATH", os.defpath),
            "GIT_PROJECT_ROOT": str(self.path(connection, repository)),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": f"/{rest}",
            "QUERY_STRING": environ.get("QUERY_STRING", ""),
            "REQUEST_METHOD": environ["REQUEST_METHOD"],
            "CONTENT_TYPE": environ.get("CONTENT_TYPE", ""),
            "CONTENT_LENGTH": environ.get("CONTENT_LENGTH", ""),
            "REMOTE_ADDR": "127.0.0.1",
            "REMOTE_USER": "local",
        }
        for name in ("HTTP_CONTENT_ENCODING", "HTTP_GIT_PROTOCOL"):
            if name in environ:
                variables[name] = environ[name]
        variables["GIT_PROTOCOL"] = environ.get("HTTP_GIT_PROTOCOL", "")
        done = subprocess.run(
            ["git", "http-backend"],
            input=environ["wsgi.input"].read(),
            env=variables,
            capture_output=True,
            check=False,
        )
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        headers = [
            tuple(line.split(": ", 1)) for line in head.decode().splitlines() if ": " in line
        ]
        status = next((value for name, value in headers if name == "Status"), "200 OK")
        start_response(status, [each for each in headers if each[0] != "Status"])
        return [body]


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], capture_output=True, check=True).stdout
