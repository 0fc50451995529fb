"""`AWS::CloudWatch::Alarm` and `AWS::CloudWatch::CompositeAlarm`.

Their properties are the parameters of `PutMetricAlarm` and `PutCompositeAlarm`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.core.utils import get_service_model

from localcloud.cloudwatch.model import DefinitionError
from localcloud.core.providers import ProvisioningError, Resource

if TYPE_CHECKING:
    from localcloud.cloudwatch.alarms import Alarms
    from localcloud.core.providers import ResourceRequest


class AlarmProvider:
    """Provider of alarms; the input of `operation` defines the properties' types."""

    def __init__(self, alarms: Alarms, operation: str) -> None:
        self._alarms = alarms
        self._operation = operation

    def replaces(self, request: ResourceRequest, current: Resource) -> bool:
        """Only a new name needs replacement."""
        return bool(request.properties.get("AlarmName") != current.properties.get("AlarmName"))

    def create(self, request: ResourceRequest) -> Resource:
        """See `Provider.create`."""
        name = request.properties.get("AlarmName") or request.generated_name(255)
        if self._alarms.get(request.account, request.region, name):
            raise ProvisioningError(f"{name} already exists")
        return self._put(request, name)

    def update(self, request: ResourceRequest, current: Resource) -> Resource:
        """See `Provider.update`."""
        return self._put(request, current.physical_id)

    def delete(self, request: ResourceRequest, current: Resource) -> None:
        """See `Provider.delete`."""
        alarms = self._alarms
        if alarms.get(request.account, request.region, current.physical_id) is None:
            return
        try:
            alarms.delete(request.account, request.region, [current.physical_id])
        except DefinitionError as error:
            raise ProvisioningError(str(error)) from error

    def _put(self, request: ResourceRequest, name: str) -> Resource:
        shape = get_service_model("cloudwatch").operation_model(self._operation).input_shape
        definition = _read(shape, request.properties | {"AlarmName": name}, request.type)
        tags = {each["Key"]: each["Value"] for each in definition.pop("Tags", [])}
        alarms = self._alarms
        try:
            alarm = alarms.put(request.account, request.region, definition)
        except DefinitionError as error:
            raise ProvisioningError(str(error)) from error
        alarms.tag(alarm, request.tags | tags)
        return Resource(name, {"Arn": alarm.arn}, request.properties)


def _read(shape: Any, value: Any, where: str) -> Any:
    """Convert a property to the API's type; templates may write values as strings."""
    try:
        match shape.type_name:
            case "structure":
                return {
                    name: _read(_member(shape, name, where), inner, f"{where}.{name}")
                    for name, inner in value.items()
                }
            case "list":
                return [_read(shape.member, inner, where) for inner in value]
            case "integer":
                return int(value)
            case "double":
                return float(value)
            case "boolean":
                return {"true": True, "false": False}[str(value).lower()]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ProvisioningError(f"{where}: {value!r} is not a valid {shape.type_name}") from error
    return value


def _member(shape: Any, name: str, where: str) -> Any:
    if name not in shape.members:
        raise ProvisioningError(f"{where}: property {name} is unknown")
    return shape.members[name]
