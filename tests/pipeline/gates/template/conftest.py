from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.gates.template import assembly, catalogue
from pipeline.gates.template.rules import Change

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.gates.template.assembly import Stack

Resources = dict[str, dict[str, Any]]


@dataclass
class Written:
    """A small cloud assembly on disk, in the CDK's format."""

    folder: Path
    artifacts: dict[str, Any] = field(default_factory=dict)

    def stack(self, resources: Resources, name: str = "files", **properties: Any) -> Written:
        """Add a stack, and write the assembly."""
        self.folder.mkdir(parents=True, exist_ok=True)
        file = f"{name}.template.json"
        (self.folder / file).write_text(json.dumps({"Resources": resources}))
        self.artifacts[name] = {
            "type": "aws:cloudformation:stack",
            "environment": "aws://222222222222/eu-west-1",
            "properties": {"templateFile": file, "stackName": name, **properties},
        }
        return self.save()

    def save(self) -> Written:
        manifest = {"version": "54.0.0", "artifacts": self.artifacts}
        (self.folder / "manifest.json").write_text(json.dumps(manifest))
        return self


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """An assembly without stacks."""
    return Written(tmp_path / "cdk.out")


@pytest.fixture
def stack(written: Written) -> Callable[[Resources], Stack]:
    """Return a function that writes a stack of these resources and reads it."""

    def make(resources: Resources) -> Stack:
        (read,) = assembly.read(written.stack(resources).folder)
        return read

    return make


@pytest.fixture
def found(stack: Callable[[Resources], Stack]) -> Callable[[Resources], list[tuple[str, str]]]:
    """Return the rules with findings in these resources, each with its subject."""

    def ask(resources: Resources) -> list[tuple[str, str]]:
        return sorted((each.rule, each.subject) for each in catalogue.lint([stack(resources)]))

    return ask


@pytest.fixture
def changed(
    stack: Callable[[Resources], Stack],
) -> Callable[[Resources, Resources], list[tuple[str, str, str]]]:
    """Return the rules with findings in a stack's change, with severity and subject."""

    def ask(before: Resources, after: Resources) -> list[tuple[str, str, str]]:
        deployed = stack(before).template
        findings = catalogue.compare([Change(stack(after), deployed)])
        return sorted((each.rule, each.severity, each.subject) for each in findings)

    return ask
