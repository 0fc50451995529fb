from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
import threading
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.codeconnections.authentication import (
    GitCredentialsError,
    authenticate,
    header,
    sign,
)
from localcloud.codeconnections.repositories import RepositoryError
from localcloud.core.delays import NO_DELAYS
from localcloud.core.providers import ProvisioningError, ResourceRequest
from localcloud.server import LocalCloud

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ACCOUNT, REGION = "111111111111", "eu-west-1"
SERVICES = ("sts", "codeconnections")
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
}


class Checkout:
    """A user's clone, and the URL that it pushes to."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str, fails: bool = False) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stderr
        return (done.stderr if fails else done.stdout).strip()

    def commit(self, message: str = "a commit", **files: str) -> str:
        for name, text in files.items():
            (self.folder / name).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def push(self, *arguments: str, fails: bool = False) -> str:
        return self.git("push", "--quiet", self.url, *arguments, fails=fails)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    server = LocalCloud(tmp_path_factory.mktemp("connections"), services=SERVICES, delays=NO_DELAYS)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def client(server: LocalCloud) -> Any:
    return server.cloud.client("codeconnections", ACCOUNT, REGION)


@pytest.fixture
def arn(client: Any) -> str:
    created = client.create_connection(ConnectionName="github", ProviderType="GitHub")
    return str(created["ConnectionArn"])


@pytest.fixture
def checkout(server: LocalCloud, client: Any, arn: str, tmp_path: Path) -> Checkout:
    client.create_repository_link(ConnectionArn=arn, OwnerId="acme", RepositoryName="shop")
    return Checkout(tmp_path / "checkout", address(server, arn))


@pytest.fixture
def pushes(server: LocalCloud, arn: str) -> Iterator[list[tuple[str, str]]]:
    """Branch and commit of every push that is delivered."""
    told: list[tuple[str, str]] = []
    mine = arn.rsplit("/", 1)[-1]

    def subscriber(connection: str, _repository: str, branch: str, commit: str) -> None:
        if connection == mine:
            told.append((branch, commit))

    unsubscribe = server.cloud.codeconnections.subscribe(subscriber)
    yield told
    unsubscribe()


def address(server: LocalCloud, arn: str, repository: str = "acme/shop") -> str:
    url = server.cloud.codeconnections.clone_url(arn, repository)
    return signed(url, server.cloud.credentials.secret_key)


def signed(url: str, secret_key: str, account: str = ACCOUNT) -> str:
    user, password = sign(url, account, secret_key)
    return url.replace("://", f"://{user}:{password}@")


def test_an_expired_session_reads_no_repository(server: LocalCloud) -> None:
    credentials = server.cloud.credentials
    session = credentials.assume(f"arn:aws:iam::{ACCOUNT}:role/r", "me", seconds=-1)
    url = "http://127.0.0.1:1/git-http/acme/shop.git"
    user, password = sign(url, session.access_key, session.secret_key, session.token)
    with pytest.raises(GitCredentialsError, match=f"session of access key {session.access_key}"):
        authenticate(header(user, password), "127.0.0.1", "/acme/shop.git", REGION, credentials)


class TestPush:
    def test_a_push_is_announced_with_its_branch_and_commit(
        self, checkout: Checkout, pushes: list[tuple[str, str]]
    ) -> None:
        first = checkout.commit()
        checkout.push("main")
        second = checkout.commit()
        checkout.push("main", "main:feature/x")
        checkout.push("main")
        assert pushes == [("main", first), ("feature/x", second), ("main", second)]

    def test_a_forced_push_a_deleted_branch_and_a_tag(
        self, checkout: Checkout, pushes: list[tuple[str, str]], server: LocalCloud, arn: str
    ) -> None:
        first = checkout.commit()
        second = checkout.commit()
        checkout.push("main", "main:other")
        checkout.git("reset", "--quiet", "--hard", first)
        assert "rejected" in checkout.push("main", fails=True)
        checkout.push("--force", "main")
        checkout.push("--delete", "other")
        checkout.git("tag", "v1")
        checkout.push("v1")
        assert pushes == [("main", second), ("other", second), ("main", first)]
        assert server.cloud.codeconnections.resolve(arn, "acme/shop", "main") == first
        assert server.cloud.codeconnections.resolve(arn, "acme/shop", "other") is None
        assert server.cloud.codeconnections.resolve(arn, "acme/none", "main") is None

    def test_a_large_push_and_a_clone(
        self, checkout: Checkout, pushes: list[tuple[str, str]], tmp_path: Path
    ) -> None:
        # Above http.postBuffer git sends chunks, after a probe request.
        (checkout.folder / "large").write_bytes(os.urandom(3_000_000))
        for number in range(60):
            checkout.git("branch", f"b{number}", checkout.commit(f"{number}"))
        commit = checkout.commit()
        checkout.push("--all")
        assert ("main", commit) in pushes
        # With this many branches, git compresses the body of a fetch.
        checkout.git("clone", "--quiet", "--mirror", checkout.url, str(tmp_path / "clone"))
        again = checkout.git("--git-dir", str(tmp_path / "clone"), "rev-parse", "main")
        assert again == commit

    def test_an_unknown_repository_is_an_error_of_one_sentence(
        self, checkout: Checkout, server: LocalCloud, arn: str
    ) -> None:
        checkout.commit()
        checkout.url = address(server, arn, "acme/nobody")
        assert "acme/nobody is unknown" in checkout.push("main", fails=True)
        checkout.url = address(server, f"a:b:c:{REGION}:{ACCOUNT}:x/0-0-0")
        assert "Connection not found" in checkout.push("main", fails=True)


class TestSources:
    def test_an_archive_has_links_and_executables(
        self, checkout: Checkout, server: LocalCloud, arn: str
    ) -> None:
        (checkout.folder / "link").symlink_to("run")
        (checkout.folder / "run").write_text("#!/bin/sh\n")
        (checkout.folder / "run").chmod(0o755)
        commit = checkout.commit("first line\n\nmore", plain="text")
        checkout.push("main")
        connections = server.cloud.codeconnections
        content = io.BytesIO(connections.archive(arn, "acme/shop", commit))
        with zipfile.ZipFile(content) as archive:
            modes = {each.filename: each.external_attr >> 16 for each in archive.infolist()}
        assert stat.S_ISLNK(modes["link"])
        assert modes["run"] & 0o111
        assert not modes["plain"] & 0o111
        told = connections.commit(arn, "acme/shop", commit)
        assert (told.id, told.author, told.message) == (commit, "Ada", "first line\n\nmore")
        with pytest.raises(RepositoryError):
            connections.commit(arn, "acme/shop", "f" * 40)

    def test_a_submodule_is_refused_by_its_name(
        self, checkout: Checkout, server: LocalCloud, arn: str
    ) -> None:
        inner = checkout.commit()
        checkout.git("update-index", "--add", "--cacheinfo", f"160000,{inner},vendor/lib")
        checkout.git("commit", "--quiet", "--message", "submodule")
        commit = checkout.git("rev-parse", "HEAD")
        checkout.push("main")
        with pytest.raises(RepositoryError, match="vendor/lib of acme/shop is a submodule"):
            server.cloud.codeconnections.archive(arn, "acme/shop", commit)


class TestApi:
    def test_connections(self, client: Any, server: LocalCloud) -> None:
        tags = [{"Key": "owner", "Value": "us"}]
        made = client.create_connection(ConnectionName="c", ProviderType="GitHub", Tags=tags)
        arn = made["ConnectionArn"]
        found = client.get_connection(ConnectionArn=arn)["Connection"]
        assert (found["ConnectionName"], found["ConnectionStatus"]) == ("c", "AVAILABLE")
        old = server.cloud.client("codestar-connections", ACCOUNT, REGION)
        renamed = arn.replace("codeconnections", "codestar-connections")
        assert old.get_connection(ConnectionArn=renamed)["Connection"]["ConnectionArn"] == arn
        assert client.list_tags_for_resource(ResourceArn=arn)["Tags"] == tags
        arns = [each["ConnectionArn"] for each in client.list_connections()["Connections"]]
        assert arn in arns
        client.delete_connection(ConnectionArn=arn)
        with pytest.raises(client.exceptions.ResourceNotFoundException, match="not found"):
            client.get_connection(ConnectionArn=arn)

    def test_repository_links(self, client: Any, arn: str) -> None:
        ask = {"ConnectionArn": arn, "OwnerId": "acme", "RepositoryName": "linked"}
        link = client.create_repository_link(**ask)["RepositoryLinkInfo"]
        with pytest.raises(client.exceptions.ResourceAlreadyExistsException):
            client.create_repository_link(**ask)
        got = client.get_repository_link(RepositoryLinkId=link["RepositoryLinkId"])
        assert got["RepositoryLinkInfo"] == link
        assert link in client.list_repository_links()["RepositoryLinks"]
        client.delete_repository_link(RepositoryLinkId=link["RepositoryLinkId"])
        assert link not in client.list_repository_links()["RepositoryLinks"]
        with pytest.raises(client.exceptions.InvalidInputException, match="owner/name"):
            client.create_repository_link(**ask | {"RepositoryName": "../../x"})

    def test_a_declared_connection(self, client: Any, server: LocalCloud) -> None:
        provider = server.cloud.codeconnections.providers["AWS::CodeConnections::Connection"]
        wanted = declared(ConnectionName="declared", ProviderType="GitHub")
        made = provider.create(wanted)
        found = client.get_connection(ConnectionArn=made.physical_id)["Connection"]
        assert found["ConnectionName"] == "declared"
        provider.delete(wanted, made)
        with pytest.raises(ProvisioningError, match="HostArn"):
            provider.create(declared(ConnectionName="x", HostArn="arn"))


def declared(**properties: Any) -> ResourceRequest:
    return ResourceRequest(
        type="AWS::CodeConnections::Connection",
        logical_id="It",
        account=ACCOUNT,
        region=REGION,
        stack_name="stack",
        stack_id="arn:stack",
        properties=properties,
        cancel=threading.Event(),
    )


_CHILD = """
import os, signal, sys
from pathlib import Path
from localcloud.core.delays import NO_DELAYS
from localcloud.server import LocalCloud
server = LocalCloud(Path(sys.argv[1]), services=("sts", "codeconnections"), delays=NO_DELAYS)
server.start()
connections = server.cloud.codeconnections
arn = connections.create("111111111111", "eu-west-1", "c", "GitHub", {})
connections.ensure_repository(arn, "acme/shop")
connections.subscribe(lambda *push: os.kill(os.getpid(), signal.SIGKILL))
connection = arn.rsplit("/", 1)[-1]
url = f"{server.cloud.endpoint}/git-http/111111111111/eu-west-1/{connection}/acme/shop.git"
print(url, flush=True)
sys.stdin.read()
"""


def test_an_unannounced_push_is_announced_after_a_kill(
    start_cloud: Callable[..., LocalCloud], tmp_path: Path
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(tmp_path / "state")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        url = child.stdout.readline().strip()
        published = json.loads((tmp_path / "state" / "endpoint.json").read_text())
        checkout = Checkout(tmp_path / "checkout", signed(url, published["secret_key"]))
        commit = checkout.commit()
        checkout.push("main", fails=True)  # git accepted it before the process was killed
        assert child.wait() == -9
    server = start_cloud(services=SERVICES)
    told: list[tuple[str, ...]] = []
    server.cloud.codeconnections.subscribe(lambda *push: told.append(push[1:]))
    assert told == [("acme/shop", "main", commit)]
    again: list[tuple[str, ...]] = []
    server.cloud.codeconnections.subscribe(lambda *push: again.append(push))
    assert again == []
