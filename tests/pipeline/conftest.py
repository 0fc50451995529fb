from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
import pytest

from pipeline import app as pipeline_app
from pipeline import bundle

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECTION = (
    "arn:aws:codeconnections:eu-west-1:111111111111:connection/aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
)


@dataclass(frozen=True)
class Template:
    """A synthesised template, with the questions that tests ask it."""

    path: Path
    resources: dict[str, dict[str, Any]]

    def of_type(self, type_: str) -> dict[str, dict[str, Any]]:
        """Properties by logical id."""
        return {
            name: resource.get("Properties", {})
            for name, resource in self.resources.items()
            if resource["Type"] == type_
        }

    def the(self, type_: str) -> dict[str, Any]:
        """The properties of the only resource of a type."""
        (properties,) = self.of_type(type_).values()
        return properties

    def waits_for(self, logical_id: str) -> set[str]:
        """All resources that CloudFormation makes ready before this one.

        Only what its documentation promises counts: `DependsOn`, and references in properties.
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
    """What one synthesis of the app for AWS left behind."""

    app: cdk.App
    folder: Path
    delivery: Template
    services: dict[str, Template]


@pytest.fixture(scope="session")
def context() -> dict[str, str]:
    """The context that `cdk synth` would pass on, with a connection."""
    flags: dict[str, str] = json.loads((bundle.ROOT / "cdk.json").read_text())["context"]
    return flags | {"connection-arn": CONNECTION}


@pytest.fixture(scope="session", autouse=True)
def tools() -> Iterator[None]:
    """Node and uv stand beside Python in the environment that runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        beside = str(Path(sys.executable).parent)
        patch.setenv("PATH", os.pathsep.join([beside, os.environ["PATH"]]))
        yield


@pytest.fixture(scope="session")
def assembly(
    tools: None, context: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Assembly:
    """The whole app, synthesised once; only the bundle's bytes are made up."""
    folder = tmp_path_factory.mktemp("cdk.out")
    made_up = tmp_path_factory.mktemp("bundle")
    (made_up / "handler.py").write_text("")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bundle, "build", lambda _platform: made_up)
        patch.setenv("CODEBUILD_RESOLVED_SOURCE_VERSION", "c" * 40)
        # The CLI has its metadata resource added; cfn-lint tells CDK's templates by it.
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
