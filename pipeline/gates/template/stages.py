"""Read the stages and actions of a template's pipeline, with their checks and deployments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.builds import commands
from pipeline.gates.template.builds import buildspec
from pipeline.gates.template.template import listed, mapping, number, text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.gates.template.rules import Change
    from pipeline.gates.template.template import Resource, Template

Place = tuple[int, float]
"""A stage's number and the run order in it; an action with a smaller place ends earlier."""
_PHASES = ("install", "pre_build", "build", "post_build")


@dataclass(frozen=True)
class Action:
    """An action of the pipeline."""

    stage: str
    name: str
    provider: str
    place: Place
    body: dict[str, Any]
    project: Resource | None
    """Its CodeBuild project; None if it has none, or one of another template."""
    spec: dict[str, Any]
    """The project's buildspec."""

    @property
    def configuration(self) -> dict[str, Any]:
        """Return the action's configuration."""
        return mapping(self.body.get("Configuration"))

    @property
    def deploys(self) -> str:
        """Return the name of the stack that it prepares or deploys; empty if there is none."""
        if self.provider == "CloudFormation":
            return text(self.configuration.get("StackName", ""))
        changes_itself = any("cdk" in line and " deploy " in line for line in self.lines())
        return "the pipeline itself" if changes_itself else ""

    def lines(self, *phases: str) -> list[str]:
        """Return the commands of these phases, or of all phases, without those of `finally`."""
        stated = mapping(self.spec.get("phases"))
        return [
            text(line).strip()
            for phase in phases or _PHASES
            for line in listed(mapping(stated.get(phase)).get("commands"))
        ]

    def checks(self) -> Iterator[str]:
        """Yield a stable name for each check that can fail the action, and so the execution."""
        if self.provider != "CodeBuild":
            if self.provider != "CloudFormation" and self.stage != "Source":
                yield f"action {self.name} ({self.provider})"
            return
        if self.project is None:
            yield f"action {self.name} (CodeBuild)"
            return
        stated = mapping(self.spec.get("phases"))
        for phase in _PHASES:
            if text(mapping(stated.get(phase)).get("on-failure", "ABORT")) == "CONTINUE":
                continue
            for line in self.lines(phase):
                gates = commands.run(line)
                yield from (f"gate {each}" for each in gates)
                if not gates and phase != "install" and not commands.mentioned(line):
                    yield f"command {line}"


def pipelines(template: Template) -> list[Resource]:
    """Return the pipelines of a template."""
    return list(template.of_type("AWS::CodePipeline::Pipeline"))


def pairs(change: Change) -> Iterator[tuple[Resource, Resource | None]]:
    """Yield each deployed pipeline with its counterpart in the new template."""
    later = pipelines(change.stack.template)
    for old in pipelines(change.deployed):
        same = change.stack.template.resources.get(old.logical_id)
        alone = later[0] if len(later) == 1 else None
        yield old, same if same in later else alone


def actions(template: Template, pipeline: Resource, folder: Path | None) -> list[Action]:
    """Return the actions of a pipeline; `folder` is the assembly with its buildspec files."""
    return [
        _action(template, stage, number_, body, folder)
        for number_, stage in enumerate(stages(pipeline))
        for body in map(mapping, listed(stage.get("Actions")))
    ]


def stages(pipeline: Resource) -> list[dict[str, Any]]:
    """Return the stages of a pipeline in order."""
    return [mapping(each) for each in listed(pipeline.properties.get("Stages"))]


def _action(
    template: Template, stage: dict[str, Any], place: int, body: dict[str, Any], folder: Path | None
) -> Action:
    configuration = mapping(body.get("Configuration"))
    project = template.referenced(configuration.get("ProjectName"), "AWS::CodeBuild::Project")
    return Action(
        stage=text(stage.get("Name", "")),
        name=text(body.get("Name", "")),
        provider=text(mapping(body.get("ActionTypeId")).get("Provider", "")),
        place=(place, number(body.get("RunOrder", 1)) or 1),
        body=body,
        project=project,
        spec=buildspec(project, folder) if project else {},
    )
