"""Errors of a pipeline's declaration."""

from __future__ import annotations


class DefinitionError(Exception):
    """A declaration that AWS rejects, or that the local cloud does not support."""

    def __init__(self, message: str, code: str = "InvalidActionDeclarationException") -> None:
        super().__init__(message)
        self.code = code


def unsupported(feature: str) -> DefinitionError:
    """Return the error for a feature that the local cloud does not support."""
    return DefinitionError(f"{feature} is not part of the local cloud")


def invalid_structure(message: str) -> DefinitionError:
    """Return an error with AWS's code for the structure of a pipeline."""
    return DefinitionError(message, "InvalidStructureException")
