"""Rules about what builds install and run without a pinned version."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import yaml

from pipeline.gates.template.installs import unpinned
from pipeline.gates.template.rules import Rule, Violation
from pipeline.gates.template.shell import commands
from pipeline.gates.template.template import listed, mapping, text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.gates.template.assembly import Stack
    from pipeline.gates.template.template import Resource

_DOWNLOAD_AND_RUN = re.compile(
    r"\b(curl|wget)\b[^;&]*\|\s*(sudo\s+)?"
    r"((ba|da|z|k)?sh\b|(python[\d.]*|node)(\s+-)?\s*($|[;&|]))"
    r"|\b(ba|da|z|k)?sh\b[^;&|]*[$<]\(\s*(curl|wget)\b"
)
_LOCKED_INSTALLS = {("npm", "ci"), ("npm", "install"), ("yarn", "install"), ("pnpm", "install")}


def _unpinned_tools(stack: Stack) -> Iterator[Violation]:
    for project in stack.template.of_type("AWS::CodeBuild::Project"):
        spec = buildspec(project, stack.file.parent)
        run = [command for line in _lines(spec) for command in commands(line)]
        # After an installation from a lock, npx runs the locked version.
        locked = any(
            command[:2] in _LOCKED_INSTALLS and not {"-g", "--global"} & set(command)
            for command in run
        )
        for command in run:
            if locked and command[0] == "npx":
                continue
            for what in unpinned(command):
                yield Violation(
                    f"{project.logical_id} {what}",
                    f"{project.logical_id} runs {' '.join(command)!r}: {what} has no exact "
                    "version, or no hashes; pin it, so that every build installs the same",
                )
        for runtime, version in mapping(_at(spec, "phases", "install", "runtime-versions")).items():
            if version == "latest":
                yield Violation(
                    f"{project.logical_id} {runtime}",
                    f"{project.logical_id} uses the latest {runtime}; name its version",
                )


def _download_and_run(stack: Stack) -> Iterator[Violation]:
    for project in stack.template.of_type("AWS::CodeBuild::Project"):
        for line in _lines(buildspec(project, stack.file.parent)):
            if _DOWNLOAD_AND_RUN.search(line):
                yield Violation(
                    f"{project.logical_id} {line.strip()}",
                    f"{project.logical_id} downloads and runs a script: {line.strip()!r}; install "
                    "a pinned release, and check its digest",
                )


def _floating_images(stack: Stack) -> Iterator[Violation]:
    for project in stack.template.of_type("AWS::CodeBuild::Project"):
        image = text(mapping(project.properties.get("Environment")).get("Image", ""))
        named = image.rsplit("/", 1)[-1]
        pinned = "@sha256:" in image or (":" in named and not named.endswith(":latest"))
        if image and not pinned:
            yield Violation(
                f"{project.logical_id} {image}",
                f"{project.logical_id} builds in image {image}; name its version or digest",
            )


def buildspec(project: Resource, folder: Path | None) -> dict[str, Any]:
    """Return a project's buildspec, from the template or from a file in the assembly's folder.

    A buildspec in the sources (the default) is not part of the assembly: the result is empty.
    """
    written = text(mapping(project.properties.get("Source")).get("BuildSpec", ""))
    if written and "\n" not in written and not written.lstrip().startswith("{"):
        file = folder / written if folder else None
        written = file.read_text(encoding="utf-8") if file and file.is_file() else ""
    try:
        found = json.loads(written)
    except ValueError:
        try:
            found = yaml.safe_load(written)
        except yaml.YAMLError:
            return {}
    return found if isinstance(found, dict) else {}


def _lines(spec: dict[str, Any]) -> Iterator[str]:
    for phase in mapping(spec.get("phases")).values():
        for key in ("commands", "finally"):
            for line in listed(mapping(phase).get(key)):
                yield text(line)


def _at(spec: Any, *keys: str) -> Any:
    for key in keys:
        spec = mapping(spec).get(key)
    return spec


RULES = (
    Rule(
        "PH101",
        "With an unpinned tool the same commit makes different pipelines: self-mutation loops, and "
        "assemblies that an older CLI cannot read (aws-cdk#14664, #26471, #32008). The defaults of "
        "CDK Pipelines are aws-cdk@2 and cdk-assets@latest.",
        _unpinned_tools,
    ),
    Rule(
        "PH102",
        "A script that is downloaded and run at once may change at any time "
        "(aws-deployment-pipeline-reference-architecture installs its scanner so).",
        _download_and_run,
    ),
    Rule(
        "PH103",
        "An unpinned image changes the CLI, Node and Python of a pipeline without a commit "
        "(aws-cdk#26471).",
        _floating_images,
    ),
)
