"""Serve the release that is in prod, so that it can be measured next to the new one.

Prod's alias identifies its commit. The history of the pipeline does not: it also contains releases
that were rolled back by hand. Lambda keeps every version, and the environment has a second API
(pipeline/delivery/stacks/promoted.py), whose alias is pointed at that commit's version.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import requests
from botocore.exceptions import BotoCoreError, ClientError

from pipeline.gates import aws
from pipeline.gates.report.result import CouldNotRunError
from pipeline.gates.service_function import service_function
from pipeline.names import ALIAS, lookup_role, promoted_role, service_stack

if TYPE_CHECKING:
    from environments.schema import Environment

_ALIAS_TIMEOUT_SECONDS = 30.0
"""Time in which the API must serve the version of an updated alias; normally it does at once."""
_POLL_INTERVAL_SECONDS = 0.1
_SESSION_POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": [
                    "cloudformation:DescribeStackResources",
                    "lambda:GetAlias",
                    "lambda:GetFunctionConfiguration",
                ],
                "Resource": "*",
            }
        ],
    }
)
"""Limits the gate's session of CDK's lookup role, which may read nearly all of its account."""


def commit(name: str, environment: Environment) -> str | None:
    """Return the commit of the version that serves an environment.

    During a traffic shift it is the stable version. None before the first deployment.

    Raises:
        CouldNotRunError: it cannot be read from AWS.
    """
    try:
        role = lookup_role(environment.account, environment.region)
        cloudformation, lambda_ = (
            aws.assumed(role, service, environment.region, policy=_SESSION_POLICY)
            for service in ("cloudformation", "lambda")
        )
        function = service_function(cloudformation, service_stack(name))
        if function is None:
            return None
        version = lambda_.get_alias(FunctionName=function, Name=ALIAS)["FunctionVersion"]
        configuration = lambda_.get_function_configuration(FunctionName=function, Qualifier=version)
        return str(configuration["Environment"]["Variables"]["COMMIT"])
    except (BotoCoreError, ClientError, KeyError) as error:
        raise CouldNotRunError(
            f"account {environment.account}: the commit that serves {name} cannot be read: {error}"
        ) from error


def serve(commit: str, alias_arn: str, url: str, name: str, environment: Environment) -> bool:
    """Point the alias at a commit's version; return False if the environment has no such version.

    `alias_arn` is the alias behind the API at `url`, in the environment of that name.

    Raises:
        CouldNotRunError: AWS rejects the update, or the API does not serve the version in time.
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
            f"{commit[:7]}, which serves prod, could not be served in {name}: {error}"
        ) from error
    _wait(commit, url)
    return True


def _version(lambda_: Any, function: str, commit: str) -> str | None:
    """Return the newest version of a commit."""
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
    """Wait until the API serves the commit."""
    end = time.monotonic() + _ALIAS_TIMEOUT_SECONDS
    while (found := _served(url)) != commit:
        if time.monotonic() > end:
            raise CouldNotRunError(
                f"{url} serves {found}; allowed is {commit[:7]}, which serves prod and to which "
                "the alias was pointed. Retry the stage"
            )
        time.sleep(_POLL_INTERVAL_SECONDS)


def _served(url: str) -> str:
    """Return the commit that is served, or a phrase if it cannot be read."""
    try:
        answer = requests.get(f"{url.rstrip('/')}/version", timeout=_ALIAS_TIMEOUT_SECONDS)
        return str(answer.json()["commit"])
    except (requests.RequestException, ValueError, KeyError, TypeError) as error:
        return f"no version ({error})"
