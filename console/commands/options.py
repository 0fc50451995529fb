"""Options that several commands have."""

from __future__ import annotations

import click

from console.release.permissions import MODES

iam_option = click.option(
    "--iam",
    type=click.Choice(MODES),
    default="enforce",
    show_default=True,
    help="What happens to a call of a role that IAM denies: it is refused, or logged to "
    "localcloud.log and answered.",
)
