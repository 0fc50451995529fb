"""What a release loosens, from the report of gate `changes`."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import ValidationError
from rich.markup import escape

from pipeline.gates.looser import DETAIL, Looser
from pipeline.names import COMPARISON, PIPELINE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

    from console.aws.account import Aws

_REPORT = "changes.json"


def looser(aws: Aws, execution_ids: Iterable[str]) -> tuple[Looser, ...] | str:
    """Return what a release's executions loosen; or why that is unknown.

    An execution that updates the pipeline ends there, and only its comparison is with the previous
    pipeline. So the reports of all executions are read.
    """
    found: dict[tuple[str, str], Looser] = {}
    try:
        for execution_id in execution_ids:
            for each in _of(aws, execution_id):
                found.setdefault((each.rule, each.subject), each)
    except (BotoCoreError, ClientError) as error:
        return f"unknown, because AWS cannot be read: {error}"
    except (KeyError, TypeError, ValueError, ValidationError, zipfile.BadZipFile) as error:
        return f"unknown, because the report of gate changes cannot be read: {error}"
    return tuple(found.values())


def show(console: Console, found: tuple[Looser, ...] | str) -> None:
    """Print what a release loosens, if anything."""
    if isinstance(found, str):
        console.print(f"[yellow]Looser[/]: {escape(found)}.", highlight=False, soft_wrap=True)
    elif found:
        console.print("[yellow]Looser than what was promoted last[/]:", highlight=False)
        for each in found:
            line = f"  {each.rule} {escape(each.message)}"
            console.print(line, highlight=False, soft_wrap=True)


def _of(aws: Aws, execution_id: str) -> list[Looser]:
    actions = aws.client("codepipeline").list_action_executions(
        pipelineName=PIPELINE, filter={"pipelineExecutionId": execution_id}
    )["actionExecutionDetails"]
    return [
        Looser.model_validate(each)
        for action in actions
        if action["actionName"] == COMPARISON
        for artifact in action.get("output", {}).get("outputArtifacts", [])
        for each in _report(aws, artifact["s3location"])
    ]


def _report(aws: Aws, place: dict[str, str]) -> list[Any]:
    body = aws.client("s3").get_object(Bucket=place["bucket"], Key=place["key"])["Body"].read()
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        if _REPORT not in archive.namelist():
            return []
        document = json.loads(archive.read(_REPORT))
    found: list[Any] = document["details"].get(DETAIL, [])
    return found
