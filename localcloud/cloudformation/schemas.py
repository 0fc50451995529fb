"""AWS's resource type schemas, as cfn-lint ships them.

They list the properties of a type (`properties`, `required`), those whose change replaces a
resource (`createOnlyProperties`), and the attributes of `Fn::GetAtt`.
"""

from __future__ import annotations

import importlib.util
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localcloud.cloudformation.template import TemplateError
from localcloud.core.providers import ProvisioningError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localcloud.core.providers import ResourceRequest

# AWS accepts any properties of it.
_UNCHECKED = "AWS::CDK::Metadata"


def known(region: str, type_name: str) -> bool:
    """Whether AWS has the type in the region."""
    return type_name in _types(region)


@cache
def schema(region: str, type_name: str) -> dict[str, Any]:
    """Return the schema of a type, or {} if it has none."""
    digest = _types(region).get(type_name)
    if digest is None or type_name == _UNCHECKED:
        return {}
    found: dict[str, Any] = json.loads((_data() / "resources" / f"{digest}.json").read_text())
    return found


def has_attribute(region: str, type_name: str, attribute: str) -> bool:
    """Whether a type has the attribute; true for any if the type has no schema."""
    found = schema(region, type_name)
    first = attribute.split(".", maxsplit=1)[0]
    return not found or first in {each.split(".")[0] for each in attributes(region, type_name)}


def attributes(region: str, type_name: str) -> list[str]:
    """Return the attributes of `Fn::GetAtt`, nested ones with dots.

    They are the read-only properties and, as some types allow, the other properties.
    """
    found = schema(region, type_name)
    generated = [".".join(path) for path in _paths(found, "readOnlyProperties")]
    return [*generated, *(name for name in found.get("properties", {}) if name not in generated)]


def identifiers(region: str, type_name: str) -> list[str]:
    """Return the properties that form a resource's physical id."""
    return [path[0] for path in _paths(schema(region, type_name), "primaryIdentifier")]


def changes_create_only_property(
    region: str, type_name: str, wanted: dict[str, Any], current: dict[str, Any]
) -> bool:
    """Whether a create-only property differs, so that the resource must be replaced.

    It includes `conditionalCreateOnlyProperties`, as the schema does not state their conditions.
    """
    found = schema(region, type_name)
    return any(
        list(_values(wanted, path)) != list(_values(current, path))
        for key in ("createOnlyProperties", "conditionalCreateOnlyProperties")
        for path in _paths(found, key)
    )


def shared_custom_name(
    region: str, type_name: str, wanted: dict[str, Any], current: dict[str, Any]
) -> str:
    """Return the custom name that a resource and its replacement share, or "".

    It consists of the identifying properties if the template sets them, or else of the name from
    which AWS generates the identifier, such as a queue's name in the queue's URL.
    """
    found = schema(region, type_name)
    generated = {path[0] for path in _paths(found, "readOnlyProperties")}
    names = identifiers(region, type_name)
    if generated & set(names):
        names = [f"{type_name.rsplit('::', 1)[-1]}Name"]
    values = [(wanted.get(name), current.get(name)) for name in names]
    if not values or not all(new and new == old for new, old in values):
        return ""
    return "|".join(str(new) for new, _ in values)


def require(request: ResourceRequest) -> None:
    """Check that a resource has only known properties and all required ones.

    Raises:
        ProvisioningError: a property is unknown or missing; the text is AWS's.
    """
    found = schema(request.region, request.type)
    if "properties" not in found:
        return
    unknown = sorted(request.properties.keys() - found["properties"].keys())
    missing = sorted(set(found.get("required", [])) - request.properties.keys())
    if unknown or missing:
        said = (
            f"extraneous key [{unknown[0]}] is not permitted"
            if unknown
            else f"required key [{missing[0]}] not found"
        )
        raise ProvisioningError(
            f"Properties validation failed for resource {request.logical_id} with message: "
            f"#: {said}"
        )


@cache
def _types(region: str) -> dict[str, str]:
    """Return the name of the schema file by type, for the types of a region."""
    file = _data() / "providers" / f"{region}.json"
    if not file.exists():
        raise TemplateError(f"Region {region} is not known to CloudFormation")
    found: dict[str, str] = json.loads(file.read_text())
    return found


@cache
def _data() -> Path:
    # Read only cfn-lint's data: its import takes seconds.
    spec = importlib.util.find_spec("cfnlint")
    assert spec is not None  # noqa: S101  # a dependency
    assert spec.origin is not None  # noqa: S101  # which is a package
    return Path(spec.origin).parent / "data" / "schemas"


def _paths(found: dict[str, Any], key: str) -> list[list[str]]:
    return [path.split("/")[2:] for path in found.get(key, [])]


def _values(value: Any, path: list[str]) -> Iterable[Any]:
    if not path:
        yield value
    elif path[0] == "*" and isinstance(value, list):
        for item in value:
            yield from _values(item, path[1:])
    elif isinstance(value, dict) and path[0] in value:
        yield from _values(value[path[0]], path[1:])
