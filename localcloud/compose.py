"""The composition of the local cloud: creates every service with its dependencies.

No service imports another one. Each receives the others as the protocols of `localcloud.core`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from localcloud.apigateway.api import ApiGatewayApi
from localcloud.apigateway.service import Gateway
from localcloud.awslambda.api import LambdaApi
from localcloud.awslambda.service import Functions
from localcloud.cloudformation.api import CloudFormationApi
from localcloud.cloudformation.service import CloudFormation
from localcloud.cloudwatch.api import CloudWatchApi
from localcloud.cloudwatch.service import CloudWatch
from localcloud.codebuild.api import CodeBuildApi
from localcloud.codebuild.service import CodeBuild
from localcloud.codeconnections.api import CodeConnectionsApi, CodeStarConnectionsApi
from localcloud.codeconnections.service import CodeConnections
from localcloud.codedeploy.api import CodeDeployApi
from localcloud.codedeploy.service import CodeDeploy
from localcloud.codepipeline.api import CodePipelineApi
from localcloud.codepipeline.service import CodePipeline
from localcloud.core.core import Core
from localcloud.eventbridge.events_api import EventsApi
from localcloud.eventbridge.scheduler_api import SchedulerApi
from localcloud.eventbridge.service import Schedules
from localcloud.logs.api import LogsApi
from localcloud.logs.service import Logs
from localcloud.servicequotas.api import ServiceQuotasApi
from localcloud.servicequotas.service import ServiceQuotas
from localcloud.signer.api import SignerApi
from localcloud.signer.service import Signer
from localcloud.sts.api import StsApi
from localcloud.sts.service import Sts

if TYPE_CHECKING:
    import threading

    from localcloud.core.delays import Delays
    from localcloud.core.delivery_ports import BuildStarter, PipelineStarter
    from localcloud.core.function_ports import (
        AliasRouter,
        Deployer,
        EventFunctions,
        FunctionInvoker,
    )
    from localcloud.core.ports import AlarmStates, AliasDeployment, MetricSink
    from localcloud.core.quotas import Quotas
    from localcloud.core.service_api import ApiFactory, Service
    from localcloud.iam.access import Access
    from localcloud.moto.journal import Journal


@dataclass(frozen=True)
class Substitutes:
    """Replacements for services; tests pass their fakes."""

    functions: FunctionInvoker | None = None
    event_functions: EventFunctions | None = None
    aliases: AliasRouter | None = None
    metrics: MetricSink | None = None
    alarms: AlarmStates | None = None
    builds: BuildStarter | None = None
    pipelines: PipelineStarter | None = None
    deploy: Deployer | None = None


@dataclass(frozen=True)
class Cloud(Core):
    """A composed local cloud. No service receives it."""

    access: Access
    journal: Journal
    gateway_endpoint: str
    logs: Logs
    cloudwatch: CloudWatch
    sts: Sts
    signer: Signer
    servicequotas: ServiceQuotas
    functions: Functions
    gateway: Gateway
    codedeploy: CodeDeploy
    codebuild: CodeBuild
    codeconnections: CodeConnections
    codepipeline: CodePipeline
    schedules: Schedules
    cloudformation: CloudFormation

    def services(self) -> dict[str, Service]:
        """Return every service by name, in the order in which they start.

        A service that resumes work at its start comes after those that it uses.
        """
        return {
            "logs": self.logs,
            "cloudwatch": self.cloudwatch,
            "sts": self.sts,
            "signer": self.signer,
            "servicequotas": self.servicequotas,
            "functions": self.functions,
            "gateway": self.gateway,
            "codedeploy": self.codedeploy,
            "codebuild": self.codebuild,
            "codeconnections": self.codeconnections,
            "codepipeline": self.codepipeline,
            "schedules": self.schedules,
            # Last, because it resumes stack operations with the providers of all others.
            "cloudformation": self.cloudformation,
        }

    def apis(self) -> dict[str, dict[str, ApiFactory]]:
        """Return the APIs of each service, by the service's name and by SigV4 signing name."""
        connections = self.codeconnections
        return {
            "logs": {"logs": partial(LogsApi, self.logs)},
            "cloudwatch": {"monitoring": partial(CloudWatchApi, self.cloudwatch)},
            "sts": {"sts": partial(StsApi, self.sts)},
            "signer": {"signer": partial(SignerApi, self.signer)},
            "servicequotas": {"servicequotas": partial(ServiceQuotasApi, self.servicequotas)},
            "functions": {"lambda": partial(LambdaApi, self.functions)},
            "gateway": {"apigateway": partial(ApiGatewayApi, self.gateway)},
            "codedeploy": {"codedeploy": partial(CodeDeployApi, self.codedeploy)},
            "codebuild": {"codebuild": partial(CodeBuildApi, self.codebuild)},
            "codeconnections": {
                "codeconnections": partial(CodeConnectionsApi, connections),
                "codestar-connections": partial(CodeStarConnectionsApi, connections),
            },
            "codepipeline": {"codepipeline": partial(CodePipelineApi, self.codepipeline)},
            "schedules": {
                "events": partial(EventsApi, self.schedules),
                "scheduler": partial(SchedulerApi, self.schedules),
            },
            "cloudformation": {"cloudformation": partial(CloudFormationApi, self.cloudformation)},
        }


