"""Logical ids and physical names: a change of one replaces a deployed resource."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.pipeline.conftest import Assembly, Template

RECORDED = Path(__file__).with_name("deployed_names.json")
_HASH = re.compile(r"[0-9a-f]{32}$")
"""The suffix that the CDK adds to the logical id of a function's version."""


def _names(template: Template) -> dict[str, list[str]]:
    """Return the type and literal names of each resource, by logical id."""
    return {
        _HASH.sub("*", logical_id): [resource["Type"], *sorted(_literals(resource))]
        for logical_id, resource in sorted(template.resources.items())
    }


def _literals(resource: dict[str, Any]) -> set[str]:
    properties: dict[str, Any] = resource.get("Properties", {})
    return {
        f"{key}={value}"
        for key, value in properties.items()
        if key in {"Name", "AliasName"} or key.endswith(("Name", "GroupName"))
        if isinstance(value, str)
    }


def test_a_deployed_resource_keeps_its_logical_id_and_its_name(assembly: Assembly) -> None:
    """To record an intended change, write `found` to the file.

    The commit explains it.
    """
    found = {"pipeline": _names(assembly.delivery)} | {
        name: _names(template) for name, template in assembly.services.items()
    }
    assert found == json.loads(RECORDED.read_text())
