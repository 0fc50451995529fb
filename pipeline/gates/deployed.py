"""What is deployed now: the templates of stacks, as CloudFormation has them."""

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

# A template may have a megabyte, and three accounts are asked at once.
_PATIENT = Config(
    connect_timeout=3, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 3}
)
_READS_TEMPLATES = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "cloudformation:GetTemplate", "Resource": "*"},
    ],
}
"""CDK's lookup role may read nearly all of its account; a session of ours no more than this."""


class Place(Protocol):
    """Where a stack is, and who may read it there."""

    @property
    def name(self) -> str: ...
    @property
    def account(self) -> str: ...
    @property
    def region(self) -> str: ...
    @property
    def lookup_role(self) -> LookupRole | None: ...


def templates(stacks: Sequence[Place]) -> dict[str, Template | None]:
    """Each stack's template as it is deployed, by the stack's name; None of one that is not.

    Stacks of the caller's own account are read as the caller, others as the lookup role that
    `cdk bootstrap --trust-for-lookup` made for that.

    Raises:
        CouldNotRunError: one of them cannot be read.
    """
    session = boto3.Session()
    try:
        sts = session.client("sts", region_name=stacks[0].region, config=_PATIENT)
        caller = sts.get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        raise CouldNotRunError(f"AWS does not say who asks: {error}") from error
    partition = str(caller["Arn"]).split(":")[1]
    clients = {
        place: _client(session, sts, stack, caller["Account"], partition)
        for stack in stacks
        for place in [(stack.account, stack.region)]
    }
    with ThreadPoolExecutor(max_workers=8) as pool:
        read = pool.map(lambda each: _template(clients[each.account, each.region], each), stacks)
        return {stack.name: found for stack, found in zip(stacks, read, strict=True)}


def _client(session: boto3.Session, sts: Any, stack: Place, own: str, partition: str) -> Any:
    given = {} if stack.account == own else _assumed(sts, stack, partition)
    return session.client(
        "cloudformation",
        region_name=stack.region,
        config=_PATIENT,
        aws_access_key_id=given.get("AccessKeyId"),
        aws_secret_access_key=given.get("SecretAccessKey"),
        aws_session_token=given.get("SessionToken"),
    )


def _assumed(sts: Any, stack: Place, partition: str) -> dict[str, str]:
    role = stack.lookup_role
    if role is None:
        raise CouldNotRunError(
            f"{stack.name}: the assembly names no lookup role for account {stack.account}; "
            "synthesise it by CDK's default synthesizer"
        )
    external = {"ExternalId": role.external_id} if role.external_id else {}
    try:
        answer = sts.assume_role(
            RoleArn=role.arn.replace("${AWS::Partition}", partition),
            RoleSessionName="pithead-changes",
            Policy=json.dumps(_READS_TEMPLATES),
            **external,
        )
    except (BotoCoreError, ClientError) as error:
        raise CouldNotRunError(
            f"{stack.name}: account {stack.account} does not let itself be read: {error}; "
            "bootstrap it with --trust-for-lookup for the pipeline's account"
        ) from error
    credentials: dict[str, str] = answer["Credentials"]
    return credentials


def _template(client: Any, stack: Place) -> Template | None:
    try:
        body = client.get_template(StackName=stack.name, TemplateStage="Original")["TemplateBody"]
    except ClientError as error:
        told = error.response["Error"]
        if told["Code"] == "ValidationError" and "does not exist" in told["Message"]:
            return None
        raise CouldNotRunError(f"{stack.name}: its template cannot be read: {error}") from error
    except BotoCoreError as error:
        raise CouldNotRunError(f"{stack.name}: its template cannot be read: {error}") from error
    try:
        document = json.loads(body) if isinstance(body, str) and body else body
        # A stack that was never more than a change set has an empty one.
        return Template.of(document) if document else None
    except (ValueError, TemplateError) as error:
        raise CouldNotRunError(
            f"{stack.name}: what is deployed is no template in JSON: {error}"
        ) from error
