"""Rules about what builds install: what is not pinned today is another thing tomorrow."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import yaml

from pipeline.gates.template.installs import unpinned
from pipeline.gates.template.rules import Fault, Rule
from pipeline.gates.template.shell import commands
from pipeline.gates.template.template import listed, mapping, text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.gates.template.assembly import Stack
    from pipeline.gates.template.template import Resource

_RUN_AS_FETCHED = re.compile(
    r"\b(curl|wget)\b[^;&]*\|\s*(sudo\s+)?"
    r"((ba|da|z|k)?sh\b|(python[\d.]*|node)(\s+-)?\s*($|[;&|]))"
    r"|\b(ba|da|z|k)?sh\b[^;&|]*[$<]\(\s*(curl|wget)\b"
)
_FROM_A_LOCK = {("npm", "ci"), ("npm", "install"), ("yarn", "install"), ("pnpm", "install")}


def _unpinned_tools(stack: Stack) -> Iterator[Fault]:
    for project in stack.template.of_type("AWS::CodeBuild::Project"):
        spec = buildspec(project, stack.file.parent)
        run = [command for line in _lines(spec) for command in commands(line)]
        # What a lock has installed is what npx runs.
        locked = any(
            command[:2] in _FROM_A_LOCK and not {"-g", "--global"} & set(command) for command in run
        )
        for command in run:
            if locked and command[0] == "npx":
                continue
            for what in unpinned(command):
                yield Fault(
                    f"{project.logical_id} {what}",
                    f"{project.logical_id} runs {' '.join(command)!r}: {what} has no exact "
                    "version, or no hashes; pin it, so that tomorrow's build is today's",
                )
        for runtime, version in mapping(_at(spec, "phases", "install", "runtime-versions")).items():
            if version == "latest":
                yield Fault(
                    f"{project.logical_id} {runtime}",
                    f"{project.logical_id} takes the latest {runtime}; name its version",
                )


def _run_as_fetched(stack: Stack) -> Iterator[Fault]:
    for project in stack.template.of_type("AWS::CodeBuild::Project"):
        for line in _lines(buildspec(project, stack.file.parent)):
            if _RUN_AS_FETCHED.search(line):
                yield Fault(
                    f"{project.logical_id} {line.strip()}",
                    f"{project.logical_id} runs what it downloads: {line.strip()!r}; install "
                    "a pinned release of it, and check its digest",
                )


def _floating_images(stack: Stack) -> Iterator[Fault]:
    for project in stack.template.of_type("AWS::CodeBuild::Project"):
        image = text(mapping(project.properties.get("Environment")).get("Image", ""))
        named = image.rsplit("/", 1)[-1]
        pinned = "@sha256:" in image or (":" in named and not named.endswith(":latest"))
        if image and not pinned:
            yield Fault(
                f"{project.logical_id} {image}",
                f"{project.logical_id} builds in {image}; give the image's version or digest",
            )


def buildspec(project: Resource, folder: Path | None) -> dict[str, Any]:
    """A project's buildspec: JSON or YAML in the template, or a file of the assembly's folder.

    One that stands in the sources (the default) is no part of the assembly, and not seen.
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
        "A tool that floats makes the same commit another pipeline: self-mutation loops and "
        "assemblies that an older CLI cannot read (aws-cdk#14664, #26471, #32008). CDK Pipelines' "
        "own defaults are aws-cdk@2 and cdk-assets@latest.",
        _unpinned_tools,
    ),
    Rule(
        "PH102",
        "What is downloaded and run at once is whatever stands there today "
        "(aws-deployment-pipeline-reference-architecture installs its scanner so).",
        _run_as_fetched,
    ),
    Rule(
        "PH103",
        "An image that floats changes the CLI, Node and Python under a pipeline that nobody "
        "changed (aws-cdk#26471).",
        _floating_images,
    ),
)
