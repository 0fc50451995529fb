"""Read from a cloud assembly which functions each environment gets, with their code."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.names import STACK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


_UNCOMPARABLE_TYPES = ("AWS::CloudFormation::Stack", "AWS::Lambda::LayerVersion")
"""Types of resources with code that is in no function's own bundle."""


class AssemblyError(Exception):
    """The cloud assembly is missing, or not as the CDK writes it."""


@dataclass(frozen=True)
class Code:
    """A function's code in a template and its asset manifest."""

    function: str
    """The function's logical id."""
    key: str
    """The object's key in the asset bucket."""
    file: Path
    """The file that is published under that key."""
    pinned: tuple[str, ...]
    """`CodeSha256` of each version of the function in the template."""


@dataclass(frozen=True)
class Deployed:
    """The functions and files of one environment."""

    code: tuple[Code, ...]
    files: tuple[Path, ...]
    """All files that are published to its asset bucket."""


def read(folder: Path, environment: str) -> Deployed:
    """Return the functions and files of an environment.

    Raises:
        AssemblyError: the environment or its functions are missing; code is not published, or two
            files are published under one key; or there is a layer or nested stack.
    """
    try:
        nested = _artifacts(folder, "cdk:cloud-assembly")
        inside = folder / next(
            each["directoryName"]
            for each in nested
            if each.get("displayName") == f"{STACK}/{environment}"
        )
        published = _by_key(inside)
        code = tuple(
            found
            for stack in _artifacts(inside, "aws:cloudformation:stack")
            for found in _code(json.loads((inside / stack["templateFile"]).read_text()), published)
        )
    except StopIteration as error:
        raise AssemblyError(
            f"{folder.name}: found no environment {environment}; synthesise again"
        ) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise AssemblyError(f"{folder.name} is no cloud assembly of the CDK: {error!r}") from error
    if not code:
        raise AssemblyError(f"{folder.name} deploys no function to {environment}")
    return Deployed(code, tuple(sorted(set(published.values()))))


def _artifacts(folder: Path, type_: str) -> list[dict[str, Any]]:
    manifest = json.loads((folder / "manifest.json").read_text())
    return [each["properties"] for each in manifest["artifacts"].values() if each["type"] == type_]


def _by_key(folder: Path) -> dict[str, Path]:
    """Return the file of each object key; cdk-assets would skip a second file of a key."""
    found: dict[str, Path] = {}
    for key, file in _published(folder):
        if found.setdefault(key, file) != file:
            raise AssemblyError(f"two files are published under the key {key}; remove one")
    return found


def _published(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield each object key with the file that is published under it."""
    for each in _artifacts(folder, "cdk:asset-manifest"):
        for asset in json.loads((folder / each["file"]).read_text())["files"].values():
            for destination in asset["destinations"].values():
                yield destination["objectKey"], (folder / asset["source"]["path"]).resolve()


def _code(template: dict[str, Any], published: dict[str, Path]) -> Iterator[Code]:
    resources = template["Resources"]
    for name, resource in resources.items():
        if resource["Type"] in _UNCOMPARABLE_TYPES:
            raise AssemblyError(
                f"{resource['Type']} {name} contains code that is not compared with the commit; "
                "move it into the function's bundle, or its resources into the stack"
            )
        if resource["Type"] != "AWS::Lambda::Function":
            continue
        if resource["Properties"].get("Layers"):
            raise AssemblyError(
                f"function {name} has layers, whose code is not compared with the commit; move the "
                "code into its bundle"
            )
        key = resource["Properties"]["Code"].get("S3Key")
        if not isinstance(key, str) or key not in published:
            raise AssemblyError(f"the code of function {name} is not an asset of the assembly")
        pinned = tuple(
            version["Properties"].get("CodeSha256", "")
            for version in resources.values()
            if version["Type"] == "AWS::Lambda::Version"
            and version["Properties"]["FunctionName"] == {"Ref": name}
        )
        yield Code(name, key, published[key], pinned)
