"""Variables of a build's commands ("Environment variables in build environments")."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from localcloud.codebuild import image
from localcloud.codebuild.buildspec import BuildspecError

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.codebuild.buildspec import Buildspec
    from localcloud.codebuild.model import Build
    from localcloud.codebuild.workspace import Workspace
    from localcloud.core.core import Core
    from localcloud.core.credentials import Session
    from localcloud.core.ports import BuildRequest

_ARN_PARTS = 7  # of a secret's ARN; the rest belongs to the reference


def variables(
    core: Core,
    project: dict[str, Any],
    request: BuildRequest,
    build: Build,
    spec: Buildspec,
    workspace: Workspace,
    session: Session,
    mask: Callable[[str], None],
) -> dict[str, str]:
    """Return all variables; `mask` is called with each secret value.

    Variables of the request override those of the project, which override the buildspec's.

    Raises:
        BuildspecError: a parameter or a secret cannot be read.
    """
    found = image.environment(image.prepare(), workspace.home, workspace.project)
    found |= {
        "AWS_ENDPOINT_URL": core.endpoint,
        "AWS_REGION": request.region,
        "AWS_DEFAULT_REGION": request.region,
        "CODEBUILD_BUILD_ARN": build.arn,
        "CODEBUILD_BUILD_ID": build.id,
        "CODEBUILD_BUILD_IMAGE": project["environment"]["image"],
        "CODEBUILD_BUILD_NUMBER": str(build.number),
        "CODEBUILD_BUILD_SUCCEEDING": "1",
        "CODEBUILD_CI": "true",
        "CODEBUILD_INITIATOR": build.initiator,
        "CODEBUILD_LOG_PATH": build.stream,
        "CODEBUILD_SRC_DIR": str(workspace.source),
        "CODEBUILD_START_TIME": str(int(build.started * 1000)),
        "TMPDIR": str(workspace.temporary),
        # git must not find the checkout that contains the state folder.
        "GIT_CEILING_DIRECTORIES": str(workspace.folder),
    }
    if build.source_version:
        found["CODEBUILD_RESOLVED_SOURCE_VERSION"] = build.source_version
    if request.primary in request.inputs:
        found["CODEBUILD_SOURCE_VERSION"] = "arn:aws:s3:::" + "/".join(
            request.inputs[request.primary]
        )
    for name in request.inputs:
        if name != request.primary:
            found[f"CODEBUILD_SRC_DIR_{name}"] = str(workspace.place(name, primary=False))
    found |= session.environment()
    for each in _declared(project, request, spec):
        found[each["name"]] = _value(core, request.region, session, each, mask)
    return found


def _declared(
    project: dict[str, Any], request: BuildRequest, spec: Buildspec
) -> list[dict[str, str]]:
    return [
        *({"name": k, "value": v} for k, v in spec.variables.items()),
        *({"name": k, "value": v, "type": "PARAMETER_STORE"} for k, v in spec.parameters.items()),
        *({"name": k, "value": v, "type": "SECRETS_MANAGER"} for k, v in spec.secrets.items()),
        *(project["environment"].get("environmentVariables") or []),
        *request.environment,
    ]


def _value(
    core: Core,
    region: str,
    session: Session,
    variable: dict[str, str],
    mask: Callable[[str], None],
) -> str:
    kind, value = variable.get("type") or "PLAINTEXT", str(variable["value"])
    if kind == "PLAINTEXT":
        return value
    code = "Decrypted Variables Error" if kind == "PARAMETER_STORE" else "Secrets Manager Error"
    try:
        if kind == "PARAMETER_STORE":
            found = _parameter(core.client("ssm", session.account, region, session), value)
        else:
            found = _secret(core.client("secretsmanager", session.account, region, session), value)
    except ClientError as error:
        refused = error.response["Error"]
        raise BuildspecError(f"{refused['Code']}: {refused['Message']}", code) from error
    except (BotoCoreError, LookupError, ValueError) as error:
        raise BuildspecError(f"{value}, the value of {variable['name']}: {error}", code) from error
    mask(str(found))
    return str(found)


def _parameter(client: Any, name: str) -> str:
    """Return a parameter's value.

    CodeBuild calls GetParameters, so the role needs this permission.

    Raises:
        BuildspecError: it does not exist.
    """
    found = client.get_parameters(Names=[name], WithDecryption=True)["Parameters"]
    if not found:
        raise BuildspecError(f"parameter does not exist: {name}", "Decrypted Variables Error")
    return str(found[0]["Value"])


def _secret(client: Any, reference: str) -> str:
    """Return the secret that `secret-id:json-key:version-stage:version-id` refers to."""
    parts = reference.split(":")
    length = _ARN_PARTS if parts[0] == "arn" else 1
    name, rest = ":".join(parts[:length]), [*parts[length:], "", "", ""]
    wanted = {
        key: value for key, value in (("VersionStage", rest[1]), ("VersionId", rest[2])) if value
    }
    text: str = client.get_secret_value(SecretId=name, **wanted)["SecretString"]
    return str(json.loads(text)[rest[0]]) if rest[0] else text
