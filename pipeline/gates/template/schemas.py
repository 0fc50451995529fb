"""Read from AWS's resource schemas which properties CloudFormation cannot change in place.

The schemas are files of cfn-lint. They are read without importing cfn-lint, which takes two seconds
of CPU time.
"""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path


class SchemasError(Exception):
    """cfn-lint's schemas were not found."""


@lru_cache
def create_only(region: str, type_: str) -> tuple[tuple[str, ...], ...]:
    """Return the properties whose change replaces a resource, as paths in which `*` is any item.

    The result is empty for a type without a schema, such as a custom resource, whose provider
    decides.

    Raises:
        SchemasError: cfn-lint or its schemas were not found.
    """
    folder = _folder()
    provider = folder / "providers" / f"{region}.json"
    if not provider.is_file():  # cfn-lint also uses this region for an unknown one
        provider = folder / "providers" / "us-east-1.json"
    try:
        name = json.loads(provider.read_text(encoding="utf-8")).get(type_)
        if name is None:
            return ()
        schema = json.loads((folder / "resources" / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SchemasError(
            f"cfn-lint's resource schemas cannot be read: {error}; "
            "install requirements/template.txt"
        ) from error
    return tuple(
        tuple(path.removeprefix("/properties/").split("/"))
        for path in schema.get("createOnlyProperties", ())
    )


def _folder() -> Path:
    spec = find_spec("cfnlint")  # finds the package without importing it
    if spec is None or spec.origin is None:
        raise SchemasError("cfn-lint is missing; install requirements/template.txt")
    return Path(spec.origin).parent / "data" / "schemas"