def compose(
    core: Core,
    access: Access,
    journal: Journal,
    quotas: Quotas,
    delays: Delays,
    gateway_endpoint: str,
    substitutes: Substitutes,
) -> Cloud:
    """Create every service of a local cloud, without starting them."""

    def invoke(arn: str, payload: bytes) -> None:
        # Alarms invoke functions, whose metrics they evaluate.
        functions.queue(arn, payload)

    def deploy(deployment: AliasDeployment, cancel: threading.Event) -> None:
        # CodeDeploy deploys Lambda's aliases, and calls Lambda to route them.
        codedeploy.deploy(deployment, cancel)

    logs = Logs(core, access, delays)
    cloudwatch = CloudWatch(core, access, delays, logs=logs, invoke=invoke)
    metrics = substitutes.metrics or cloudwatch
    alarms = substitutes.alarms or cloudwatch
    signer = Signer(core, access)
    functions = Functions(
        core,
        access,
        quotas,
        delays,
        logs=logs,
        metrics=metrics,
        signatures=signer,
        deploy=substitutes.deploy or deploy,
    )
    codedeploy = CodeDeploy(core, access, functions=substitutes.aliases or functions, alarms=alarms)
    connections = CodeConnections(core, access)
    codebuild = CodeBuild(core, access, quotas, logs=logs, repositories=connections)
    builds = substitutes.builds or codebuild
    codepipeline = CodePipeline(
        core, access, quotas, alarms=alarms, builds=builds, repositories=connections
    )
    return Cloud(
        **vars(core),
        access=access,
        journal=journal,
        gateway_endpoint=gateway_endpoint,
        logs=logs,
        cloudwatch=cloudwatch,
        sts=Sts(core, access),
        signer=signer,
        servicequotas=ServiceQuotas(quotas),
        functions=functions,
        gateway=Gateway(
            core,
            access,
            quotas,
            journal,
            functions=substitutes.functions or functions,
            logs=logs,
            metrics=metrics,
        ),
        codedeploy=codedeploy,
        codebuild=codebuild,
        codeconnections=connections,
        codepipeline=codepipeline,
        schedules=Schedules(
            core,
            access,
            delays,
            functions=substitutes.event_functions or functions,
            logs=logs,
            metrics=metrics,
            builds=builds,
            pipelines=substitutes.pipelines or codepipeline,
        ),
        cloudformation=CloudFormation(core, access, quotas, journal, gateway_endpoint),
    )
