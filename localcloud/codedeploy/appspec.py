"""The AppSpec file of a Lambda deployment: which alias goes from which version to which.

See "AppSpec file structure for AWS Lambda deployments" in the CodeDeploy user guide.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import yaml

_HOOKS = ("BeforeAllowTraffic", "AfterAllowTraffic")
_PROPERTIES = ("Name", "Alias", "CurrentVersion", "TargetVersion")


class AppSpecError(ValueError):
    """An AppSpec file that cannot be followed; the message says why."""


@dataclass(frozen=True)
class AppSpec:
    """One alias of one function, and the functions that validate the shift."""

    function: str
    alias: str
    current_version: str
    target_version: str
    before_hook: str = ""
    after_hook: str = ""

    @classmethod
    def parse(cls, content: str) -> AppSpec:
        """Read a YAML or JSON AppSpec.

        Raises:
            AppSpecError: it is no AppSpec of a Lambda deployment.
        """
        try:
            document = yaml.safe_load(content)
        except yaml.YAMLError as error:
            raise AppSpecError(f"The AppSpec file is neither YAML nor JSON: {error}") from error
        if not isinstance(document, dict):
            raise AppSpecError("The AppSpec file is empty")
        # Key names are written in either case in AWS's own examples.
        parts = {str(key).lower(): value for key, value in document.items()}
        if str(parts.get("version")) != "0.0":
            raise AppSpecError(
                f"The AppSpec file's version is {parts.get('version')}; it must be 0.0"
            )
        properties = _function(parts.get("resources"))
        hooks = _hooks(parts.get("hooks") or [])
        return cls(
            *(properties[name] for name in _PROPERTIES), *(hooks.get(name, "") for name in _HOOKS)
        )

    def content(self) -> str:
        """As JSON."""
        values = (self.function, self.alias, self.current_version, self.target_version)
        hooks = zip(_HOOKS, (self.before_hook, self.after_hook), strict=True)
        return json.dumps(
            {
                "version": 0.0,
                "Resources": [
                    {
                        self.function: {
                            "Type": "AWS::Lambda::Function",
                            "Properties": dict(zip(_PROPERTIES, values, strict=True)),
                        }
                    }
                ],
                "Hooks": [{name: function} for name, function in hooks if function],
            }
        )

    def back(self) -> AppSpec:
        """From the target version back to the current one, without hooks."""
        return AppSpec(self.function, self.alias, self.target_version, self.current_version)


def _function(resources: Any) -> dict[str, str]:
    if not isinstance(resources, list) or len(resources) != 1:
        raise AppSpecError("The AppSpec file's Resources must be a list of one Lambda function")
    (resource,) = resources[0].values() if isinstance(resources[0], dict) else (None,)
    if not isinstance(resource, dict) or resource.get("Type") != "AWS::Lambda::Function":
        raise AppSpecError("The AppSpec file's resource must be of type AWS::Lambda::Function")
    properties = resource.get("Properties") or {}
    missing = [name for name in _PROPERTIES if not properties.get(name)]
    if missing:
        raise AppSpecError(f"The AppSpec file's function has no {', '.join(missing)}")
    return {name: str(properties[name]) for name in _PROPERTIES}


def _hooks(declared: Any) -> dict[str, str]:
    hooks: dict[str, str] = {}
    for each in declared:
        hooks.update(each)
    unknown = sorted(set(hooks) - set(_HOOKS))
    if unknown:
        raise AppSpecError(
            f"Hook {unknown[0]} is no hook of a Lambda deployment; {' and '.join(_HOOKS)} are"
        )
    return hooks
