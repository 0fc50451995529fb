"""The last promoted release, served next to the newest one for the load gate.

Only an environment with a load gate has it. It is a second alias of the same function, with an API
of its own that is otherwise identical, so that both are measured in the same seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import CfnOutput
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from pipeline.delivery.stacks.api import rest_api
from pipeline.names import PROMOTED, SERVICE, promoted_role

if TYPE_CHECKING:
    from environments.schema import Environment, Home


class Promoted(Construct):
    """The alias `promoted`, its API, and the load gate's role, which sets the alias.

    Each deployment sets the alias to the newest version; the gate knows which one was promoted.
    """

    outputs: dict[str, CfnOutput]
    """The outputs by the variable of the load gate that receives each."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment_name: str,
        environment: Environment,
        home: Home,
        function: lambda_.Function,
    ) -> None:
        super().__init__(scope, construct_id)
        alias = lambda_.Alias(self, "Alias", alias_name=PROMOTED, version=function.current_version)
        api = rest_api(
            self,
            "Api",
            name=f"{SERVICE}-{environment_name}-{PROMOTED}",
            # Same stage name as the other API: the function reads its root path from the variables.
            stage=environment_name,
            environment=environment,
            alias=alias,
            logs_for_all=False,
        )
        role = iam.Role(
            self,
            "Role",
            role_name=promoted_role(environment_name),
            description=f"Lets the load gate choose what {PROMOTED} serves",
            assumed_by=iam.AccountPrincipal(home.account),
        )
        role.add_to_policy(
            iam.PolicyStatement(
                # Lambda has no permission for one alias alone; whoever runs the gate may also
                # deploy here, and so move the other alias.
                actions=["lambda:ListVersionsByFunction", "lambda:UpdateAlias"],
                resources=[function.function_arn],
            )
        )
        self.outputs = {
            "PROMOTED_URL": CfnOutput(self, "Url", value=api.url),
            "PROMOTED_ALIAS": CfnOutput(self, "AliasArn", value=alias.function_arn),
        }
