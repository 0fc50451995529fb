"""CloudFormation's quotas of templates ("CloudFormation quotas", user guide)."""

from __future__ import annotations

import re
from typing import Any

from localcloud.cloudformation.template import TemplateError

MAX_INLINE_BYTES = 51_200
MAX_UPLOADED_BYTES = 1_000_000
_MAX_DESCRIPTION_BYTES = 1024
_MAX_PARAMETER_BYTES = 4096
_MAX_DECLARATIONS = {"Resources": 500, "Parameters": 200, "Outputs": 200, "Mappings": 200}
_MAX_NAME_CHARACTERS = 255
"""Applies to resources, parameters, outputs, mappings, and keys of mappings."""
_MAX_MAPPING_ATTRIBUTES = 200
_TAGS = 50
_STACK_NAME_PATTERN = "[a-zA-Z][-a-zA-Z0-9]*"
_MAX_STACK_NAME_CHARACTERS = 128


def check_inline(body: str) -> None:
    """Check the size of a `TemplateBody`.

    Raises:
        TemplateError: it is too large.
    """
    if len(body.encode()) > MAX_INLINE_BYTES:
        raise TemplateError(
            "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: "
            f"Member must have length less than or equal to {MAX_INLINE_BYTES}"
        )


def check_uploaded(body: bytes) -> None:
    """Check the size of a template from a `TemplateURL`.

    Raises:
        TemplateError: it is too large.
    """
    if len(body) > MAX_UPLOADED_BYTES:
        raise TemplateError(f"Template may not exceed {MAX_UPLOADED_BYTES} bytes in size.")


def check_declarations(template: dict[str, Any]) -> None:
    """Check the numbers of a template's declarations and its description's length.

    Raises:
        TemplateError: there are too many, or the description is too long.
    """
    for section, most in _MAX_DECLARATIONS.items():
        number = len(template.get(section) or {})
        if number > most:
            raise TemplateError(
                f"Template format error: Number of {section.lower()}, {number}, is greater than "
                f"maximum allowed, {most}"
            )
    if len(str(template.get("Description") or "").encode()) > _MAX_DESCRIPTION_BYTES:
        raise TemplateError(
            f"Template format error: 'Description' length is greater than {_MAX_DESCRIPTION_BYTES}."
        )


def check_names(template: dict[str, Any]) -> None:
    """Check the lengths of a template's names, and the sizes of its mappings.

    Raises:
        TemplateError: a name is too long, or a mapping has too many attributes.
    """
    named = [
        (section, name) for section in _MAX_DECLARATIONS for name in template.get(section) or {}
    ]
    for name, mapping in (template.get("Mappings") or {}).items():
        named += [("Mappings", f"{key}") for key in mapping]
        for key, attributes in mapping.items():
            if len(attributes) > _MAX_MAPPING_ATTRIBUTES:
                raise TemplateError(
                    f"Template format error: Number of attributes, {len(attributes)}, of {name} "
                    f"{key} is greater than maximum allowed, {_MAX_MAPPING_ATTRIBUTES}"
                )
    for section, name in named:
        if len(name) > _MAX_NAME_CHARACTERS:
            raise TemplateError(
                f"Template format error: {section} name {name} is longer than "
                f"{_MAX_NAME_CHARACTERS} characters."
            )


def check_tags(number: int) -> None:
    """Check the number of a stack's tags.

    Raises:
        TemplateError: there are too many.
    """
    if number > _TAGS:
        raise TemplateError(
            "1 validation error detected: Value at 'tags' failed to satisfy constraint: Member "
            f"must have length less than or equal to {_TAGS}"
        )


def check_parameter(name: str, value: str) -> None:
    """Check the length of a parameter's value.

    Raises:
        TemplateError: it is too long.
    """
    if len(value.encode()) > _MAX_PARAMETER_BYTES:
        raise TemplateError(
            f"Parameter '{name}' must contain at most {_MAX_PARAMETER_BYTES} bytes of value"
        )


def check_stack_name(name: str) -> None:
    """Check the name of a new stack.

    Raises:
        TemplateError: AWS rejects the name.
    """
    if not re.fullmatch(_STACK_NAME_PATTERN, name):
        constraint = f"Member must satisfy regular expression pattern: {_STACK_NAME_PATTERN}"
    elif len(name) > _MAX_STACK_NAME_CHARACTERS:
        constraint = f"Member must have length less than or equal to {_MAX_STACK_NAME_CHARACTERS}"
    else:
        return
    raise TemplateError(
        f"1 validation error detected: Value '{name}' at 'stackName' failed to satisfy "
        f"constraint: {constraint}"
    )
