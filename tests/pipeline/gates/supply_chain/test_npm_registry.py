"""The private registry for npm: a registry on loopback with packages made here."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
import pytest

from environments.schema import load_home
from environments.supply_chain import CodeArtifact, Index, SupplyChain
from pipeline import app
from pipeline.delivery import package_index
from pipeline.gates.template import assembly, catalogue
from pipeline.gates.template.rules import Change
from pipeline.names import STACK as PIPELINE_STACK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from environments.schema import Home

_SECRET = "a token of npm's"
_NPM_INSTALL = re.compile(r"npm install -g (cdk-assets|aws-cdk)@[\d.]+")


class Registry(ThreadingHTTPServer):
    """A registry of npm that serves cdk-assets to clients with the token."""

    def __init__(self, token: str) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.token = token
        self.address = f"http://127.0.0.1:{self.server_port}/npm/"
        self.package = _package()
        self.paths: list[str] = []


class _Answer(BaseHTTPRequestHandler):
    server: Registry

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        if self.server.token not in ("", self.headers.get("Authorization", "")[len("Bearer ") :]):
            self._send(401, b"{}")
        elif self.path == "/npm/cdk-assets":
            self._send(200, self._about().encode())
        elif self.path.endswith(".tgz"):
            self._send(200, self.server.package)
        else:
            self._send(404, b"{}")

    def _about(self) -> str:
        digest = base64.b64encode(hashlib.sha512(self.server.package).digest()).decode()
        tarball = f"{self.server.address}cdk-assets/-/cdk-assets-4.7.3.tgz"
        version = {
            "name": "cdk-assets", "version": "4.7.3", "bin": {"cdk-assets": "run.js"},
            "dist": {"tarball": tarball, "integrity": f"sha512-{digest}"},
        }  # fmt: skip
        return json.dumps({"name": "cdk-assets", "versions": {"4.7.3": version}})

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Log nothing."""


def _package() -> bytes:
    files = {
        "package.json": '{"name": "cdk-assets", "version": "4.7.3", "bin": "run.js"}',
        "run.js": '#!/usr/bin/env node\nconsole.log("from our registry")\n',
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content.encode()))
    return buffer.getvalue()


@pytest.fixture
def registry() -> Iterator[Registry]:
    server = Registry(_SECRET)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def _home(**chosen: Any) -> Home:
    return load_home().model_copy(update={"supply_chain": SupplyChain(index=Index(**chosen))})


def _install(
    folder: Path, commands: list[str], variables: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a build's commands and CDK's `npm install`, without the user's settings."""
    bins = f"{folder / 'tools'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {
        "HOME": str(folder), "PATH": bins, "NPM_CONFIG_PREFIX": str(folder / "global"), **variables
    }  # fmt: skip
    script = " && ".join([*commands, "npm install -g cdk-assets@4.7.3", "global/bin/cdk-assets"])
    return subprocess.run(
        ["sh", "-c", script], cwd=folder, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


def test_npm_installs_from_the_registry_with_its_token(tmp_path: Path, registry: Registry) -> None:
    home = _home(
        url_secret="packages/url", npm_url=registry.address, npm_token_secret="packages/npm-token"
    )
    variables = package_index.environment(home, npm=True).environment_variables or {}
    assert variables[package_index.REGISTRY].value == registry.address
    token = variables[package_index.TOKEN]
    assert token.value == "packages/npm-token"
    assert token.type
    assert token.type.name == "SECRETS_MANAGER"
    # CodeBuild replaces the secret's name by its value.
    given = {package_index.REGISTRY: registry.address, package_index.TOKEN: _SECRET}
    done = _install(tmp_path, package_index.login(home, npm=True), given)
    assert done.stdout.endswith("from our registry\n"), done.stderr
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in written if _SECRET.encode() in path.read_bytes()]


def test_npm_fails_without_the_token_and_asks_no_other_registry(
    tmp_path: Path, registry: Registry
) -> None:
    done = _install(tmp_path, [], {package_index.REGISTRY: registry.address})
    assert done.returncode != 0
    assert "401" in done.stderr
    assert registry.paths


def test_npm_accepts_codeartifacts_token(tmp_path: Path, registry: Registry) -> None:
    """The same commands, with a fake AWS CLI of CodeArtifact and another address."""
    home = _home(codeartifact=CodeArtifact(domain="acme", repository="all"))
    host = "acme-111111111111.d.codeartifact.eu-west-1.amazonaws.com/npm/all/"
    variables = package_index.environment(home, npm=True).environment_variables or {}
    assert variables[package_index.REGISTRY].value == f"https://{host}"
    commands = package_index.login(home, npm=True)
    assert len([each for each in commands if "get-authorization-token" in each]) == 1
    (tmp_path / "tools").mkdir()
    aws = tmp_path / "tools" / "aws"
    aws.write_text(f'#!/bin/sh\n[ "$2" = get-authorization-token ] && echo "{_SECRET}"\n')
    aws.chmod(0o755)
    moved = [each.replace(f"//{host}", registry.address.removeprefix("http:")) for each in commands]
    assert moved != commands
    done = _install(tmp_path, moved, {package_index.REGISTRY: registry.address})
    assert done.stdout.endswith("from our registry\n"), done.stderr


@pytest.mark.parametrize(
    "chosen",
    [
        {
            "url": "https://packages.example.com/simple/",
            "npm_url": "https://packages.example.com/npm/",
            "npm_token_secret": "packages/npm-token",
        },
        {"codeartifact": CodeArtifact(domain="acme", repository="all")},
    ],
    ids=["addresses", "codeartifact"],
)
def test_each_build_that_runs_npm_uses_the_registry(
    chosen: dict[str, Any],
    context: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    home = _home(**chosen)
    monkeypatch.setattr(app, "load_home", lambda: home)
    synthesised = cdk.App(context=context, outdir=str(tmp_path))
    app.synthesise(synthesised)
    synthesised.synth()
    (deployed,) = (each for each in assembly.read(tmp_path) if each.name == PIPELINE_STACK)
    assert catalogue.compare([Change(deployed, deployed.template)]) == []
    template = json.loads((tmp_path / "Pithead.template.json").read_text())
    seen = set()
    for resource in template["Resources"].values():
        if resource["Type"] != "AWS::CodeBuild::Project":
            continue
        text = resource["Properties"]["Source"]["BuildSpec"]
        if text.endswith(".yaml"):
            text = (tmp_path / text).read_text()
        commands = json.loads(text)["phases"].get("install", {}).get("commands", [])
        npm = [n for n, each in enumerate(commands) if _NPM_INSTALL.search(each)]
        npm += [n for n, each in enumerate(commands) if "pipeline.builds.downloads cdk" in each]
        if not npm:
            continue
        seen.add(resource["Properties"]["Description"].rsplit("/", 1)[-1])
        variables = {
            each["Name"] for each in resource["Properties"]["Environment"]["EnvironmentVariables"]
        }
        assert package_index.REGISTRY in variables
        logins = [n for n, each in enumerate(commands) if each.startswith("npm config set")]
        assert logins
        assert max(logins) < min(npm)
        if "npm_token_secret" in chosen:
            assert package_index.TOKEN in variables
    assert seen == {"Synth", "SelfMutate", "FileAssets"}
