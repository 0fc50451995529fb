"""Read the deployed templates of stacks from CloudFormation."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from pipeline.gates.report.result import CouldNotRunError
from pipeline.gates.template.template import Template, TemplateError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.gates.template.assembly import LookupRole

# A template may have a megabyte, and three accounts are read at once.
_CLIENT_CONFIG = Config(
    connect_timeout=3, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 3}
)
_SESSION_POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "cloudformation:GetTemplate", "Resource": "*"},
    ],
}
"""Limits the gate's session of CDK's lookup role, which may read nearly all of its account."""


class DeployedStack(Protocol):
    """The name and place of a stack, and the role that may read it."""

    @property
    def name(self) -> str: ...
    @property
    def account(self) -> str: ...
    @property
    def region(self) -> str: ...
    @property
    def lookup_role(self) -> LookupRole | None: ...


def templates(stacks: Sequence[DeployedStack]) -> dict[str, Template | None]:
    """Return the deployed template of each stack by its name; None if it is not deployed.

    Stacks in the caller's account are read with the caller's role, others with the lookup role that
    `cdk bootstrap --trust-for-lookup` creates.

    Raises:
        CouldNotRunError: a template cannot be read.
    """
    session = boto3.Session()
    try:
        sts = session.client("sts", region_name=stacks[0].region, config=_CLIENT_CONFIG)
        caller = sts.get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        raise CouldNotRunError(f"the caller's identity cannot be read from AWS: {error}") from error
    partition = str(caller["Arn"]).split(":")[1]
    clients = {
        place: _client(session, sts, stack, caller["Account"], partition)
        for stack in stacks
        for place in [(stack.account, stack.region)]
    }
    with ThreadPoolExecutor(max_workers=8) as pool:
        read = pool.map(lambda each: _template(clients[each.account, each.region], each), stacks)
        return {stack.name: found for stack, found in zip(stacks, read, strict=True)}


def _client(
    session: boto3.Session, sts: Any, stack: DeployedStack, own: str, partition: str
) -> Any:
    given = {} if stack.account == own else _assumed(sts, stack, partition)
    return session.client(
        "cloudformation",
        region_name=stack.region,
        config=_CLIENT_CONFIG,
        aws_access_key_id=given.get("AccessKeyId"),
        aws_secret_access_key=given.get("SecretAccessKey"),
        aws_session_token=given.get("SessionToken"),
    )


def _assumed(sts: Any, stack: DeployedStack, partition: str) -> dict[str, str]:
    role = stack.lookup_role
    if role is None:
        raise CouldNotRunError(
            f"{stack.name}: the assembly names no lookup role for account {stack.account}; "
            "synthesise it with CDK's default synthesizer"
        )
    external = {"ExternalId": role.external_id} if role.external_id else {}
    try:
        answer = sts.assume_role(
            RoleArn=role.arn.replace("${AWS::Partition}", partition),
            RoleSessionName="pithead-changes",
            Policy=json.dumps(_SESSION_POLICY),
            **external,
        )
    except (BotoCoreError, ClientError) as error:
        raise CouldNotRunError(
            f"{stack.name}: account {stack.account} cannot be read: {error}; bootstrap it with "
            "--trust-for-lookup for the pipeline's account"
        ) from error
    credentials: dict[str, str] = answer["Credentials"]
    return credentials


def _template(client: Any, stack: DeployedStack) -> Template | None:
    try:
        body = client.get_template(StackName=stack.name, TemplateStage="Original")["TemplateBody"]
    except ClientError as error:
        cause = error.response["Error"]
        if cause["Code"] == "ValidationError" and "does not exist" in cause["Message"]:
            return None
        raise CouldNotRunError(f"{stack.name}: its template cannot be read: {error}") from error
    except BotoCoreError as error:
        raise CouldNotRunError(f"{stack.name}: its template cannot be read: {error}") from error
    try:
        document = json.loads(body) if isinstance(body, str) and body else body
        # A stack with only a change set has an empty template.
        return Template.of(document) if document else None
    except (ValueError, TemplateError) as error:
        raise CouldNotRunError(
            f"{stack.name}: its deployed template is no JSON template: {error}"
        ) from error
