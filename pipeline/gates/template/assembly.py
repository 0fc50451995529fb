"""Read a cloud assembly: the folder that `cdk synth` writes.

CDK's package `cloud-assembly-schema` describes `manifest.json`.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.gates.template.template import Template, TemplateError, mapping

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ENVIRONMENT = "aws://"


class AssemblyError(Exception):
    """A folder is no cloud assembly, or is incomplete."""


@dataclass(frozen=True)
class LookupRole:
    """The role that CDK's bootstrap creates for reading an account."""

    arn: str
    """May contain `${AWS::Partition}`."""
    external_id: str | None = None


@dataclass(frozen=True)
class Asset:
    """A file of the assembly that is published to a bucket."""

    key: str
    """The object's."""
    file: Path


@dataclass(frozen=True)
class Stack:
    """A stack of the assembly, or a nested stack of one."""

    name: str
    account: str
    """Twelve digits, or `unknown-account` if the stack has no fixed account."""
    region: str
    file: Path
    """File of its template."""
    path: str
    """Path of the template in findings: below `cdk.out`, wherever the assembly is."""
    text: str
    """Text of the template."""
    template: Template
    stage: str = ""
    """The display name of its stage, such as `Pithead/prod`; empty of the app itself."""
    lookup_role: LookupRole | None = None
    parent: str | None = None
    """Name of the stack that contains this nested stack."""
    termination_protection: bool = False
    """Whether the CDK CLI turns on termination protection when it deploys the stack."""


def read(folder: Path) -> tuple[Stack, ...]:
    """Return all stacks of an assembly, with those of its stages and nested stacks.

    Raises:
        AssemblyError: a file is missing or no JSON, or there is no stack.
    """
    with _as_cdk_writes_it(folder):
        stacks = tuple(_stacks(folder))
    if not stacks:
        raise AssemblyError(f"{folder.name}/manifest.json: found no stack; synthesise the app")
    return stacks


def assets(folder: Path, stage: str) -> tuple[Asset, ...]:
    """The assets of a stage, one for each object that a file is published as.

    Raises:
        AssemblyError: a file is missing or no JSON.
    """
    with _as_cdk_writes_it(folder):
        return tuple(_assets(folder, stage))


def named(folder: Path, file: Path) -> str:
    """Return the path of an assembly's file for findings."""
    return f"cdk.out/{file.relative_to(folder).as_posix()}"


@contextmanager
def _as_cdk_writes_it(folder: Path) -> Iterator[None]:
    try:
        yield
    except (AttributeError, KeyError, TypeError) as error:
        raise AssemblyError(
            f"{folder.name}: not as CDK writes it ({type(error).__name__}: {error}); "
            "synthesise the app"
        ) from error


@dataclass(frozen=True)
class _Artifact:
    """An entry of a manifest."""

    name: str
    body: dict[str, Any]
    folder: Path
    """That of the manifest."""
    stage: str

    @property
    def properties(self) -> dict[str, Any]:
        found: dict[str, Any] = self.body.get("properties", {})
        return found


def _artifacts(root: Path, folder: Path | None = None, stage: str = "") -> Iterator[_Artifact]:
    """All entries of an assembly's manifests, those of its stages in their place."""
    folder = folder or root
    for name, body in _json(folder / "manifest.json", root)["artifacts"].items():
        artifact = _Artifact(name, body, folder, stage)
        if body["type"] == "cdk:cloud-assembly":
            inside = folder / artifact.properties["directoryName"]
            yield from _artifacts(root, inside, artifact.properties.get("displayName", name))
        else:
            yield artifact


def _assets(root: Path, stage: str) -> Iterator[Asset]:
    for artifact in _artifacts(root):
        if artifact.stage != stage or artifact.body["type"] != "cdk:asset-manifest":
            continue
        for asset in _json(artifact.folder / artifact.properties["file"], root)["files"].values():
            file = (artifact.folder / asset["source"]["path"]).resolve()
            for destination in asset["destinations"].values():
                yield Asset(destination["objectKey"], file)


def _stacks(root: Path) -> Iterator[Stack]:
    for artifact in _artifacts(root):
        properties = artifact.properties
        if artifact.body["type"] == "aws:cloudformation:stack":
            environment = artifact.body["environment"].removeprefix(_ENVIRONMENT)
            account, _, region = environment.partition("/")
            role = properties.get("lookupRole")
            stack = _stack(
                artifact.folder / properties["templateFile"],
                root,
                name=properties.get("stackName") or artifact.name,
                account=account,
                region=region,
                stage=artifact.stage,
                lookup_role=role and LookupRole(role["arn"], role.get("assumeRoleExternalId")),
                termination_protection=properties.get("terminationProtection") is True,
            )
            yield stack
            yield from _nested(stack, root)


def _nested(parent: Stack, root: Path) -> Iterator[Stack]:
    """Yield the nested stacks of a stack; the resource's metadata names the template."""
    for resource in parent.template.of_type("AWS::CloudFormation::Stack"):
        file = mapping(resource.body.get("Metadata")).get("aws:asset:path")
        if isinstance(file, str):
            stack = _stack(
                parent.file.parent / file,
                root,
                name=f"{parent.name}/{resource.logical_id}",
                account=parent.account,
                region=parent.region,
                stage=parent.stage,
                parent=parent.name,
            )
            yield stack
            yield from _nested(stack, root)


def _stack(file: Path, root: Path, **kwargs: Any) -> Stack:
    document = _json(file, root)
    try:
        template = Template.of(document)
    except TemplateError as error:
        raise AssemblyError(f"{named(root, file)}: {error}; synthesise the app") from error
    return Stack(
        file=file,
        path=named(root, file),
        text=file.read_text(encoding="utf-8"),
        template=template,
        **kwargs,
    )


def _json(file: Path, root: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise AssemblyError(
            f"{named(root, file)}: the file is missing; synthesise the app"
        ) from error
    except (OSError, ValueError) as error:
        raise AssemblyError(f"{named(root, file)}: no JSON: {error}; synthesise the app") from error
