"""What CloudFormation cannot change in place, by AWS's own resource schemas.

They are those that cfn-lint ships, read as the files that they are: to import cfn-lint takes two
seconds of CPU.
"""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path


class SchemasError(Exception):
    """The schemas are not where cfn-lint has them."""


@lru_cache
def create_only(region: str, type_: str) -> tuple[tuple[str, ...], ...]:
    """The properties whose change replaces a resource, as paths in which `*` is any item.

    A type that has no schema, such as a custom resource, has none: what its change does is
    decided by its own provider.

    Raises:
        SchemasError: cfn-lint is missing, or has its schemas elsewhere.
    """
    folder = _folder()
    provider = folder / "providers" / f"{region}.json"
    if not provider.is_file():  # cfn-lint, too, takes this region's for one that it does not know
        provider = folder / "providers" / "us-east-1.json"
    try:
        name = json.loads(provider.read_text(encoding="utf-8")).get(type_)
        if name is None:
            return ()
        schema = json.loads((folder / "resources" / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SchemasError(f"cfn-lint's resource schemas cannot be read: {error}") from error
    return tuple(
        tuple(path.removeprefix("/properties/").split("/"))
        for path in schema.get("createOnlyProperties", ())
    )


def _folder() -> Path:
    spec = find_spec("cfnlint")  # it is found and not imported
    if spec is None or spec.origin is None:
        raise SchemasError("cfn-lint is missing; install the group of this gate")
    return Path(spec.origin).parent / "data" / "schemas"
