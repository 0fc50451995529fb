"""Intrinsic functions, resolved against existing resources."""

from __future__ import annotations

import base64
import ipaddress
import itertools
import re
from typing import TYPE_CHECKING, Any

from localcloud.cloudformation.template import DYNAMIC, TemplateError, attribute_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localcloud.core.providers import Resource

_VARIABLE = re.compile(r"\$\{(!?)([^}]*)\}")
_API = re.compile(r"https://([a-z0-9]{10})\.execute-api\.[a-z0-9-]+\.amazonaws\.com")
_NO_VALUE = object()


class NotCreatedError(TemplateError):
    """A value depends on a resource that does not exist yet."""


def _string(value: Any) -> str:
    """Convert a value to a string as CloudFormation does."""
    return str(value).lower() if isinstance(value, bool) else str(value)


class Resolver:
    """Resolves values of one template.

    `resources` may change between calls. `dynamic` returns the value of
    `{{resolve:service:reference}}`; `kept` are the services whose references keep the values of
    `references`. `imported` returns an export's value. `gateway` is the local base URL of REST
    APIs: it replaces their host name on AWS.
    """

    def __init__(
        self,
        template: dict[str, Any],
        *,
        parameters: Mapping[str, Any],
        pseudo: Mapping[str, Any],
        resources: Mapping[str, Resource],
        dynamic: Callable[[str, str], str],
        imported: Callable[[str], str],
        gateway: str,
        kept: frozenset[str] = frozenset({"secretsmanager"}),
    ) -> None:
        self._mappings = template.get("Mappings", {})
        self._conditions = template.get("Conditions", {})
        self._parameters = parameters
        self._pseudo = pseudo
        self._resources = resources
        self._dynamic = dynamic
        self._imported = imported
        self._gateway = gateway
        self._kept = kept
        self.references: dict[str, str] = {}
        """The values of dynamic references: the kept ones, and those read since."""

    def value(self, value: Any) -> Any:
        """Resolve every function in a value.

        Raises:
            TemplateError: a reference is missing, or a function is unknown.
        """
        found = self._resolve(value)
        return None if found is _NO_VALUE else found

    def condition(self, name: str) -> bool:
        """Whether a named condition is true."""
        if name not in self._conditions:
            raise TemplateError(f"Template format error: Unresolved condition {name}")
        return bool(self._resolve(self._conditions[name]))

    def holds(self, definition: dict[str, Any]) -> bool:
        """Whether a resource or an output is included: it has no condition or a true one."""
        return "Condition" not in definition or self.condition(definition["Condition"])

    def _resolve(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, list):
            items = [self._resolve(item) for item in value]
            return [item for item in items if item is not _NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            name, argument = next(iter(value.items()))
            # In a policy, `Condition` is an object; as a reference, it is a string.
            if (
                name == "Ref"
                or name.startswith("Fn::")
                or (name == "Condition" and isinstance(argument, str))
            ):
                function = FUNCTIONS.get(name)
                if function is None:
                    raise TemplateError(f"{name} is not part of the local cloud")
                found = function(self, argument)
                return self._text(found) if isinstance(found, str) else found
        resolved = {key: self._resolve(inner) for key, inner in value.items()}
        return {key: inner for key, inner in resolved.items() if inner is not _NO_VALUE}

    def _text(self, text: str) -> str:
        if "{{resolve:" in text:
            text = DYNAMIC.sub(lambda match: self._referred(match[1], match[2]), text)
        return _API.sub(rf"{self._gateway}/\1", text) if ".execute-api." in text else text

    def _referred(self, service: str, reference: str) -> str:
        known = f"{service}:{reference}"
        if service not in self._kept or known not in self.references:
            self.references[known] = self._dynamic(service, reference)
        return self.references[known]

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NO_VALUE
        for source in (self._pseudo, self._parameters):
            if name in source:
                return source[name]
        return self._resource(name).physical_id

    def _resource(self, name: str) -> Resource:
        try:
            return self._resources[name]
        except KeyError:
            raise NotCreatedError(f"Resource {name} does not exist") from None

    def _get_att(self, argument: Any) -> Any:
        name, attribute = attribute_of(argument)
        attributes = self._resource(name).attributes
        attribute = self._resolve(attribute)
        if attribute not in attributes:
            raise TemplateError(
                f"Template error: resource {name} does not support attribute type {attribute} "
                "in Fn::GetAtt"
            )
        return attributes[attribute]

    def _sub(self, argument: Any) -> str:
        text, names = (argument, {}) if isinstance(argument, str) else argument
        local = self._resolve(names)

        def replaced(match: re.Match[str]) -> str:
            if match[1]:
                return "${" + match[2] + "}"
            name = match[2].strip()
            if name in local:
                return _string(local[name])
            return _string(self._get_att(name) if self._is_attribute(name) else self._ref(name))

        return _VARIABLE.sub(replaced, text)

    def _is_attribute(self, name: str) -> bool:
        return "." in name and name not in self._parameters and "::" not in name

    def _join(self, argument: Any) -> str:
        separator, parts = argument
        return str(separator).join(_string(part) for part in self._resolve(parts))

    def _select(self, argument: Any) -> Any:
        index, items = self._resolve(argument)
        if not str(index).isdecimal() or int(index) >= len(items):
            raise TemplateError(
                f"Template error: Fn::Select cannot select nonexistent value at index {index}"
            )
        return items[int(index)]

    def _find_in_map(self, argument: Any) -> Any:
        found: Any = self._mappings
        path = [_string(key) for key in self._resolve(argument)]
        for key in path:
            if not isinstance(found, dict) or key not in found:
                raise TemplateError(f"Template error: Unable to get mapping for {'::'.join(path)}")
            found = found[key]
        return found

    def _if(self, argument: Any) -> Any:
        name, yes, no = argument
        return self._resolve(yes if self.condition(name) else no)

    def _equals(self, argument: Any) -> bool:
        first, second = self._resolve(argument)
        return bool(_string(first) == _string(second))

    def _cidr(self, argument: Any) -> list[str]:
        block, count, bits = self._resolve(argument)
        try:
            network = ipaddress.ip_network(block)
            subnets = network.subnets(new_prefix=network.max_prefixlen - int(bits))
        except ValueError as error:
            raise TemplateError(f"Template error: Fn::Cidr of {block}: {error}") from error
        found = [str(subnet) for subnet in itertools.islice(subnets, int(count))]
        if len(found) < int(count):
            raise TemplateError(f"Template error: Fn::Cidr finds only {len(found)} in {block}")
        return found


FUNCTIONS: dict[str, Callable[[Resolver, Any], Any]] = {
    "Ref": Resolver._ref,  # noqa: SLF001  # the table of the class's own methods
    "Condition": Resolver.condition,
    "Fn::GetAtt": Resolver._get_att,  # noqa: SLF001  # the class's own table
    "Fn::Sub": Resolver._sub,  # noqa: SLF001  # the class's own table
    "Fn::Join": Resolver._join,  # noqa: SLF001  # the class's own table
    "Fn::Select": Resolver._select,  # noqa: SLF001  # the class's own table
    "Fn::Split": lambda self, argument: str(self.value(argument[1])).split(argument[0]),
    "Fn::FindInMap": Resolver._find_in_map,  # noqa: SLF001  # the class's own table
    "Fn::If": Resolver._if,  # noqa: SLF001  # the class's own table
    "Fn::Equals": Resolver._equals,  # noqa: SLF001  # the class's own table
    "Fn::And": lambda self, argument: all(self.value(item) for item in argument),
    "Fn::Or": lambda self, argument: any(self.value(item) for item in argument),
    "Fn::Not": lambda self, argument: not self.value(argument[0]),
    "Fn::Contains": lambda self, argument: self.value(argument[1]) in self.value(argument[0]),
    "Fn::Base64": lambda self, argument: base64.b64encode(
        _string(self.value(argument)).encode()
    ).decode(),
    "Fn::GetAZs": lambda self, argument: [
        f"{self.value(argument) or self.value({'Ref': 'AWS::Region'})}{zone}" for zone in "abc"
    ],
    "Fn::ImportValue": lambda self, argument: self._imported(str(self.value(argument))),
    "Fn::Cidr": Resolver._cidr,  # noqa: SLF001  # the class's own table
}
"""The supported intrinsic functions."""
