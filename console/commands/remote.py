"""`pithead remote`."""

from __future__ import annotations

import click

from console.aws.account import connect
from console.aws.connections import repository_url
from console.aws.git_credentials import is_signed, signed_url
from console.checkout import Checkout


@click.command("remote")
@click.argument("repository", metavar="[OWNER/REPO]", required=False)
def command(repository: str | None) -> None:
    """Print the git URL that a repository is pushed to.

    The default is the repository that the pipeline follows. On AWS it is the URL of your own git
    remote. The URL of a local cloud contains a signature by your AWS credentials, which is valid
    only for this repository and for 15 minutes.

    \b
      git push "$(pithead remote)" HEAD:main
    """  # noqa: D301  # \b is click's own sign
    if repository and repository.count("/") != 1:
        raise click.BadParameter(f"{repository!r} is no OWNER/REPO", param_hint="OWNER/REPO")
    checkout = Checkout.here()
    aws, whom = connect(checkout)
    click.echo(whom, err=True)
    url = repository_url(aws, checkout, repository or checkout.home().repository)
    click.echo(signed_url(url) if is_signed(url) else url)
