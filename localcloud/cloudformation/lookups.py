"""Lookups in other services: template bodies, stored parameters, and secrets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlparse

from botocore.exceptions import ClientError

from localcloud.cloudformation.limits import check_uploaded
from localcloud.cloudformation.template import TemplateError

if TYPE_CHECKING:
    from localcloud.core.clients import ClientFactory
    from localcloud.core.credentials import Session


class Lookups:
    """Reads in one region with a session, or else as the account's administrator.

    Each method raises `TemplateError` if AWS would reject the template.
    """

    def __init__(
        self, client: ClientFactory, account: str, region: str, session: Session | None
    ) -> None:
        self._client_of = client
        self._account = account
        self._region = region
        self._session = session

    def template(self, url: str) -> str:
        """Return a template from S3; the URL has path or virtual-host style."""
        parts = urlparse(url)
        host, path = parts.netloc, unquote(parts.path.lstrip("/"))
        if ".s3." in host or ".s3-" in host:
            bucket, key = host.split(".s3", 1)[0], path
        else:
            bucket, _, key = path.partition("/")
        client = self._client("s3")
        try:
            body: bytes = client.get_object(Bucket=bucket, Key=key)["Body"].read()
        except ClientError as error:
            raise TemplateError(f"S3 error: {error} (template {bucket}/{key})") from error
        check_uploaded(body)
        return body.decode()

    def stored(self, name: str) -> str:
        """Return the value of a stored parameter, or of a version of it: `name:version`."""
        return str(self._stored(name)["Value"])

    def parameter(self, name: str) -> str:
        """Return the stored value of a template's parameter.

        Raises:
            TemplateError: the stored parameter is a SecureString (aws-cdk#15135), or is missing.
        """
        found = self._stored(name)
        if found["Type"] == "SecureString":
            raise TemplateError(
                f"Parameters [{name}] referenced by template have types not supported by "
                "CloudFormation."
            )
        return str(found["Value"])

    def dynamic(self, service: str, reference: str) -> str:
        """Return the value of `{{resolve:service:reference}}`."""
        if service == "ssm":
            return self.stored(reference)
        if service != "secretsmanager":
            raise TemplateError(f"Dynamic reference to {service} is not part of the local cloud")
        name, _, rest = reference.partition(":SecretString")
        key, stage, version = (*rest.removeprefix(":").split(":"), "", "", "")[:3]
        asked = {"SecretId": name, "VersionStage": stage, "VersionId": version}
        client = self._client("secretsmanager")
        try:
            value: str = client.get_secret_value(**{k: v for k, v in asked.items() if v})[
                "SecretString"
            ]
        except ClientError as error:
            raise TemplateError(f"Could not resolve secret {name}: {error}") from error
        if not key:
            return value
        try:
            return str(json.loads(value)[key])
        except (ValueError, KeyError) as error:
            raise TemplateError(f"Could not find a value associated with JSONKey {key}") from error

    def _stored(self, name: str) -> dict[str, Any]:
        try:
            parameters = self._client("ssm").get_parameters(Names=[name])["Parameters"]
        except ClientError as error:
            # AWS's text names no role (aws-cdk#20959).
            raise TemplateError(
                "AccessDenied. User doesn't have permission to call ssm:GetParameters"
            ) from error
        if not parameters:
            raise TemplateError(
                f"Unable to fetch parameters [{name}] from parameter store for this account."
            )
        found: dict[str, Any] = parameters[0]
        return found

    def _client(self, service: str) -> Any:
        return self._client_of(service, self._account, self._region, self._session)
