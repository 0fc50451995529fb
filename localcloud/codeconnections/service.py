"""CodeConnections: connections, their repositories, and subscriptions to pushes."""

from __future__ import annotations

import re
import threading
import uuid
from typing import TYPE_CHECKING, Any

from localcloud.codeconnections.authentication import (
    GitCredentialsError,
    authenticate,
    header,
    sign,
)
from localcloud.codeconnections.provider import ConnectionProvider
from localcloud.codeconnections.repositories import Repositories, RepositoryError
from localcloud.iam.actions.delivery import use_connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from localcloud.core.core import Core
    from localcloud.core.credentials import Session
    from localcloud.core.delivery_ports import Commit, PushSubscriber
    from localcloud.core.providers import Provider
    from localcloud.iam.access import Access

_KIND = "codeconnections:connection"
_DELIVERED = "codeconnections:told"
_NAME = r"[\w-][\w.-]*"
_REPOSITORY = re.compile(f"{_NAME}/{_NAME}")
_PATH = re.compile(rf"(/git-http/(\d{{12}})/([\w-]+)/([\w-]+)/({_NAME}/{_NAME}?)\.git)/(.+)")


class _ForbiddenError(Exception):
    """The caller's role may not use the connection."""


class CodeConnections:
    """See `localcloud.core.service_api.Service`.

    Repositories are served at `/git-http/ACCOUNT/REGION/CONNECTION_ID/OWNER/NAME.git`, as on AWS.
    """

    def __init__(self, core: Core, access: Access) -> None:
        self.core = core
        self._access = access
        provider = ConnectionProvider(self.create, self.delete)
        self.providers: dict[str, Provider] = {
            "AWS::CodeConnections::Connection": provider,
            "AWS::CodeStarConnections::Connection": provider,
        }
        self.repositories = Repositories(core.ledger.folder / "git")
        self._subscribers: list[PushSubscriber] = []
        self._push_lock = threading.Lock()
        for service in ("codeconnections", "codestar-connections"):
            access.tags.register(service, self._tags)

    def start(self) -> None:
        """Do nothing: state is on disk, and `subscribe` delivers pushes that are pending."""

    def stop(self) -> None:
        """Do nothing: the service has no threads."""

    def create(
        self, account: str, region: str, name: str, provider: str, tags: dict[str, str]
    ) -> str:
        """Create a connection; return its ARN."""
        arn = f"arn:aws:codeconnections:{region}:{account}:connection/{uuid.uuid4()}"
        self.core.ledger.put(
            _KIND,
            arn,
            {
                "ConnectionName": name,
                "ConnectionArn": arn,
                "ProviderType": provider,
                "OwnerAccountId": account,
                "ConnectionStatus": "AVAILABLE",
                "tags": tags,
            },
        )
        return arn

    def find(self, connection_arn: str) -> dict[str, Any] | None:
        """Return a connection in the API's shape with its `tags`, or None."""
        return self.core.ledger.get(_KIND, _current_arn(connection_arn))

    def _tags(self, account: str, region: str, resource: str) -> dict[str, str]:
        """Return the tags of the resource `connection/ID`."""
        found = self.find(f"arn:aws:codeconnections:{region}:{account}:{resource}")
        return dict(found.get("tags") or {}) if found else {}

    def connections(self, account: str, region: str) -> list[dict[str, Any]]:
        """List the connections of an account in a region, without their tags."""
        found = self.core.ledger.all(_KIND, f"arn:aws:codeconnections:{region}:{account}:")
        return [{name: each[name] for name in each if name != "tags"} for _, each in found]

    def delete(self, connection_arn: str) -> None:
        """Delete a connection; its repositories stay on disk."""
        self.core.ledger.delete(_KIND, _current_arn(connection_arn))

    def ensure_repository(self, connection_arn: str, repository: str) -> None:
        """Create the repository if it does not exist.

        Raises:
            RepositoryError: the connection does not exist, or the repository's name is not valid.
        """
        if self.find(connection_arn) is None:
            raise RepositoryError(f"Connection not found: {connection_arn}")
        if not _REPOSITORY.fullmatch(repository):
            raise RepositoryError(f"{repository} is not a repository name; use owner/name")
        self.repositories.create(_id(connection_arn), repository)

    def resolve(self, connection_arn: str, repository: str, branch: str) -> str | None:
        """Return the commit of a branch, or None if branch or repository do not exist."""
        connection = _id(connection_arn)
        if not self.repositories.exists(connection, repository):
            return None
        return self.repositories.branches(connection, repository).get(branch)

    def commit(self, connection_arn: str, repository: str, commit: str) -> Commit:
        """Return the details of a commit.

        Raises:
            RepositoryError: there is no such commit.
        """
        return self.repositories.commit(_id(connection_arn), repository, commit)

    def archive(self, connection_arn: str, repository: str, commit: str) -> bytes:
        """Return the tree of a commit as a zip.

        Raises:
            RepositoryError: there is no such commit, or it has a submodule.
        """
        return self.repositories.archive(_id(connection_arn), repository, commit)

    def clone_url(self, connection_arn: str, repository: str) -> str:
        """Return the URL from which git clones a repository."""
        region, account = connection_arn.split(":")[3:5]
        place = f"{account}/{region}/{_id(connection_arn)}/{repository}.git"
        return f"{self.core.endpoint}/git-http/{place}"

    def authorization(self, url: str, session: Session) -> str:
        """Return the header by which a session reads a repository's URL."""
        return header(*sign(url, session.access_key, session.secret_key, session.token))

    def folder(self, connection_arn: str, repository: str) -> Path:
        """Return the local folder of a repository, which need not exist."""
        return self.repositories.path(_id(connection_arn), repository)

    def subscribe(self, subscriber: PushSubscriber) -> Callable[[], None]:
        """Call `subscriber` for each push; return a function that unsubscribes it.

        The arguments are connection id, repository, branch and commit. Pushes whose delivery an
        earlier process did not record come first, so a push may be delivered twice.
        """
        with self._push_lock:
            self._subscribers.append(subscriber)
            for arn, _ in self.core.ledger.all(_KIND):
                connection = _id(arn)
                for repository in self.repositories.all(connection):
                    self._deliver(connection, repository)

        def unsubscribe() -> None:
            # Wait for a delivery in progress: it goes to every subscriber.
            with self._push_lock:
                self._subscribers.remove(subscriber)

        return unsubscribe

    def git(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Serve git's HTTP protocol, as the WSGI application below `/git-http/`."""
        try:
            connection, repository, rest = self._authorize(environ)
        except GitCredentialsError as error:
            return _challenge(start_response, f"{error}; use the URL that pithead remote prints")
        except RepositoryError as error:
            return _reject(start_response, str(error))
        except _ForbiddenError as error:
            return _reject(start_response, str(error), "403 Forbidden")
        if rest != "git-receive-pack":
            return self.repositories.serve(connection, repository, rest, environ, start_response)
        # One push at a time, so that pushes are delivered in order.
        with self._push_lock:
            answer = self.repositories.serve(connection, repository, rest, environ, start_response)
            self._deliver(connection, repository)
        return answer

    def _authorize(self, environ: dict[str, Any]) -> tuple[str, str, str]:
        """Authorize a request; return connection, repository and the rest of the path.

        Raises:
            GitCredentialsError: the request has no valid signature.
            RepositoryError: the path is not that of a repository in the caller's account.
            _ForbiddenError: the caller's role may not use the connection.
        """
        found = _PATH.fullmatch(environ["PATH_INFO"])
        if found is None:
            raise RepositoryError("The path is not the address of a repository.")
        path, account, region, connection, repository, rest = found.groups()
        authorization, host = environ.get("HTTP_AUTHORIZATION", ""), environ["HTTP_HOST"]
        credentials = self.core.credentials
        key = authenticate(authorization, host, path, region, credentials)
        arn = f"arn:aws:codeconnections:{region}:{account}:connection/{connection}"
        if credentials.account(key) != account or self.find(arn) is None:
            raise RepositoryError(f"Connection not found: {arn}")
        if not self.repositories.exists(connection, repository):
            raise RepositoryError(
                f"Repository {repository} is unknown: no pipeline or repository link of "
                f"connection {connection} names it."
            )
        session = credentials.session(key)
        if session is not None:
            pushes = "git-receive-pack" in f"{rest} {environ.get('QUERY_STRING', '')}"
            use = use_connection(arn, repository, action="GitPush" if pushes else "GitPull")
            refused = self._access.own_call(session, region, use)
            if refused is not None:
                raise _ForbiddenError(refused.message)
        return connection, repository, rest

    def _deliver(self, connection: str, repository: str) -> None:
        """Deliver every branch whose commit differs from the last delivered one."""
        if not self._subscribers:
            return
        key = f"{connection}/{repository}"
        told = (self.core.ledger.get(_DELIVERED, key) or {}).get("branches", {})
        branches = self.repositories.branches(connection, repository)
        for branch, commit in branches.items():
            if told.get(branch) != commit:
                for subscriber in self._subscribers:
                    subscriber(connection, repository, branch, commit)
        if told != branches:
            self.core.ledger.put(_DELIVERED, key, {"branches": branches})


def _id(connection_arn: str) -> str:
    return connection_arn.rsplit("/", 1)[-1]


def _current_arn(connection_arn: str) -> str:
    """Return the ARN with the current prefix of the service."""
    return connection_arn.replace(":codestar-connections:", ":codeconnections:", 1)


def _reject(start_response: Any, sentence: str, status: str = "404 Not Found") -> Iterable[bytes]:
    # git shows the body of an error only if it is plain text.
    start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
    return [sentence.encode() + b"\n"]


def _challenge(start_response: Any, sentence: str) -> Iterable[bytes]:
    # git then asks its credential helpers, and shows the body only if it is plain text.
    headers = [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("WWW-Authenticate", 'Basic realm="CodeConnections"'),
    ]
    start_response("401 Unauthorized", headers)
    return [sentence.encode() + b"\n"]
