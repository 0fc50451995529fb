"""Functions, versions and aliases, as stored in the ledger. Times are cloud time."""

from __future__ import annotations

import base64
import re
import uuid
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from localcloud.core.ports import Routing
from localcloud.core.service_api import ApiError

LATEST = "$LATEST"
_IDENTIFIER = re.compile(
    r"(?:arn:aws:lambda:(?P<region>[a-z0-9-]+):)?(?:(?P<account>\d{12}):)?(?:function:)?"
    r"(?P<name>[a-zA-Z0-9_-]{1,64})(?::(?P<qualifier>\$LATEST|[a-zA-Z0-9_-]{1,128}))?"
)


class Address(NamedTuple):
    """A function, and a version or alias of it ("" is the function itself)."""

    account: str
    region: str
    name: str
    qualifier: str

    @property
    def arn(self) -> str:
        """The ARN, with the qualifier if there is one."""
        arn = f"arn:aws:lambda:{self.region}:{self.account}:function:{self.name}"
        return f"{arn}:{self.qualifier}" if self.qualifier else arn


def address(account: str, region: str, identifier: str, qualifier: str | None = None) -> Address:
    """Parse a name, partial ARN or ARN, with or without a qualifier.

    Source: "Name formats" of `Invoke` in the API reference.

    Raises:
        ApiError: the identifier is invalid, or contradicts the given qualifier.
    """
    found = _IDENTIFIER.fullmatch(identifier)
    if found is None:
        raise ApiError(
            "InvalidParameterValueException",
            f"{identifier!r} is not a function; use a name, a partial ARN or an ARN",
        )
    own = found["qualifier"] or ""
    if own and qualifier and own != qualifier:
        raise ApiError(
            "InvalidParameterValueException",
            "The derived qualifier from the function name does not match the specified qualifier.",
        )
    return Address(
        found["account"] or account,
        found["region"] or region,
        found["name"],
        own or qualifier or "",
    )


@dataclass(frozen=True)
class Configuration:
    """The configuration of a version, including the SHA-256 of its code."""

    runtime: str
    handler: str
    role: str
    code: str
    """SHA-256 of the zip in hex, its name in the ledger."""
    code_size: int
    """Bytes of the zip."""
    architecture: str
    memory: int = 128
    """MB."""
    timeout: int = 3
    """Wall seconds."""
    description: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    tracing: str = "PassThrough"
    log_format: str = "Text"
    log_group: str = ""
    """"" means `/aws/lambda/` and the function's name."""
    application_log_level: str = ""
    system_log_level: str = ""
    ephemeral_storage: int = 512
    """MB; stored and returned, but not enforced."""
    kms_key: str = ""

    @property
    def code_sha256(self) -> str:
        """The SHA-256 of the code in base64, as in Lambda's API."""
        return base64.b64encode(bytes.fromhex(self.code)).decode()


def revision() -> str:
    """Return a new RevisionId."""
    return str(uuid.uuid4())


@dataclass(frozen=True)
class Version:
    """`$LATEST`, or a published configuration, which is immutable."""

    number: str
    configuration: Configuration
    modified: float
    description: str = ""
    made_for: str = ""
    """Stack id and logical id of the resource that published it; "" for an API call."""
    revision: str = field(default_factory=revision)


@dataclass(frozen=True)
class Alias:
    """A name for a version, with the weights of other versions."""

    name: str
    routing: Routing
    description: str = ""
    revision: str = field(default_factory=revision)


@dataclass
class Function:
    """A function; immutable once it is in the catalogue."""

    account: str
    region: str
    name: str
    latest: Version
    published: int = 0
    """The number of the last published version; numbers are not reused."""
    versions: dict[str, Version] = field(default_factory=dict)
    aliases: dict[str, Alias] = field(default_factory=dict)
    policies: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Policy statements by qualifier; "" is the function itself."""
    policy_revision: str = field(default_factory=revision)
    reserved: int | None = None
    """Reserved concurrency; None uses the account's unreserved concurrency."""
    tags: dict[str, str] = field(default_factory=dict)
    event_invoke: dict[str, dict[str, int]] = field(default_factory=dict)
    """`MaximumRetryAttempts` and `MaximumEventAgeInSeconds` by qualifier."""
    code_signing: str = ""
    """The ARN of the code signing configuration; "" if there is none."""

    def at(self, qualifier: str = "") -> Address:
        """Return the function's address with a qualifier."""
        return Address(self.account, self.region, self.name, qualifier)

    def version(self, qualifier: str) -> Version:
        """Return a version by its number, `$LATEST` or "".

        Raises:
            ApiError: ResourceNotFoundException.
        """
        if qualifier in {"", LATEST}:
            return self.latest
        if qualifier not in self.versions:
            raise missing(self.at(qualifier))
        return self.versions[qualifier]

    def alias(self, name: str) -> Alias:
        """Return an alias.

        Raises:
            ApiError: ResourceNotFoundException.
        """
        if name not in self.aliases:
            raise ApiError(
                "ResourceNotFoundException", f"Cannot find alias arn: {self.at(name).arn}"
            )
        return self.aliases[name]

    def document(self) -> dict[str, Any]:
        """Return the function as a JSON document."""
        return asdict(self)

    @classmethod
    def of(cls, document: dict[str, Any]) -> Function:
        """Create a function from its JSON document."""
        return cls(
            **document
            | {
                "latest": _version(document["latest"]),
                "versions": {key: _version(each) for key, each in document["versions"].items()},
                "aliases": {
                    key: Alias(**each | {"routing": Routing(**each["routing"])})
                    for key, each in document["aliases"].items()
                },
            }
        )


def missing(where: Address) -> ApiError:
    """Return Lambda's error for a function or version that does not exist."""
    return ApiError("ResourceNotFoundException", f"Function not found: {where.arn}")


def _version(document: dict[str, Any]) -> Version:
    return Version(**document | {"configuration": Configuration(**document["configuration"])})
