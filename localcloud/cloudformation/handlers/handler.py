"""Resource handlers: the API calls by which CloudFormation manages a type.

Each call needs a permission of the stack's role. The calls are those that the type's schema lists
(`handlers.*.permissions`, "Resource type schema" of the CloudFormation CLI guide), without those
for properties that the resource does not have.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from localcloud.iam.actions import s3
from localcloud.iam.actions.call import Call, pass_role
from localcloud.iam.actions.needed import needed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from localcloud.core.providers import Resource, ResourceRequest
    from localcloud.iam.actions.call import Facts, Needed

Verb = Literal["create", "update", "delete"]
VERBS: tuple[Verb, ...] = ("create", "update", "delete")
_TAGS = "Tags"


@dataclass(frozen=True)
class Operation:
    """One API call of a handler.

    Attributes:
        name: the operation, such as `PutFunctionConcurrency`.
        properties: the operation is called if one of these properties is set, or in an update if
            one changes. Empty: always.
        parameters: parameters that replace the handler's; see `Handler.parameters`.
        service: the signing name of the service, if it differs from the handler's.
        each: a list property; the operation is called once for each new element, as `{item}`.
        removes: call the operation for the elements that `each` no longer contains.
    """

    name: str
    properties: tuple[str, ...] = ()
    parameters: Mapping[str, str] | None = None
    service: str = ""
    each: str = ""
    removes: bool = False


@dataclass(frozen=True)
class Handler:
    """The API calls of one type's handler.

    Attributes:
        service: the signing name of the service.
        parameters: the parameters of each call, by botocore's names. The value is the name of a
            property (with `|name`: the last part of its ARN), or a text with `{account}`,
            `{region}`, `{id}` (the physical id), `{name}`, `{path}`, `{item}` and properties in
            braces.
        each: a list property; every call is made once for each element, as `{item}`.
        name: the property that contains the resource's name.
        passes: properties that contain the ARN of a role, with the service that receives it, for
            calls whose parameters do not contain the role.
        code: the property that names an S3 object (`S3Bucket`, `S3Key`), which is read.
    """

    service: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    create: tuple[Operation, ...] = ()
    update: tuple[Operation, ...] = ()
    delete: tuple[Operation, ...] = ()
    each: str = ""
    name: str = ""
    passes: Mapping[str, str] = field(default_factory=dict)
    code: str = ""

    def needed(
        self, request: ResourceRequest, verb: Verb, current: Resource | None, facts: Facts
    ) -> Iterator[Needed]:
        """Yield the permissions for one operation on a resource."""
        properties = request.properties
        for call in self.calls(request, verb, current):
            yield from needed(call, facts)
        if verb == "delete":
            return
        for name, service in self.passes.items():
            if properties.get(name):
                yield pass_role(str(properties[name]), service)
        code = properties.get(self.code) or {} if self.code else {}
        if code.get("S3Bucket") and _applies((self.code,), request, verb, current):
            version = {"versionId": code["S3ObjectVersion"]} if "S3ObjectVersion" in code else {}
            stored = s3.S3Request(
                "GET",
                str(code["S3Bucket"]),
                str(code.get("S3Key", "")),
                version,
                account=request.account,
                region=request.region,
            )
            yield from s3.needed(stored, facts)

    def calls(
        self, request: ResourceRequest, verb: Verb, current: Resource | None
    ) -> Iterator[Call]:
        """Yield the API calls for one operation on a resource."""
        operations: tuple[Operation, ...] = getattr(self, verb)
        words = {
            "account": request.account,
            "region": request.region,
            "id": current.physical_id if current else "",
            "name": self._name(request, current),
            "path": request.properties.get("Path") or "/",
        }
        items = request.properties.get(self.each) or [] if self.each else [""]
        for operation in operations:
            if _applies(operation.properties, request, verb, current):
                for item in _items(operation, request, verb, current) if operation.each else items:
                    yield self._call(operation, request, words | {"item": item})

    def _call(self, operation: Operation, request: ResourceRequest, words: dict[str, Any]) -> Call:
        given = self.parameters if operation.parameters is None else operation.parameters
        return Call(
            operation.service or self.service,
            operation.name,
            request.account,
            request.region,
            {
                parameter: _value(source, request.properties, words)
                for parameter, source in given.items()
            },
        )

    def _name(self, request: ResourceRequest, current: Resource | None) -> str:
        given = request.properties.get(self.name)
        if given:
            return str(given)
        if current is not None:
            return current.physical_id.rsplit("/", 1)[-1].rsplit(":", 1)[-1]
        return request.generated_name()


class _Words(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return ""


def _value(source: str, properties: Mapping[str, Any], words: Mapping[str, Any]) -> Any:
    if "{" in source:
        return source.format_map(_Words({**properties, **words}))
    name, _, part = source.partition("|")
    found = properties.get(name)
    return str(found).rsplit("/", 1)[-1] if part and found else found


def _applies(
    names: tuple[str, ...], request: ResourceRequest, verb: Verb, current: Resource | None
) -> bool:
    """Whether a call is made; the stack's tags apply to every new resource."""
    if not names:
        return True
    wanted = request.properties
    if verb == "update" and current is not None:
        return any(wanted.get(each) != current.properties.get(each) for each in names)
    if verb == "create" and _TAGS in names and request.tags:
        return True
    return any(wanted.get(each) for each in names)


def _items(
    operation: Operation, request: ResourceRequest, verb: Verb, current: Resource | None
) -> list[Any]:
    """Return the elements for which a call is made, once each."""
    wanted = [] if verb == "delete" else request.properties.get(operation.each) or []
    before = (current.properties.get(operation.each) or []) if current else []
    more, less = (before, wanted) if operation.removes else (wanted, before)
    return [each for each in more if each not in less]


def calls(*names: str | Operation) -> tuple[Operation, ...]:
    """Return operations; a plain name is an operation that is always called."""
    return tuple(each if isinstance(each, Operation) else Operation(each) for each in names)
