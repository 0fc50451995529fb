"""CloudFormation: stacks, their change sets, and the threads that carry them out."""

from __future__ import annotations

import json
import threading
import uuid
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from localcloud.cloudformation.api import CloudFormationApi
from localcloud.cloudformation.changes import NO_CHANGES, differences
from localcloud.cloudformation.intrinsics import Resolver
from localcloud.cloudformation.made_by_moto import BucketPolicyProvider, MotoProvider
from localcloud.cloudformation.model import ChangeSet, Stack, StackResource
from localcloud.cloudformation.operation import Operation
from localcloud.cloudformation.recorded import RecordedProvider
from localcloud.cloudformation.template import TemplateError, parse

if TYPE_CHECKING:
    from localcloud.api import ServiceApi
    from localcloud.cloud import Cloud
    from localcloud.resources import Provider, Resource

_STACK = "cloudformation:stack"
_CHANGE_SET = "cloudformation:change-set"
_PROMPT = 2.0  # wall seconds
_INTERRUPTED = "The local cloud stopped during this operation"


class CloudFormation:
    """See `localcloud.cloud.Service`."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.apis: dict[str, type[ServiceApi]] = {"cloudformation": CloudFormationApi}
        self._recorded = RecordedProvider()
        self._moto = MotoProvider(cloud)
        self.providers: dict[str, Provider] = {
            "AWS::S3::BucketPolicy": BucketPolicyProvider(cloud),
        }
        self._acting: dict[str, Provider] = {}
        self._lock = threading.RLock()
        self._cancels: dict[str, threading.Event] = {}
        self.stacks: dict[str, Stack] = {}
        """By stack id; those that are deleted stay."""
        self.change_sets: dict[str, ChangeSet] = {}

    def register(self, providers: dict[str, Provider]) -> None:
        """Take the providers of all services."""
        self._acting = providers

    def start(self) -> None:
        """Read back every stack; an operation that was under way has failed, and says why."""
        for _, document in self.cloud.ledger.all(_STACK):
            stack = Stack.of(document)
            self.stacks[stack.id] = stack
            if stack.status.endswith("_IN_PROGRESS") and stack.status != "REVIEW_IN_PROGRESS":
                verb = stack.status.split("_")[0]
                settled = {"CREATE": "CREATE_FAILED", "DELETE": "DELETE_FAILED"}
                self.set_status(stack, settled.get(verb, "UPDATE_ROLLBACK_COMPLETE"), _INTERRUPTED)
        for _, document in self.cloud.ledger.all(_CHANGE_SET):
            change_set = ChangeSet(**document)
            self.change_sets[change_set.id] = change_set

    def stop(self) -> None:
        """Tell what waits to wait no longer."""
        for cancel in list(self._cancels.values()):
            cancel.set()

    def acts(self, type_name: str) -> bool:
        """Whether something acts behind resources of this type, or they are only recorded."""
        return type_name in self._acting or self._moto.makes(type_name)

    def find(self, account: str, region: str, name: str) -> Stack | None:
        """The stack of a name that is not deleted, or of an id."""
        with self._lock:
            return next(
                (
                    stack
                    for stack in self.stacks.values()
                    if (stack.account, stack.region) == (account, region)
                    and (
                        stack.id == name
                        or (stack.name == name and stack.status != "DELETE_COMPLETE")
                    )
                ),
                None,
            )

    def new_stack(self, account: str, region: str, name: str, status: str) -> Stack:
        """A stack that has nothing yet."""
        stack_id = f"arn:aws:cloudformation:{region}:{account}:stack/{name}/{uuid.uuid4()}"
        stack = Stack(stack_id, name, account, region, status, self.cloud.clock.timestamp())
        with self._lock:
            self.stacks[stack_id] = stack
        self.set_status(stack, status, "User Initiated")
        return stack

    def fetch(self, account: str, region: str, url: str) -> str:
        """A template that was uploaded to S3.

        Raises:
            TemplateError: it is not there.
        """
        parts = urlparse(url)
        host, path = parts.netloc, parts.path.lstrip("/")
        if ".s3." in host:
            bucket, key = host.split(".s3.", 1)[0], path
        else:
            bucket, _, key = path.partition("/")
        client = self.cloud.client("s3", account, region)
        try:
            body: bytes = client.get_object(Bucket=bucket, Key=key)["Body"].read()
        except client.exceptions.ClientError as error:
            raise TemplateError(f"S3 error: {error} (template {bucket}/{key})") from error
        return body.decode()

    def parameters(
        self, stack: Stack, template: dict[str, Any], given: list[dict[str, Any]]
    ) -> dict[str, Any]:
        """Values of the template's parameters: given, kept from before, or by default.

        Raises:
            TemplateError: one has no value, or a value that is not allowed.
        """
        declared: dict[str, Any] = template.get("Parameters", {})
        values: dict[str, Any] = {}
        by_name = {each["ParameterKey"]: each for each in given}
        unknown = sorted(by_name.keys() - declared.keys())
        if unknown:
            raise TemplateError(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
        for name, definition in declared.items():
            entry = by_name.get(name)
            if entry and entry.get("UsePreviousValue"):
                values[name] = stack.parameters.get(name, definition.get("Default"))
            elif entry:
                values[name] = entry.get("ParameterValue", "")
            else:
                values[name] = definition.get("Default")
            if values[name] is None:
                raise TemplateError(f"Parameters: [{name}] must have values")
            allowed = definition.get("AllowedValues")
            if allowed and str(values[name]) not in {str(value) for value in allowed}:
                raise TemplateError(f"Parameter '{name}' must be one of AllowedValues: {allowed}")
        return values

    def resolver(
        self,
        stack: Stack,
        template: dict[str, Any],
        parameters: dict[str, Any],
        made: dict[str, Resource],
    ) -> Resolver:
        """Resolves the template's functions in the stack's place."""
        account, region = stack.account, stack.region
        values: dict[str, Any] = {}
        for name, value in parameters.items():
            type_name = template.get("Parameters", {}).get(name, {}).get("Type", "String")
            if type_name.startswith("AWS::SSM::Parameter::Value"):
                values[name] = self._ssm(account, region, str(value))
            elif type_name == "CommaDelimitedList" or type_name.startswith("List<"):
                values[name] = [part.strip() for part in str(value).split(",")]
            else:
                values[name] = value
        pseudo = {
            "AWS::AccountId": account,
            "AWS::Region": region,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackId": stack.id,
            "AWS::StackName": stack.name,
            "AWS::NotificationARNs": [],
        }
        return Resolver(
            template,
            parameters=values,
            pseudo=pseudo,
            resources=made,
            dynamic=lambda service, reference: self._dynamic(account, region, service, reference),
            imported=lambda name: self._imported(account, region, name),
            gateway=self.cloud.gateway_endpoint,
        )

    def plan(self, stack: Stack, change_set: ChangeSet) -> None:
        """Work out a change set and store it; a failure is its status, as on AWS."""
        try:
            template = parse(change_set.template)
            made = {name: each.made() for name, each in stack.resources.items()}
            resolver = self.resolver(stack, template, change_set.parameters, made)
            change_set.changes = differences(stack, template, change_set.parameters, resolver)
        except TemplateError as error:
            change_set.status, change_set.execution_status = "FAILED", "UNAVAILABLE"
            change_set.reason = str(error)
        else:
            same_outputs = json.loads(stack.template).get("Outputs") == template.get("Outputs")
            same_tags = change_set.tags == stack.tags
            if not change_set.changes and stack.resources and same_outputs and same_tags:
                change_set.status, change_set.execution_status = "FAILED", "UNAVAILABLE"
                change_set.reason = NO_CHANGES
            else:
                change_set.status, change_set.execution_status = "CREATE_COMPLETE", "AVAILABLE"
        self.save(change_set)

    def save(self, change_set: ChangeSet) -> None:
        """Make a change set durable."""
        self.change_sets[change_set.id] = change_set
        self.cloud.ledger.put(_CHANGE_SET, change_set.id, asdict(change_set))

    def forget(self, change_set: ChangeSet) -> None:
        """Delete a change set."""
        self.change_sets.pop(change_set.id, None)
        self.cloud.ledger.delete(_CHANGE_SET, change_set.id)

    def execute(self, stack: Stack, change_set: ChangeSet) -> None:
        """Begin to carry a change set out; `DescribeStacks` tells how it goes."""
        verb = "UPDATE" if stack.resources or stack.status != "REVIEW_IN_PROGRESS" else "CREATE"
        change_set.execution_status = "EXECUTE_IN_PROGRESS"
        self.save(change_set)
        stack.change_set_id = change_set.id
        self.set_status(stack, f"{verb}_IN_PROGRESS", "User Initiated")
        self._run(stack, lambda cancel: self._carry_out(stack, change_set, verb, cancel))

    def delete(self, stack: Stack) -> None:
        """Begin to delete a stack."""
        self.set_status(stack, "DELETE_IN_PROGRESS", "User Initiated")
        self._run(stack, lambda cancel: self._delete(stack, cancel))

    def cancel(self, stack: Stack) -> None:
        """Stop an update that is under way; it goes back."""
        if stack.id in self._cancels:
            self._cancels[stack.id].set()

    def set_status(self, stack: Stack, status: str, reason: str = "") -> None:
        """Record a stack's status as state and as event."""
        now = self.cloud.clock.timestamp()
        stack.status, stack.reason = status, reason
        if status.startswith("UPDATE"):
            stack.updated = now
        if status == "DELETE_COMPLETE":
            stack.deleted = now
        self._event(stack, stack.name, stack.id, "AWS::CloudFormation::Stack", status, reason)
        self.cloud.bus.publish(
            stack.account,
            stack.region,
            "aws.cloudformation",
            "CloudFormation Stack Status Change",
            {
                "stack-id": stack.id,
                "status-details": {"status": status, "status-reason": reason},
            },
            (stack.id,),
        )

    def events(self, stack: Stack) -> list[dict[str, Any]]:
        """The stack's events, newest first."""
        read = self.cloud.ledger.read(f"cloudformation:events:{stack.id}")
        return [event for _, event in reversed(read)]

    def _run(self, stack: Stack, work: Any) -> None:
        cancel = self._cancels[stack.id] = threading.Event()

        def guarded() -> None:
            try:
                work(cancel)
            finally:
                self._cancels.pop(stack.id, None)

        worker = threading.Thread(target=guarded, name=f"stack-{stack.name}", daemon=True)
        worker.start()
        # A short operation is over before its caller begins to poll, every few seconds.
        worker.join(_PROMPT)

    def _operation(
        self,
        stack: Stack,
        template: dict[str, Any],
        parameters: dict[str, Any],
        cancel: threading.Event,
    ) -> Operation:
        made = {name: each.made() for name, each in stack.resources.items()}

        def record(resource: StackResource | None) -> None:
            if resource is not None:
                resource.timestamp = self.cloud.clock.timestamp()
                self._event(
                    stack,
                    resource.logical_id,
                    resource.physical_id,
                    resource.type,
                    resource.status,
                    resource.reason,
                )

        return Operation(
            stack=stack,
            template=template,
            resolver=self.resolver(stack, template, parameters, made),
            made=made,
            provider=self._provider,
            record=record,
            cancel=cancel,
        )

    def _carry_out(
        self, stack: Stack, change_set: ChangeSet, verb: str, cancel: threading.Event
    ) -> None:
        template = parse(change_set.template)
        before = stack.snapshot()
        stack.tags = change_set.tags
        operation = self._operation(stack, template, change_set.parameters, cancel)
        reason = operation.apply()
        if reason is None:
            try:
                stack.outputs = self._outputs(stack, template, operation.resolver)
            except TemplateError as error:
                reason = str(error)
        if reason is None:
            stack.template, stack.parameters = change_set.template, change_set.parameters
            stack.capabilities, stack.role_arn = change_set.capabilities, change_set.role_arn
            if verb == "UPDATE":
                self.set_status(stack, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
            operation.clean_up()
            change_set.execution_status = "EXECUTE_COMPLETE"
            self.save(change_set)
            self.set_status(stack, f"{verb}_COMPLETE")
            return
        change_set.execution_status = "EXECUTE_FAILED"
        self.save(change_set)
        stack.tags = before.tags
        if verb == "CREATE":
            self.set_status(stack, "ROLLBACK_IN_PROGRESS", f"{reason}Rollback requested by user.")
            stuck = operation.roll_back()
            self.set_status(stack, "ROLLBACK_FAILED" if stuck else "ROLLBACK_COMPLETE")
            return
        self.set_status(stack, "UPDATE_ROLLBACK_IN_PROGRESS", reason)
        stuck = operation.roll_back()
        if stuck:
            self.set_status(
                stack,
                "UPDATE_ROLLBACK_FAILED",
                f"The following resource(s) failed to update: [{', '.join(stuck)}].",
            )
            return
        self.set_status(stack, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
        self.set_status(stack, "UPDATE_ROLLBACK_COMPLETE")

    def _delete(self, stack: Stack, cancel: threading.Event) -> None:
        template = json.loads(stack.template)
        if not template.get("Resources"):
            template = {
                "Resources": {name: {"Type": each.type} for name, each in stack.resources.items()}
            }
        else:
            template = parse(stack.template)
        stuck = self._operation(stack, template, stack.parameters, cancel).delete_all()
        if stuck:
            self.set_status(
                stack,
                "DELETE_FAILED",
                f"The following resource(s) failed to delete: [{', '.join(stuck)}]. ",
            )
        else:
            self.set_status(stack, "DELETE_COMPLETE")

    def _provider(self, type_name: str) -> Provider:
        if type_name in self._acting:
            return self._acting[type_name]
        return self._moto if self._moto.makes(type_name) else self._recorded

    def _outputs(
        self, stack: Stack, template: dict[str, Any], resolver: Resolver
    ) -> list[dict[str, Any]]:
        outputs = []
        for key, definition in template.get("Outputs", {}).items():
            if not resolver.holds(definition):
                continue
            output = {"OutputKey": key, "OutputValue": str(resolver.value(definition["Value"]))}
            if "Description" in definition:
                output["Description"] = definition["Description"]
            if "Export" in definition:
                output["ExportName"] = str(resolver.value(definition["Export"]["Name"]))
                owner = self.exports(stack.account, stack.region).get(output["ExportName"])
                if owner and owner[0] is not stack:
                    raise TemplateError(
                        f"Export with name {output['ExportName']} is already exported by stack "
                        f"{owner[0].name}."
                    )
            outputs.append(output)
        return outputs

    def exports(self, account: str, region: str) -> dict[str, tuple[Stack, str]]:
        """Every export's stack and value."""
        return {
            output["ExportName"]: (stack, output["OutputValue"])
            for stack in list(self.stacks.values())
            if (stack.account, stack.region) == (account, region)
            and stack.status != "DELETE_COMPLETE"
            for output in stack.outputs
            if "ExportName" in output
        }

    def _imported(self, account: str, region: str, name: str) -> str:
        found = self.exports(account, region).get(name)
        if found is None:
            raise TemplateError(f"No export named {name} found.")
        return found[1]

    def _ssm(self, account: str, region: str, name: str) -> str:
        client = self.cloud.client("ssm", account, region)
        try:
            value: str = client.get_parameter(Name=name)["Parameter"]["Value"]
        except client.exceptions.ParameterNotFound as error:
            raise TemplateError(
                f"Unable to fetch parameters [{name}] from parameter store for this account."
            ) from error
        return value

    def _dynamic(self, account: str, region: str, service: str, reference: str) -> str:
        if service == "ssm":
            return self._ssm(account, region, reference.split(":", maxsplit=1)[0])
        if service == "secretsmanager":
            name, _, rest = reference.partition(":SecretString")
            client = self.cloud.client("secretsmanager", account, region)
            value: str = client.get_secret_value(SecretId=name)["SecretString"]
            key = rest.strip(":").split(":")[0]
            return str(json.loads(value)[key]) if key else value
        raise TemplateError(f"Dynamic reference to {service} is not part of the local cloud")

    def _event(
        self,
        stack: Stack,
        logical_id: str,
        physical_id: str,
        type_name: str,
        status: str,
        reason: str,
    ) -> None:
        event = {
            "EventId": f"{logical_id}-{uuid.uuid4()}",
            "LogicalResourceId": logical_id,
            "PhysicalResourceId": physical_id,
            "ResourceType": type_name,
            "ResourceStatus": status,
            "ResourceStatusReason": reason,
            "Timestamp": self.cloud.clock.timestamp(),
        }
        with self.cloud.ledger.transaction():
            self.cloud.ledger.append(f"cloudformation:events:{stack.id}", event)
            self.cloud.ledger.put(_STACK, stack.key, stack.document())
