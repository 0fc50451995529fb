"""What the load gate measured of the last release that was promoted.

Nobody has to write it down: the pipeline remembers which of its executions succeeded, prod and
its bake included, and keeps the reports of their gates as artifacts.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.gates import aws
from pipeline.gates.gate import CouldNotRunError
from pipeline.gates.load.measured import Measured
from pipeline.names import PIPELINE

if TYPE_CHECKING:
    from collections.abc import Iterator

REPORT = "load-measured.json"
"""The file among the gate's reports that the gate of the next release reads."""
_ACTION = ("staging", "Load")
_GONE = {"NoSuchKey", "NoSuchBucket", "404"}


@dataclass(frozen=True)
class Promoted:
    """An earlier release, and what was measured of it."""

    commit: str
    measured: Measured


def record(way: str, measured: Measured) -> str:
    """The text of the report that `last` finds when the release has been promoted."""
    return json.dumps({"way": way, "measured": measured.document()})


def last(way: str) -> Promoted | str:
    """The last promoted release, or why there is nothing of it to compare with.

    `way` stands for how is measured now; what was measured otherwise, or is written otherwise,
    is not comparable.

    Raises:
        CouldNotRunError: AWS does not say, or the report is not what `record` writes.
    """
    try:
        newest = next(_executions(), None)
        if newest is None:
            return "nothing was promoted before"
        commit, place = newest
        text = _report(place) if place else None
    except (BotoCoreError, ClientError) as error:
        raise CouldNotRunError(f"AWS did not tell what was promoted last: {error}") from error
    except zipfile.BadZipFile as error:
        raise CouldNotRunError(
            f"the artifact of the load gate of {commit[:7]}, promoted last, is no zip"
        ) from error
    if text is None:
        return f"{commit[:7]}, promoted last, left no measurements to compare with"
    try:
        document = json.loads(text)
        if document.get("way") != way:
            return f"{commit[:7]}, promoted last, was measured in another way"
        return Promoted(commit, Measured.read(document["measured"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CouldNotRunError(
            f"{REPORT} of {commit[:7]}, promoted last, cannot be read: {error!r}; what is "
            "measured by another load profile is not compared with it"
        ) from error


def _executions() -> Iterator[tuple[str, dict[str, str] | None]]:
    """The promoted releases, newest first: the commit, and where the reports of its gate are."""
    client = aws.client("codepipeline")
    for page in client.get_paginator("list_pipeline_executions").paginate(pipelineName=PIPELINE):
        for execution in page["pipelineExecutionSummaries"]:
            # The rollback of a stage is an execution, too, and has passed no gate.
            if execution["status"] == "Succeeded" and execution.get("executionType") != "ROLLBACK":
                commit = execution["sourceRevisions"][0]["revisionId"]
                yield commit, _place(client, execution["pipelineExecutionId"])


def _place(client: Any, execution: str) -> dict[str, str] | None:
    pages = client.get_paginator("list_action_executions").paginate(
        pipelineName=PIPELINE, filter={"pipelineExecutionId": execution}
    )
    for page in pages:
        for action in page["actionExecutionDetails"]:
            ran = (action["stageName"], action["actionName"], action["status"])
            if ran == (*_ACTION, "Succeeded"):
                place: dict[str, str] = action["output"]["outputArtifacts"][0]["s3location"]
                return place
    return None


def _report(place: dict[str, str]) -> str | None:
    """The report out of the gate's artifact; None where either is gone, or never was."""
    try:
        answer = aws.client("s3").get_object(Bucket=place["bucket"], Key=place["key"])
    except ClientError as error:
        if error.response["Error"]["Code"] in _GONE:
            return None  # artifacts are not kept for ever
        raise
    with zipfile.ZipFile(io.BytesIO(answer["Body"].read())) as artifact:
        return artifact.read(REPORT).decode() if REPORT in artifact.namelist() else None
