"""The package index of the builders: one setting for uv, pip and npm.

A configured index replaces the public one. uv, pip and npm never use both, so nobody can publish a
public package under an internal name and have it preferred. The hashes in the locks apply to any
index.

uv and pip take credentials as part of the index's address. npm sends those for metadata and not for
downloads, so it takes a token from its user configuration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_iam as iam
from aws_cdk import pipelines

if TYPE_CHECKING:
    from environments.schema import Home
    from environments.supply_chain import CodeArtifact

VARIABLES = ("UV_DEFAULT_INDEX", "PIP_INDEX_URL")
REGISTRY = "NPM_CONFIG_REGISTRY"
TOKEN = "NPM_TOKEN"  # noqa: S105  # the variable's name
"""The variable with npm's token, which npm's user configuration refers to."""
_KINDS = codebuild.BuildEnvironmentVariableType

_Variables = dict[str, codebuild.BuildEnvironmentVariable]


def environment(home: Home, *, npm: bool = False) -> codebuild.BuildEnvironment:
    """Return the variables of a builder that installs Python packages.

    Args:
        home: the tooling account's settings; without an index there are no variables.
        npm: whether the builder also installs packages of npm.
    """
    variables = _python(home) | (_npm(home) if npm else {})
    return codebuild.BuildEnvironment(environment_variables=variables or None)


def login(home: Home, *, npm: bool = False) -> list[str]:
    """Return the login commands that run before a builder installs packages."""
    index = home.supply_chain.index
    if index is None or index.codeartifact is None:
        return _npm_login(home) if npm else []
    repository = f"{_host(home, index.codeartifact)}/pypi/{index.codeartifact.repository}/simple/"
    return [
        _fetch_token(home, index.codeartifact),
        *(f'export {variable}="https://aws:$token@{repository}"' for variable in VARIABLES),
        *(_npm_login(home) if npm else []),
    ]


def cdk_tools(home: Home) -> pipelines.CodeBuildOptions | None:
    """Return the options of CDK's own builds; None for the public index.

    These builds install the CDK CLI or cdk-assets with npm, by default from the public registry
    ("selfMutationCodeBuildDefaults" and "assetPublishingCodeBuildDefaults" of CDK Pipelines).
    """
    index = home.supply_chain.index
    if index is None:
        return None
    where = index.codeartifact
    commands = [*([_fetch_token(home, where)] if where else []), *_npm_login(home)]
    spec = {"version": "0.2", "phases": {"install": {"commands": commands}}}
    return pipelines.CodeBuildOptions(
        build_environment=codebuild.BuildEnvironment(environment_variables=_npm(home) or None),
        partial_build_spec=codebuild.BuildSpec.from_object(spec) if commands else None,
        role_policy=statements(home),
    )


def statements(home: Home) -> list[iam.PolicyStatement]:
    """Return the permissions of such a builder; CDK grants reading secrets itself."""
    index = home.supply_chain.index
    return _may_read(home, index.codeartifact) if index and index.codeartifact else []


def _python(home: Home) -> _Variables:
    index = home.supply_chain.index
    if index is None or index.codeartifact:
        return {}
    variable = codebuild.BuildEnvironmentVariable(
        value=index.url or index.url_secret,
        type=_KINDS.PLAINTEXT if index.url else _KINDS.SECRETS_MANAGER,
    )
    return dict.fromkeys(VARIABLES, variable)


def _npm(home: Home) -> _Variables:
    index = home.supply_chain.index
    if index is None:
        return {}
    variables = {REGISTRY: codebuild.BuildEnvironmentVariable(value=_registry(home))}
    if index.npm_token_secret:
        variables[TOKEN] = codebuild.BuildEnvironmentVariable(
            value=index.npm_token_secret, type=_KINDS.SECRETS_MANAGER
        )
    return variables


def _registry(home: Home) -> str:
    """Return the address of npm's registry, with a trailing slash."""
    index = home.supply_chain.index
    assert index is not None  # noqa: S101  # both callers have looked
    if index.codeartifact:
        host = _host(home, index.codeartifact)
        return f"https://{host}/npm/{index.codeartifact.repository}/"
    return index.npm_url or ""


def _npm_login(home: Home) -> list[str]:
    index = home.supply_chain.index
    if index is None or not (index.codeartifact or index.npm_token_secret):
        return []
    address = urlsplit(_registry(home))
    # npm expands the variable when it reads the file: no process list, file or log has the token.
    setting = f"'//{address.netloc}{address.path}:_authToken=${{{TOKEN}}}'"
    return [
        *([f'export {TOKEN}="$token"'] if index.codeartifact else []),
        f"npm config set --location=user {setting}",
    ]


def _fetch_token(home: Home, where: CodeArtifact) -> str:
    """Return the command that fetches CodeArtifact's token, which is valid for hours.

    It is a separate command, so that the build fails here if the command does.
    """
    owner = f"--domain {where.domain} --domain-owner {home.account}"
    wanted = "--query authorizationToken --output text"
    return f"token=$(aws codeartifact get-authorization-token {owner} {wanted})"


def _host(home: Home, where: CodeArtifact) -> str:
    return f"{where.domain}-{home.account}.d.codeartifact.{home.region}.amazonaws.com"


def _may_read(home: Home, where: CodeArtifact) -> list[iam.PolicyStatement]:
    """Return permissions to read one repository.

    Source: "Provision an IAM user" (CodeArtifact User Guide).
    """
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
