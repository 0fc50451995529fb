"""What AWS's own resource schemas say, as cfn-lint ships them.

Which properties a type has and must have (`properties`, `required`), which are given once
(`createOnlyProperties`), and which attributes `Fn::GetAtt` knows.
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

# AWS takes anything for it.
_UNCHECKED = "AWS::CDK::Metadata"


def known(region: str, type_name: str) -> bool:
    """Whether AWS has the type in the region."""
    return type_name in _types(region)


@cache
def schema(region: str, type_name: str) -> dict[str, Any]:
    """The type's schema; empty when there is none."""
    digest = _types(region).get(type_name)
    if digest is None or type_name == _UNCHECKED:
        return {}
    found: dict[str, Any] = json.loads((_data() / "resources" / f"{digest}.json").read_text())
    return found


def has_attribute(region: str, type_name: str, attribute: str) -> bool:
    """Whether `Fn::GetAtt` may know the attribute; of a type without a schema it knows any."""
    found = schema(region, type_name)
    first = attribute.split(".", maxsplit=1)[0]
    return not found or first in {each.split(".")[0] for each in attributes(region, type_name)}


def attributes(region: str, type_name: str) -> list[str]:
    """What `Fn::GetAtt` may name, with dots where it is nested: what AWS generates, and of some
    types the properties.
    """
    found = schema(region, type_name)
    generated = [".".join(path) for path in _paths(found, "readOnlyProperties")]
    return [*generated, *(name for name in found.get("properties", {}) if name not in generated)]


def identifiers(region: str, type_name: str) -> list[str]:
    """The properties that make a resource's physical id."""
    return [path[0] for path in _paths(schema(region, type_name), "primaryIdentifier")]


def changes_what_is_given_once(
    region: str, type_name: str, wanted: dict[str, Any], current: dict[str, Any]
) -> bool:
    """Whether a property differs that cannot change without a new resource; or only can under
    conditions that the schema does not tell (`conditionalCreateOnlyProperties`).
    """
    found = schema(region, type_name)
    return any(
        list(_values(wanted, path)) != list(_values(current, path))
        for key in ("createOnlyProperties", "conditionalCreateOnlyProperties")
        for path in _paths(found, key)
    )


def kept_name(region: str, type_name: str, wanted: dict[str, Any], current: dict[str, Any]) -> str:
    """Return the custom name that a resource and its replacement share, or "".

    It consists of the identifying properties if the template gives them, else of the name from
    which AWS makes the identifier, such as the queue's name in a queue's URL.
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
    """Refuse properties that the type does not have, and the lack of those that it must have.

    Raises:
        ProvisioningError: in AWS's own words.
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
    """Each type of the region, with the name of its schema's file."""
    file = _data() / "providers" / f"{region}.json"
    if not file.exists():
        raise TemplateError(f"Region {region} is not known to CloudFormation")
    found: dict[str, str] = json.loads(file.read_text())
    return found


@cache
def _data() -> Path:
    # Only its data: to import cfn-lint takes seconds.
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
