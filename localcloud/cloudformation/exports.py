"""The outputs of stacks, and the exports that other stacks import."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.cloudformation.template import TemplateError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.cloudformation.intrinsics import Resolver
    from localcloud.cloudformation.model import Stack


class Exports:
    """The exports of stacks; reads a mapping of stacks by id, which may change."""

    def __init__(self, stacks: Mapping[str, Stack]) -> None:
        self._stacks = stacks

    def outputs(
        self, stack: Stack, template: dict[str, Any], resolver: Resolver
    ) -> list[dict[str, Any]]:
        """Return the outputs of a stack whose resources match a template.

        Raises:
            TemplateError: another stack has an export's name, or an export in use would change.
        """
        outputs = []
        exports = self.all(stack.account, stack.region)
        for key, definition in template.get("Outputs", {}).items():
            if not resolver.holds(definition):
                continue
            output = {"OutputKey": key, "OutputValue": str(resolver.value(definition["Value"]))}
            if "Description" in definition:
                output["Description"] = definition["Description"]
            if "Export" in definition:
                name = output["ExportName"] = str(resolver.value(definition["Export"]["Name"]))
                owner, value = exports.get(name, (stack, output["OutputValue"]))
                if owner is not stack:
                    raise TemplateError(
                        f"Export with name {name} is already exported by stack {owner.name}."
                    )
                if value != output["OutputValue"] and (users := self.importers(stack, name)):
                    raise TemplateError(
                        f"Export {name} cannot be updated as it is in use by {', '.join(users)}"
                    )
            outputs.append(output)
        used = self.used(stack, {each.get("ExportName", "") for each in outputs})
        if used:
            raise TemplateError(used)
        return outputs

    def used(self, stack: Stack, kept: set[str]) -> str | None:
        """Return why an export that is not in `kept` cannot be deleted, or None."""
        for output in stack.outputs:
            name = output.get("ExportName")
            if name and name not in kept and (users := self.importers(stack, name)):
                return f"Export {name} cannot be deleted as it is in use by {', '.join(users)}"
        return None

    def importers(self, stack: Stack, export: str) -> list[str]:
        """Return the names of the stacks that import an export of this stack."""
        return sorted(
            other.name
            for other in list(self._stacks.values())
            if (other.account, other.region) == (stack.account, stack.region)
            and other.status != "DELETE_COMPLETE"
            and export in other.imports
        )

    def all(self, account: str, region: str) -> dict[str, tuple[Stack, str]]:
        """Return stack and value of each export, by export name."""
        return {
            output["ExportName"]: (stack, output["OutputValue"])
            for stack in list(self._stacks.values())
            if (stack.account, stack.region) == (account, region)
            and stack.status != "DELETE_COMPLETE"
            for output in stack.outputs
            if "ExportName" in output
        }
