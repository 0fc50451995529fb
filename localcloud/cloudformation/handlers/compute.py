"""Handlers of Lambda, API Gateway, Secrets Manager and CloudWatch Logs."""

from __future__ import annotations

from localcloud.cloudformation.handlers.handler import Handler, Operation, calls

_FUNCTION = {"FunctionName": "{name}"}
_OF_FUNCTION = {"FunctionName": "FunctionName"}
_LAMBDA_ARN = "arn:aws:lambda:{region}:{account}:function:{name}"
_ENCRYPTED = ("KmsKeyArn",)
_KEY = {"KeyId": "KmsKeyArn"}
_CONFIGURED = {"FunctionName": "{name}", "Role": "Role", "KMSKeyArn": "{KmsKeyArn}"}
_CONFIGURATION = (
    "Architectures", "DeadLetterConfig", "Description", "Environment", "EphemeralStorage",
    "FileSystemConfigs", "Handler", "ImageConfig", "KmsKeyArn", "Layers", "LoggingConfig",
    "MemorySize", "Role", "Runtime", "SnapStart", "Timeout", "TracingConfig", "VpcConfig",
)  # fmt: skip
_LOG_ROLE = Operation(
    "GetRole", ("CloudWatchRoleArn",), {"RoleName": "CloudWatchRoleArn|name"}, "iam"
)
_API = "/restapis/{RestApiId}"
_METHOD = {"path": f"{_API}/resources/{{ResourceId}}/methods/{{HttpMethod}}"}
_NEW_SECRET = {"Name": "{name}", "KmsKeyId": "KmsKeyId"}
_LOGS_ARN = "arn:aws:logs:{region}:{account}:log-group:{name}"

