from __future__ import annotations

import json
import os
import random
import string
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
import pytest

from environments.schema import load_all
from pipeline import app as pipeline_app
from pipeline.builds import bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from environments.schema import Environment

CONNECTION = (
    "arn:aws:codeconnections:eu-west-1:111111111111:connection/aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
)


@dataclass(frozen=True)
class Template:
    """A synthesised template, with helpers to query it."""

    path: Path
    resources: dict[str, dict[str, Any]]

    def of_type(self, type_: str) -> dict[str, dict[str, Any]]:
        """Return properties by logical id."""
        return {
            name: resource.get("Properties", {})
            for name, resource in self.resources.items()
            if resource["Type"] == type_
        }

    def only(self, type_: str) -> dict[str, Any]:
        """Return the properties of the only resource of a type."""
        (properties,) = self.of_type(type_).values()
        return properties

    def waits_for(self, logical_id: str) -> set[str]:
        """Return all resources that CloudFormation completes before this one.

        Only documented dependencies count: `DependsOn`, and references in properties.
        """
        found: set[str] = set()
        left = [logical_id]
        while left:
            resource = self.resources[left.pop()]
            depends = resource.get("DependsOn", [])
            direct = {depends} if isinstance(depends, str) else set(depends)
            direct |= set(_referenced(resource.get("Properties", {})))
            fresh = (direct & self.resources.keys()) - found
            found |= fresh
            left += fresh
        return found


def _referenced(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _referenced(item)
    elif isinstance(value, dict):
        if "Ref" in value:
            yield value["Ref"]
        if "Fn::GetAtt" in value:
            yield value["Fn::GetAtt"][0]
        for inner in value.values():
            yield from _referenced(inner)


@dataclass(frozen=True)
class Assembly:
    """The output of one synthesis of the app for AWS."""

    app: cdk.App
    folder: Path
    delivery: Template
    services: dict[str, Template]


@pytest.fixture(scope="session")
def context() -> dict[str, str]:
    """The context that `cdk synth` would pass, with a connection."""
    flags: dict[str, str] = json.loads((bundle.ROOT / "cdk.json").read_text())["context"]
    return flags | {"connection-arn": CONNECTION}


@pytest.fixture(scope="session", autouse=True)
def tools() -> Iterator[None]:
    """Add the folder of Python, with node and uv, to PATH."""
    with pytest.MonkeyPatch.context() as patch:
        beside = str(Path(sys.executable).parent)
        patch.setenv("PATH", os.pathsep.join([beside, os.environ["PATH"]]))
        yield


@pytest.fixture(scope="session")
def assembly(synthesise: Callable[[dict[str, Environment]], Assembly]) -> Assembly:
    """The whole app, synthesised once."""
    return synthesise(load_all())


@pytest.fixture(scope="session")
def synthesise(
    tools: None, context: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[dict[str, Environment]], Assembly]:
    """Synthesise the whole app for some environments; only the bundles are faked."""
    return lambda environments: _assembly(environments, context, tmp_path_factory)


def _assembly(
    environments: dict[str, Environment],
    context: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Assembly:
    folder = tmp_path_factory.mktemp("cdk.out")
    made_up = tmp_path_factory.mktemp("bundle") / "bundle.zip"
    with zipfile.ZipFile(made_up, "w") as archive:
        archive.writestr("handler.py", "")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bundle, "build", lambda _platform: made_up)
        patch.setattr(pipeline_app, "load_all", lambda: environments)
        patch.setenv("CODEBUILD_RESOLVED_SOURCE_VERSION", "c" * 40)
        # The CLI enables the metadata resource, by which cfn-lint recognises CDK's templates.
        app = cdk.App(context=context, outdir=str(folder), analytics_reporting=True)
        pipeline_app.synthesise(app)
    app.synth()

    def template(pattern: str) -> Template:
        (path,) = folder.glob(pattern)
        return Template(path, json.loads(path.read_text())["Resources"])

    return Assembly(
        app,
        folder,
        template("Pithead.template.json"),
        {
            name: template(f"assembly-Pithead-{name}/*.template.json")
            for name in ("dev", "staging", "prod")
        },
    )


@dataclass(frozen=True)
class Checkout:
    """A git repository with a harmless service, one workflow, and scannable files."""

    root: Path

    def write(self, path: str, text: str) -> None:
        """Write a file, creating its folder."""
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def git(self, *arguments: str) -> str:
        """Run git."""
        who = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        for role in ("AUTHOR", "COMMITTER"):
            who |= {f"GIT_{role}_NAME": "Ada", f"GIT_{role}_EMAIL": "ada@example.com"}
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.root,
            env=os.environ | who,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def commit(self, message: str = "change") -> str:
        """Commit everything; return the commit's id."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")


_PYPROJECT = """
[project]
name = "files"
version = "1"

[dependency-groups]
service = ["click>=8"]
gates = [{ include-group = "service" }, "rich>=15"]
"""
_WORKFLOW = """
name: fine
on: push
permissions: {}
concurrency: {group: fine, cancel-in-progress: true}
jobs:
  fine:
    name: fine
    runs-on: ubuntu-24.04
    steps:
      - run: echo fine
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A committed checkout in which no scanner finds anything."""
    made = Checkout(tmp_path / "checkout")
    made.write("pyproject.toml", _PYPROJECT)
    made.write(".github/workflows/fine.yml", _WORKFLOW)
    made.write("service/fine.py", "import click\n\n\ndef double(n):\n    click.echo(2 * n)\n")
    made.git("init", "--quiet", "--initial-branch=main")
    made.commit("first")
    return made


def made_up(kind: str) -> str:
    """Return a fake secret; assembled, because this repository is scanned too."""
    letters = random.Random(kind)

    def some(count: int, alphabet: str = string.ascii_letters + string.digits) -> str:
        return "".join(letters.choice(alphabet) for _ in range(count))

    if kind == "aws":
        key_id = f"AKIA{some(16, string.ascii_uppercase + '234567')}"
        return f'aws_access_key_id = "{key_id}"\naws_secret_access_key = "{some(40)}"\n'
    if kind == "github":
        return f'token = "ghp_{some(36)}"\n'
    return f'database_password = "{some(24)}"\n'


@pytest.fixture
def secret() -> Callable[[str], str]:
    """Return a line of code with a fake secret: `aws`, `github` or `password`."""
    return made_up
