"""What stages and actions work with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from localcloud.codepipeline.store import Store
    from localcloud.core.core import Core
    from localcloud.core.delivery_ports import BuildStarter, SourceRepositories
    from localcloud.core.ports import AlarmStates
    from localcloud.iam.access import Access


@dataclass
class Decisions:
    """Approvals and conditions that wait, and that a call of the API can decide."""

    approvals: dict[str, threading.Event] = field(default_factory=dict)
    """By token: the event that is set when the approval has a result."""
    conditions: dict[tuple[str, str, str], Callable[[], None]] = field(default_factory=dict)
    """What overrides a condition; by execution, stage and kind."""


@dataclass(frozen=True)
class Collaborators:
    """The store and the decisions of CodePipeline, and the ports of other services."""

    core: Core
    access: Access
    store: Store
    decisions: Decisions
    alarms: AlarmStates
    builds: BuildStarter
    repositories: SourceRepositories