HANDLERS = {
    "AWS::Lambda::Function": Handler(
        "lambda",
        _FUNCTION,
        create=calls(
            Operation("CreateFunction", (), _CONFIGURED),
            "GetFunction",
            Operation("TagResource", ("Tags",), {"Resource": _LAMBDA_ARN}),
            Operation("PutFunctionConcurrency", ("ReservedConcurrentExecutions",)),
            Operation("PutRuntimeManagementConfig", ("RuntimeManagementConfig",)),
            Operation("PutFunctionRecursionConfig", ("RecursiveLoop",)),
            *(
                Operation(each, _ENCRYPTED, _KEY, "kms")
                for each in ("Decrypt", "GenerateDataKey", "DescribeKey")
            ),
        ),
        update=calls(
            "GetFunction",
            Operation("UpdateFunctionCode", ("Code",)),
            Operation("UpdateFunctionConfiguration", _CONFIGURATION, _CONFIGURED),
            Operation("PutFunctionConcurrency", ("ReservedConcurrentExecutions",)),
            Operation("DeleteFunctionConcurrency", ("ReservedConcurrentExecutions",)),
            Operation("PutRuntimeManagementConfig", ("RuntimeManagementConfig",)),
            Operation("PutFunctionRecursionConfig", ("RecursiveLoop",)),
            Operation("PutFunctionCodeSigningConfig", ("CodeSigningConfigArn",)),
            Operation("DeleteFunctionCodeSigningConfig", ("CodeSigningConfigArn",)),
            Operation("TagResource", ("Tags",), {"Resource": _LAMBDA_ARN}),
            Operation("UntagResource", ("Tags",), {"Resource": _LAMBDA_ARN}),
        ),
        delete=calls("GetFunction", "DeleteFunction"),
        name="FunctionName",
        code="Code",
    ),
    "AWS::Lambda::Version": Handler(
        "lambda",
        _OF_FUNCTION,
        create=calls(
            "PublishVersion",
            "GetFunctionConfiguration",
            "ListVersionsByFunction",
            Operation("PutProvisionedConcurrencyConfig", ("ProvisionedConcurrencyConfig",)),
            Operation("PutRuntimeManagementConfig", ("RuntimePolicy",)),
        ),
        update=calls("GetFunctionConfiguration"),
        delete=calls(
            Operation("GetFunctionConfiguration", (), {"FunctionName": "{id}"}),
            Operation("DeleteFunction", (), {"FunctionName": "{id}"}),
        ),
    ),
    "AWS::Lambda::Alias": Handler(
        "lambda",
        _OF_FUNCTION,
        create=calls(
            "CreateAlias",
            Operation("PutProvisionedConcurrencyConfig", ("ProvisionedConcurrencyConfig",)),
        ),
        update=calls(
            "GetAlias",
            "UpdateAlias",
            Operation("PutProvisionedConcurrencyConfig", ("ProvisionedConcurrencyConfig",)),
            Operation("DeleteProvisionedConcurrencyConfig", ("ProvisionedConcurrencyConfig",)),
        ),
        delete=calls("GetAlias", "DeleteAlias"),
    ),
    "AWS::Lambda::Permission": Handler(
        "lambda",
        _OF_FUNCTION,
        create=calls("AddPermission"),
        update=calls("AddPermission", "RemovePermission"),
        delete=calls("RemovePermission"),
    ),
    "AWS::Lambda::EventInvokeConfig": Handler(
        "lambda",
        _OF_FUNCTION,
        create=calls("PutFunctionEventInvokeConfig"),
        update=calls("UpdateFunctionEventInvokeConfig"),
        delete=calls("DeleteFunctionEventInvokeConfig"),
    ),
    "AWS::Lambda::Url": Handler(
        "lambda",
        {"FunctionName": "TargetFunctionArn"},
        create=calls("CreateFunctionUrlConfig"),
        update=calls("UpdateFunctionUrlConfig"),
        delete=calls("DeleteFunctionUrlConfig"),
    ),
    "AWS::ApiGateway::RestApi": Handler(
        "apigateway",
        {"path": "/restapis/{id}"},
        create=calls(
            Operation("POST", (), {"path": "/restapis"}),
            Operation("UpdateRestApiPolicy", ("Policy",), {"path": "/restapis"}),
        ),
        update=calls("GET", "PATCH", Operation("UpdateRestApiPolicy", ("Policy",))),
        delete=calls("DELETE"),
    ),
    "AWS::ApiGateway::Resource": Handler(
        "apigateway",
        {"path": f"{_API}/resources/{{id}}"},
        create=calls(Operation("POST", (), {"path": f"{_API}/resources/{{ParentId}}"})),
        update=calls("GET", "PATCH"),
        delete=calls("DELETE"),
    ),
    "AWS::ApiGateway::Method": Handler(
        "apigateway",
        _METHOD,
        create=calls("PUT", "GET"),
        update=calls("GET", "PUT", "DELETE"),
        delete=calls("DELETE"),
    ),
    "AWS::ApiGateway::Deployment": Handler(
        "apigateway",
        {"path": f"{_API}/deployments/{{id}}"},
        create=calls(
            Operation("POST", (), {"path": f"{_API}/deployments"}),
            Operation("PATCH", ("StageDescription",), {"path": f"{_API}/stages/{{StageName}}"}),
        ),
        update=calls("GET", "PATCH"),
        delete=calls("GET", "DELETE"),
    ),
    "AWS::ApiGateway::Stage": Handler(
        "apigateway",
        {"path": f"{_API}/stages/{{StageName}}"},
        create=calls(
            Operation("POST", (), {"path": f"{_API}/stages"}),
            "GET",
            Operation("PATCH", ("MethodSettings", "AccessLogSetting", "CanarySetting")),
            Operation("PUT", ("Tags",)),
        ),
        update=calls("GET", "PATCH", Operation("PUT", ("Tags",)), Operation("DELETE", ("Tags",))),
        delete=calls("DELETE"),
    ),
    "AWS::ApiGateway::Account": Handler(
        "apigateway",
        {"path": "/account"},
        create=calls("PATCH", _LOG_ROLE),
        update=calls("PATCH", _LOG_ROLE),
        delete=calls("GET"),
        passes={"CloudWatchRoleArn": "apigateway.amazonaws.com"},
    ),
    "AWS::SecretsManager::Secret": Handler(
        "secretsmanager",
        {"SecretId": "{id}"},
        create=calls(
            Operation("GetRandomPassword", ("GenerateSecretString",), {}),
            Operation("CreateSecret", (), _NEW_SECRET),
            Operation("DescribeSecret", (), _NEW_SECRET),
            Operation("TagResource", ("Tags",), _NEW_SECRET),
            Operation("ReplicateSecretToRegions", ("ReplicaRegions",), _NEW_SECRET),
        ),
        update=calls(
            Operation("GetRandomPassword", ("GenerateSecretString",), {}),
            Operation("UpdateSecret", (), {"SecretId": "{id}", "KmsKeyId": "KmsKeyId"}),
            Operation("GetSecretValue", ("GenerateSecretString",)),
            Operation("TagResource", ("Tags",)),
            Operation("UntagResource", ("Tags",)),
            Operation("ReplicateSecretToRegions", ("ReplicaRegions",)),
            Operation("RemoveRegionsFromReplication", ("ReplicaRegions",)),
        ),
        delete=calls(
            "DeleteSecret",
            "DescribeSecret",
            Operation("RemoveRegionsFromReplication", ("ReplicaRegions",)),
        ),
        name="Name",
    ),
    "AWS::Logs::LogGroup": Handler(
        "logs",
        {"logGroupName": "{name}"},
        create=calls(
            "CreateLogGroup",
            "DescribeLogGroups",
            Operation("PutRetentionPolicy", ("RetentionInDays",)),
            Operation("TagResource", ("Tags",), {"resourceArn": _LOGS_ARN}),
            Operation("PutDataProtectionPolicy", ("DataProtectionPolicy",)),
        ),
        update=calls(
            "DescribeLogGroups",
            Operation("PutRetentionPolicy", ("RetentionInDays",)),
            Operation("DeleteRetentionPolicy", ("RetentionInDays",)),
            Operation("AssociateKmsKey", ("KmsKeyId",)),
            Operation("DisassociateKmsKey", ("KmsKeyId",)),
            Operation("TagResource", ("Tags",), {"resourceArn": _LOGS_ARN}),
            Operation("UntagResource", ("Tags",), {"resourceArn": _LOGS_ARN}),
        ),
        delete=calls("DescribeLogGroups", "DeleteLogGroup"),
        name="LogGroupName",
    ),
}
