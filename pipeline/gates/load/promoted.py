"""The release that was promoted last, to be measured beside the one that may be promoted next.

Nobody has to write down which one that is: the pipeline remembers which of its executions
succeeded, prod and its bake included. Lambda keeps every version, and the environment has a second
API (pipeline/stacks/promoted.py), whose alias is pointed at that one here.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import requests
from botocore.exceptions import BotoCoreError, ClientError

from pipeline.gates import aws
from pipeline.gates.gate import CouldNotRunError
from pipeline.names import PIPELINE, promoted_role

if TYPE_CHECKING:
    from environments.schema import Environment

_SETTLED = 30.0
"""Seconds; an alias that was pointed elsewhere is followed at once, or nearly so."""
_PAUSE = 0.1


def commit() -> str | None:
    """The commit that was promoted last; None before the first.

    Raises:
        CouldNotRunError: AWS does not say.
    """
    try:
        pages = (
            aws.client("codepipeline")
            .get_paginator("list_pipeline_executions")
            .paginate(pipelineName=PIPELINE)
        )
        for page in pages:
            for execution in page["pipelineExecutionSummaries"]:
                # The rollback of a stage is an execution, too, and has passed no gate.
                rollback = execution.get("executionType") == "ROLLBACK"
                if execution["status"] == "Succeeded" and not rollback:
                    return str(execution["sourceRevisions"][0]["revisionId"])
    except (BotoCoreError, ClientError) as error:
        raise CouldNotRunError(f"AWS did not tell what was promoted last: {error}") from error
    return None


def serve(commit: str, alias_arn: str, url: str, name: str, environment: Environment) -> bool:
    """Point the alias at a commit's version; False where there is none in the environment.

    `alias_arn` is the alias behind the API at `url`, in the environment of that name.

    Raises:
        CouldNotRunError: AWS does not let it be done, or the API goes on to serve another one.
    """
    function, alias = alias_arn.rsplit(":", 1)
    try:
        lambda_ = aws.assumed(
            f"arn:aws:iam::{environment.account}:role/{promoted_role(name)}",
            "lambda",
            environment.region,
        )
        version = _version(lambda_, function, commit)
        if version is None:
            return False
        lambda_.update_alias(FunctionName=function, Name=alias, FunctionVersion=version)
    except (BotoCoreError, ClientError) as error:
        raise CouldNotRunError(
            f"{commit[:7]}, promoted last, could not be served in {name}: {error}"
        ) from error
    _wait(commit, url)
    return True


def _version(lambda_: Any, function: str, commit: str) -> str | None:
    """The newest version of a commit."""
    pages = lambda_.get_paginator("list_versions_by_function").paginate(FunctionName=function)
    numbers = [
        int(each["Version"])
        for page in pages
        for each in page["Versions"]
        if each["Version"] != "$LATEST"
        and each.get("Environment", {}).get("Variables", {}).get("COMMIT") == commit
    ]
    return str(max(numbers)) if numbers else None


def _wait(commit: str, url: str) -> None:
    """Until the API serves the commit."""
    end = time.monotonic() + _SETTLED
    while (found := _served(url)) != commit:
        if time.monotonic() > end:
            raise CouldNotRunError(
                f"{url} serves {found}; allowed is {commit[:7]}, promoted last, to which its "
                "alias was pointed"
            )
        time.sleep(_PAUSE)


def _served(url: str) -> str:
    """The commit that is served, or what was found instead."""
    try:
        answer = requests.get(f"{url.rstrip('/')}/version", timeout=_SETTLED)
        return str(answer.json()["commit"])
    except (requests.RequestException, ValueError, KeyError, TypeError) as error:
        return f"no version ({error})"
