"""A delivery on the local cloud with enforced permissions, whose templates a test may edit."""

from __future__ import annotations

import copy
import json
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.planted.checkout import Checkout
from tests.planted.delivered import SIGNING, delivered
from tests.planted.policies import ASSETS, REGION, TARGET, TOOLING, role_arn
from tests.planted.release import Release
from tests.planted.stages import PIPELINE
from tests.planted.target import target
from tests.planted.tooling import SECRET, tooling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from localcloud.server import LocalCloud
    from tests.planted.policies import Template

LONG = 120.0
"""Wall seconds after which a wait fails."""
_TICK = 0.2
"""Wall seconds between checks, because a message in a queue publishes no event."""
_HERE = Path(__file__).parent


class Delivery:
    """A cloud with both accounts set up, and a repository that a pipeline delivers.

    `edit` plants a fault into a copy of a template; `release` deploys what was edited, pushes a
    commit and runs the pipeline.
    """

    def __init__(self, server: LocalCloud, folder: Path) -> None:
        self._cloud = server.cloud
        self._folder = folder
        self._changed = threading.Event()
        self._revision = 0
        self._buried: list[tuple[str, ...]] = []
        self._deployed: dict[str, Template] = {}
        self._edited: dict[str, Template] = {}
        self.publishing = {"action": "s3:PutObject"}
        self._cloud.bus.subscribe(self._notice)
        self._cloud.logs.subscribe(self._notice)

    # State.

    def client(self, service: str, account: str = TOOLING) -> Any:
        """Return a client of an account's administrator."""
        return self._cloud.client(service, account, REGION)

    def set_up(self) -> None:
        """Bootstrap both accounts, and create the repository."""
        self.restore()
        self.client("secretsmanager").create_secret(Name=SECRET, SecretString="t0ken")
        self.deploy()
        self._checkout = Checkout(self._folder, self._cloud, self.connection)

    @property
    def connection(self) -> str:
        """Return the ARN of the pipeline's connection."""
        (stack,) = self.client("cloudformation").describe_stacks(StackName="tooling")["Stacks"]
        return str(stack["Outputs"][0]["OutputValue"])

    @property
    def key(self) -> str:
        """Return the ARN of the artifacts' key."""
        found = self.client("cloudformation").describe_stack_resource(
            StackName="tooling", LogicalResourceId="Key"
        )["StackResourceDetail"]["PhysicalResourceId"]
        return f"arn:aws:kms:{REGION}:{TOOLING}:key/{found}"

    # Faults and releases.

    def restore(self) -> None:
        """Remove every fault; the next release deploys the original templates."""
        self._edited = {"target": target(), "tooling": tooling()}
        self.publishing = {"action": "s3:PutObject"}

    def edit(self, stack: str) -> Template:
        """Return the template of a stack to be changed: `tooling`, `target`, or `service`."""
        if stack == "service" and stack not in self._edited:
            self._edited[stack] = delivered(self._revision + 1)
        return self._edited[stack]

    def release(self) -> Release:
        """Deploy the edited templates, commit, and run the pipeline to its end."""
        return self.ended(self.begin())

    def begin(self) -> str:
        """Start a release; return the execution's id once it has started."""
        self.deploy()
        self.push()
        started = self.client("codepipeline").start_pipeline_execution(name=PIPELINE)
        return str(started["pipelineExecutionId"])

    def deploy(self) -> None:
        """Deploy the stacks of the two accounts that were edited."""
        for name, account in (("target", TARGET), ("tooling", TOOLING)):
            wanted = self._edited[name]
            if self._deployed.get(name) != wanted:
                self._deploy_stack(name, account, wanted)
                self._deployed[name] = copy.deepcopy(wanted)

    def push(self) -> None:
        """Commit and push a new revision of the service."""
        self._revision += 1
        files = {
            "handler.py": f"def handler(event, context):\n    return {self._revision}\n",
            "service.json": json.dumps(self._edited.pop("service", delivered(self._revision))),
            "publish.json": json.dumps(
                {"role": role_arn(TARGET, "delivery-publish"), "bucket": ASSETS} | self.publishing
            ),
            "publish.py": (_HERE / "repository" / "publish.py").read_text(),
            "pipeline/judge/signing.py": SIGNING,
        }
        self._checkout.push(files, f"revision {self._revision}")

    def announce(self) -> str | None:
        """Send the event that starts the pipeline; return the execution, if one starts."""
        pipelines = self._cloud.codepipeline
        known, buried = set(pipelines.executions), len(self._buried)
        entry = {"Source": "acme.releases", "DetailType": "Release", "Detail": "{}"}
        self.client("events").put_events(Entries=[entry])
        begun: set[str] = set()

        def told() -> bool:
            begun.update(set(pipelines.executions) - known)
            return bool(begun) or len(self.buried()) > buried

        self.until(told)
        return begun.pop() if begun else None

    def buried(self) -> list[tuple[str, ...]]:
        """Return EventBridge's undelivered events: target, code and message, oldest first."""
        sqs = self.client("sqs")
        url = sqs.get_queue_url(QueueName="undelivered")["QueueUrl"]
        found = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"])
        for message in found.get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            told = message["MessageAttributes"]
            self._buried.append(
                tuple(
                    told[each]["StringValue"]
                    for each in ("TARGET_ARN", "ERROR_CODE", "ERROR_MESSAGE")
                )
            )
        return self._buried

    @contextmanager
    def alarming(self) -> Iterator[dict[str, Any]]:
        """Trigger the service's alarm; return its action in the history."""
        cloudwatch = self.client("cloudwatch", TARGET)

        def actions() -> list[dict[str, Any]]:
            items = cloudwatch.describe_alarm_history(AlarmName="errors", HistoryItemType="Action")
            return list(items["AlarmHistoryItems"])

        before = len(actions())
        cloudwatch.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="a test")
        self.until(lambda: len(actions()) > before)
        yield actions()[0]
        cloudwatch.set_alarm_state(AlarmName="errors", StateValue="OK", StateReason="its end")

    def alias(self) -> dict[str, Any]:
        """Return the routing of the service's alias."""
        found = self.client("lambda", TARGET).get_alias(
            FunctionName="delivery-service", Name="live"
        )
        weights = found.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
        return {"version": found["FunctionVersion"], "weights": weights}

    def logged(self, function: str, text: str, account: str = TARGET) -> str:
        """Wait for the line with a text in a function's log."""
        found: list[str] = []

        logs = self.client("logs", account)

        def there() -> bool:
            with suppress(logs.exceptions.ResourceNotFoundException):  # it has not run yet
                events = logs.filter_log_events(logGroupName=f"/aws/lambda/{function}")["events"]
                found[:] = [each["message"] for each in events if text in each["message"]]
            return bool(found)

        self.until(there)
        return found[-1]

    def stop_deployment(self) -> None:
        """Stop the deployment that is in progress."""
        client = self.client("codedeploy", TARGET)
        (found,) = client.list_deployments(
            applicationName="service",
            deploymentGroupName="prod",
            includeOnlyStatuses=["InProgress"],
        )["deployments"]
        client.stop_deployment(deploymentId=found, autoRollbackEnabled=True)

    def ended(self, execution: str) -> Release:
        """Wait for an execution to end."""
        service = self._cloud.codepipeline
        self.until(
            lambda: execution in service.executions and not service.executions[execution].running
        )
        return Release(self.client, execution)

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait for a condition; checked when an event is published or a log is written."""
        # The condition is evaluated without a lock, because it may wait for a publisher.
        ends = time.monotonic() + LONG
        self._changed.clear()
        while not holds():
            self._changed.wait(_TICK)
            assert time.monotonic() < ends
            self._changed.clear()

    # Internals.

    def _deploy_stack(self, name: str, account: str, template: Template) -> None:
        client = self.client("cloudformation", account)
        verb = client.update_stack if name in self._deployed else client.create_stack
        verb(
            StackName=name,
            TemplateBody=json.dumps(template),
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )

        def status() -> str:
            return str(client.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])

        self.until(lambda: not status().endswith("_IN_PROGRESS"))
        assert status() in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}, status()

    def _notice(self, *_: object) -> None:
        self._changed.set()
