"""`pithead remote`."""

from __future__ import annotations

import click

from console.aws import connect
from console.checkout import Checkout
from console.connections import named_connection, remote
from console.git_credentials import signed_url


@click.command("remote")
@click.argument("repository", metavar="[OWNER/REPO]", required=False)
def command(repository: str | None) -> None:
    """Print the git URL that a repository is pushed to, by the pipeline's connection.

    The default is the repository that the pipeline follows. The URL contains a signature by your
    AWS credentials, which is valid only for this repository and for 15 minutes.

    \b
      git push "$(pithead remote)" HEAD:main
    """  # noqa: D301  # \b is click's own sign
    if repository and repository.count("/") != 1:
        raise click.BadParameter(f"{repository!r} is no OWNER/REPO", param_hint="OWNER/REPO")
    checkout = Checkout.here()
    home = checkout.home()
    aws, whom = connect(checkout)
    click.echo(whom, err=True)
    connections = aws.client("codeconnections")
    arn = named_connection(connections, home)
    click.echo(signed_url(remote(connections, arn, repository or home.repository)))
