"""Where builders take Python packages from: the standard variables of uv and pip, set for them.

An index that is named replaces the public one. It is never asked beside it, so that nobody can
publish a package under an internal name and be preferred; and the locks' hashes hold whatever
serves the files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_iam as iam

if TYPE_CHECKING:
    from environments.schema import Home
    from environments.supply_chain import CodeArtifact

VARIABLES = ("UV_DEFAULT_INDEX", "PIP_INDEX_URL")


def environment(home: Home) -> codebuild.BuildEnvironment:
    """The variables of a builder that installs packages; none for the public index."""
    index = home.supply_chain.index
    if index is None or index.codeartifact:
        return codebuild.BuildEnvironment()
    kind = codebuild.BuildEnvironmentVariableType
    variable = codebuild.BuildEnvironmentVariable(
        value=index.url or index.url_secret,
        type=kind.PLAINTEXT if index.url else kind.SECRETS_MANAGER,
    )
    return codebuild.BuildEnvironment(environment_variables=dict.fromkeys(VARIABLES, variable))


def login(home: Home) -> list[str]:
    """Commands before the first installation: CodeArtifact's credentials last for hours only."""
    index = home.supply_chain.index
    if index is None or index.codeartifact is None:
        return []
    owner = f"--domain {index.codeartifact.domain} --domain-owner {home.account}"
    wanted = "--query authorizationToken --output text"
    host = f"{index.codeartifact.domain}-{home.account}.d.codeartifact.{home.region}.amazonaws.com"
    address = f"https://aws:$token@{host}/pypi/{index.codeartifact.repository}/simple/"
    return [
        # By itself, so that the build ends here where it fails.
        f"token=$(aws codeartifact get-authorization-token {owner} {wanted})",
        *(f'export {variable}="{address}"' for variable in VARIABLES),
    ]


def statements(home: Home) -> list[iam.PolicyStatement]:
    """What such a builder's role may do for it; CDK grants the reading of a secret itself."""
    index = home.supply_chain.index
    return _may_read(home, index.codeartifact) if index and index.codeartifact else []


def _may_read(home: Home, where: CodeArtifact) -> list[iam.PolicyStatement]:
    """As AWS documents it ("Provision an IAM user" of CodeArtifact), for one repository."""
    prefix = f"arn:aws:codeartifact:{home.region}:{home.account}"
    return [
        iam.PolicyStatement(
            actions=["codeartifact:GetAuthorizationToken"],
            resources=[f"{prefix}:domain/{where.domain}"],
        ),
        iam.PolicyStatement(
            actions=["codeartifact:ReadFromRepository"],
            resources=[f"{prefix}:repository/{where.domain}/{where.repository}"],
        ),
        iam.PolicyStatement(
            actions=["sts:GetServiceBearerToken"],
            resources=["*"],
            conditions={"StringEquals": {"sts:AWSServiceName": "codeartifact.amazonaws.com"}},
        ),
    ]
