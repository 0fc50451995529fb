"""What every service of the local cloud is given, and what it gives."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import botocore.session
from botocore.config import Config

if TYPE_CHECKING:
    from localcloud.apigateway.service import Gateway
    from localcloud.awslambda.service import Functions
    from localcloud.cloudformation.service import CloudFormation
    from localcloud.cloudwatch.service import CloudWatch
    from localcloud.codebuild.service import CodeBuild
    from localcloud.codeconnections.service import CodeConnections
    from localcloud.codedeploy.service import CodeDeploy
    from localcloud.codepipeline.service import CodePipeline
    from localcloud.core.bus import EventBus
    from localcloud.core.clock import Clock
    from localcloud.core.credentials import Credentials, Session
    from localcloud.core.delays import Delays
    from localcloud.core.ledger import Ledger
    from localcloud.core.providers import Provider
    from localcloud.core.quotas import Quotas
    from localcloud.core.service_api import ServiceApi
    from localcloud.eventbridge.service import Schedules
    from localcloud.iam.access import Access
    from localcloud.logs.service import Logs
    from localcloud.moto.journal import Journal
    from localcloud.signer.service import Signer


_making = threading.Lock()


@cache
def _botocore() -> botocore.session.Session:
    """One a process: it keeps the models of the services that it has read.

    Neither a profile of the user's nor his files have a say.
    """
    fixed: dict[str, Any] = {
        "profile": (None, None, None, None),
        "config_file": (None, None, os.devnull, None),
        "credentials_file": (None, None, os.devnull, None),
    }
    return botocore.session.Session(session_vars=fixed)


class Service(Protocol):
    """One AWS service that acts."""

    apis: dict[str, type[ServiceApi]]
    """Its API by SigV4 signing name."""
    providers: dict[str, Provider]
    """The CloudFormation types it makes, by type name."""

    def start(self) -> None:
        """Take up what the ledger remembers; nothing has been served yet."""
        ...

    def stop(self) -> None:
        """End every thread and process of its own; what is under way is taken up at `start`."""
        ...


@dataclass
class Cloud:
    """The local cloud. Services reach one another through it, never by import."""

    clock: Clock
    ledger: Ledger
    bus: EventBus
    credentials: Credentials
    journal: Journal
    endpoint: str
    """The AWS API, such as `http://127.0.0.1:4566`."""
    gateway_endpoint: str
    """Where deployed REST APIs are served, such as `http://127.0.0.1:4567`."""
    quotas: Quotas
    """Of each account in each region."""
    delays: Delays
    """How late changes, data and events are seen."""
    access: Access = field(init=False)
    cloudformation: CloudFormation = field(init=False)
    cloudwatch: CloudWatch = field(init=False)
    codebuild: CodeBuild = field(init=False)
    codeconnections: CodeConnections = field(init=False)
    codedeploy: CodeDeploy = field(init=False)
    codepipeline: CodePipeline = field(init=False)
    functions: Functions = field(init=False)
    gateway: Gateway = field(init=False)
    logs: Logs = field(init=False)
    schedules: Schedules = field(init=False)
    signer: Signer = field(init=False)

    _clients: dict[tuple[str, str, str], Any] = field(init=False, repr=False, default_factory=dict)

    def client(
        self, service: str, account: str, region: str, session: Session | None = None
    ) -> Any:
        """A client of an AWS service, at this cloud's own endpoint.

        It calls as the account's administrator, or as the role of the session. Clients are safe
        to share between threads, the making of them is not.
        """
        key = (service, account, region)
        with _making:
            if session is not None:
                return self._made(service, account, region, session)
            if key not in self._clients:
                self._clients[key] = self._made(service, account, region, None)
            return self._clients[key]

    def _made(self, service: str, account: str, region: str, session: Session | None) -> Any:
        return _botocore().create_client(
            service,
            region_name=region,
            endpoint_url=self.endpoint,
            aws_access_key_id=session.access_key if session else account,
            aws_secret_access_key=(session or self.credentials).secret_key,
            aws_session_token=session.token if session else None,
            config=Config(
                retries={"total_max_attempts": 1},
                s3={"addressing_style": "path"},
                max_pool_connections=32,
                proxies={},
            ),
        )
