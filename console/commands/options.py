"""Options that several commands share."""

from __future__ import annotations

import click

from console.local.iam_mode import MODES

iam_option = click.option(
    "--iam",
    type=click.Choice(MODES),
    default="enforce",
    show_default=True,
    help="What happens to a call that IAM denies: enforce rejects it; soft logs it to "
    "localcloud.log in the state folder, and answers it.",
)
