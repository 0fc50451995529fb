"""Read from a cloud assembly which functions each environment gets, with their code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.gates.template import assembly
from pipeline.gates.template.assembly import AssemblyError
from pipeline.gates.template.template import mapping
from pipeline.names import STACK

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from pipeline.gates.template.assembly import Asset
    from pipeline.gates.template.template import Template

_UNCOMPARABLE_TYPES = ("AWS::CloudFormation::Stack", "AWS::Lambda::LayerVersion")
"""Types of resources with code that is in no function's own bundle."""


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
        AssemblyError: the assembly cannot be read; the environment or its functions are missing;
            code is not published, or two files are published under one key; or there is a layer
            or nested stack.
    """
    stage = f"{STACK}/{environment}"
    templates = [each.template for each in assembly.read(folder) if each.stage == stage]
    if not templates:
        raise AssemblyError(f"{folder.name}: found no environment {environment}; synthesise again")
    published = _by_key(assembly.assets(folder, stage))
    code = tuple(found for template in templates for found in _code(template, published))
    if not code:
        raise AssemblyError(f"{folder.name} deploys no function to {environment}")
    return Deployed(code, tuple(sorted(set(published.values()))))


def _by_key(assets: Iterable[Asset]) -> dict[str, Path]:
    """Return the file of each object key; cdk-assets would skip a second file of a key."""
    found: dict[str, Path] = {}
    for each in assets:
        if found.setdefault(each.key, each.file) != each.file:
            raise AssemblyError(f"two files are published under the key {each.key}; remove one")
    return found


def _code(template: Template, published: Mapping[str, Path]) -> Iterator[Code]:
    for unseen in template.of_type(*_UNCOMPARABLE_TYPES):
        raise AssemblyError(
            f"{unseen.type} {unseen.logical_id} contains code that is not compared with the "
            "commit; move it into the function's bundle, or its resources into the stack"
        )
    for function in template.of_type("AWS::Lambda::Function"):
        name = function.logical_id
        if function.properties.get("Layers"):
            raise AssemblyError(
                f"function {name} has layers, whose code is not compared with the commit; move the "
                "code into its bundle"
            )
        key = mapping(function.properties.get("Code")).get("S3Key")
        if not isinstance(key, str) or key not in published:
            raise AssemblyError(f"the code of function {name} is not an asset of the assembly")
        yield Code(name, key, published[key], _pinned(template, name))


def _pinned(template: Template, function: str) -> tuple[str, ...]:
    found = []
    for version in template.of_type("AWS::Lambda::Version"):
        if "FunctionName" not in version.properties:
            raise AssemblyError(
                f"{version.logical_id}.FunctionName: nothing found; name the function"
            )
        if version.properties["FunctionName"] == {"Ref": function}:
            found.append(version.properties.get("CodeSha256", ""))
    return tuple(found)
