"""Lambda's operations on code signing configurations."""

from __future__ import annotations

from moto.core.responses import ActionResult, EmptyResult

from localcloud.awslambda.operations import Operations


class CodeSigningOperations(Operations):
    """Operations on code signing configurations and their use by functions."""

    def create_code_signing_config(self) -> ActionResult:
        """Create a configuration."""
        made = self.service.code_signing.create(self.account, self.region, self.params)
        return ActionResult({"CodeSigningConfig": made})

    def update_code_signing_config(self) -> ActionResult:
        """Change a configuration."""
        arn = self.params["CodeSigningConfigArn"]
        changed = self.service.code_signing.update(arn, self.params)
        return ActionResult({"CodeSigningConfig": changed})

    def get_code_signing_config(self) -> ActionResult:
        """Return a configuration."""
        found = self.service.code_signing.get(self.params["CodeSigningConfigArn"])
        return ActionResult({"CodeSigningConfig": found})

    def delete_code_signing_config(self) -> ActionResult:
        """Delete a configuration that no function uses."""
        self.service.code_signing.delete(self.params["CodeSigningConfigArn"])
        return EmptyResult()

    def get_function_code_signing_config(self) -> ActionResult:
        """Return a function's configuration; without one, the answer has no ARN."""
        function = self.service.catalogue.get(self.where())
        document = {"FunctionName": function.name}
        if function.code_signing:
            document["CodeSigningConfigArn"] = function.code_signing
        return ActionResult(document)

    def put_function_code_signing_config(self) -> ActionResult:
        """Set a function's configuration; does not verify the code deployed so far."""
        arn = self.params["CodeSigningConfigArn"]
        self.service.definitions.require_signatures(self.where(), arn)
        return self.get_function_code_signing_config()

    def delete_function_code_signing_config(self) -> ActionResult:
        """Remove a function's configuration."""
        self.service.definitions.require_signatures(self.where(), "")
        return EmptyResult()
