"""The operations of Lambda on code signing configurations."""

from __future__ import annotations

from moto.core.responses import ActionResult, EmptyResult

from localcloud.awslambda.operations import Operations


class CodeSigningOperations(Operations):
    """Configurations, and which function has which."""

    def create_code_signing_config(self) -> ActionResult:
        """Make a configuration."""
        made = self.service.code_signing.create(self.account, self.region, self.params)
        return ActionResult({"CodeSigningConfig": made})

    def update_code_signing_config(self) -> ActionResult:
        """Change a configuration."""
        arn = self.params["CodeSigningConfigArn"]
        changed = self.service.code_signing.update(arn, self.params)
        return ActionResult({"CodeSigningConfig": changed})

    def get_code_signing_config(self) -> ActionResult:
        """One configuration."""
        found = self.service.code_signing.get(self.params["CodeSigningConfigArn"])
        return ActionResult({"CodeSigningConfig": found})

    def delete_code_signing_config(self) -> ActionResult:
        """Forget a configuration that no function has."""
        self.service.code_signing.delete(self.params["CodeSigningConfigArn"])
        return EmptyResult()

    def get_function_code_signing_config(self) -> ActionResult:
        """The configuration that a function has; without one, the answer names none."""
        function = self.service.catalogue.get(self.where())
        document = {"FunctionName": function.name}
        if function.code_signing:
            document["CodeSigningConfigArn"] = function.code_signing
        return ActionResult(document)

    def put_function_code_signing_config(self) -> ActionResult:
        """Give a function a configuration; its code of now stays, whoever has signed it."""
        arn = self.params["CodeSigningConfigArn"]
        self.service.definitions.require_signatures(self.where(), arn)
        return self.get_function_code_signing_config()

    def delete_function_code_signing_config(self) -> ActionResult:
        """Take a function's configuration away."""
        self.service.definitions.require_signatures(self.where(), "")
        return EmptyResult()
