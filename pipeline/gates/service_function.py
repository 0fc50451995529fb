"""Find the function that serves an environment."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from pipeline.names import ALIAS


def service_function(cloudformation: Any, stack: str) -> str | None:
    """Return the name of the function behind a stack's alias; None if there is no alias yet."""
    try:
        resources = cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return None
        raise
    aliases = (
        each["PhysicalResourceId"].split(":")  # arn:aws:lambda:REGION:ACCOUNT:function:NAME:ALIAS
        for each in resources
        if each["ResourceType"] == "AWS::Lambda::Alias" and each.get("PhysicalResourceId")
    )
    return next((arn[6] for arn in aliases if arn[7] == ALIAS), None)
