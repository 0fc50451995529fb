"""Parse the AppSpec file of a Lambda deployment.

Source: "AppSpec file structure for AWS Lambda deployments" in the CodeDeploy user guide.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import yaml

_HOOKS = ("BeforeAllowTraffic", "AfterAllowTraffic")
_PROPERTIES = ("Name", "Alias", "CurrentVersion", "TargetVersion")


class AppSpecError(ValueError):
    """An AppSpec file is invalid."""


@dataclass(frozen=True)
class AppSpec:
    """An alias, its current and target version, and the hooks that validate the shift."""

    function: str
    alias: str
    current_version: str
    target_version: str
    before_hook: str = ""
    after_hook: str = ""

    @classmethod
    def parse(cls, content: str) -> AppSpec:
        """Parse an AppSpec file in YAML or JSON.

        Raises:
            AppSpecError: it is not an AppSpec file of a Lambda deployment.
        """
        try:
            document = yaml.safe_load(content)
        except yaml.YAMLError as error:
            raise AppSpecError(f"The AppSpec file is neither YAML nor JSON: {error}") from error
        if not isinstance(document, dict):
            raise AppSpecError("The AppSpec file is empty")
        # AWS's examples write the keys in both cases.
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
        """Return the AppSpec file as JSON."""
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
        """Return the reverse shift, without hooks."""
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
            f"Hook {unknown[0]} is not a hook of a Lambda deployment; use {' or '.join(_HOOKS)}"
        )
    return hooks
