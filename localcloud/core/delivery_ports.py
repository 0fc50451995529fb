"""Protocols between builds, pipelines and repositories."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from localcloud.core.credentials import Session
    from localcloud.core.ports import BuildRequest, RunningBuild

PushSubscriber = Callable[[str, str, str, str], None]
"""Called with the connection's id, repository, branch and commit of each push."""


@dataclass(frozen=True)
class Commit:
    """A commit of a repository."""

    id: str
    message: str
    author: str
    date: str
    """ISO 8601."""


class BuildStarter(Protocol):
    """Starts builds."""

    def start_build(self, request: BuildRequest) -> RunningBuild:
        """Start a build; it is durable before this returns.

        Raises:
            BuildNotStartedError: CodeBuild rejects it.
        """
        ...


class PipelineStarter(Protocol):
    """Starts executions of pipelines."""

    def start_execution(self, account: str, region: str, pipeline: str, trigger: str) -> bool:
        """Start an execution; return False if the pipeline does not exist."""
        ...


class RepositoryReader(Protocol):
    """Repositories as a build clones them."""

    def folder(self, connection_arn: str, repository: str) -> Path:
        """Return the folder of a repository, which need not exist."""
        ...

    def authorization(self, url: str, session: Session) -> str:
        """Return the `Authorization` header with which a role's session reads a repository."""
        ...


class SourceRepositories(Protocol):
    """Repositories as a pipeline's source actions read them."""

    def ensure_repository(self, connection_arn: str, repository: str) -> None:
        """Create the repository unless it exists.

        Raises:
            RepositoryError: the connection does not exist, or the name is invalid.
        """
        ...

    def resolve(self, connection_arn: str, repository: str, branch: str) -> str | None:
        """Return the commit of a branch, or None if the branch does not exist."""
        ...

    def commit(self, connection_arn: str, repository: str, commit: str) -> Commit:
        """Return a commit.

        Raises:
            RepositoryError: it does not exist.
        """
        ...

    def archive(self, connection_arn: str, repository: str, commit: str) -> bytes:
        """Return the tree of a commit as a zip.

        Raises:
            RepositoryError: the commit does not exist, or it has a submodule.
        """
        ...

    def clone_url(self, connection_arn: str, repository: str) -> str:
        """Return the HTTP address of a repository."""
        ...

    def subscribe(self, subscriber: PushSubscriber) -> Callable[[], None]:
        """Call the subscriber with each push; return a function that ends the subscription."""
        ...
