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
    """Print the git URL that commits are pushed to.

    OWNER/REPO is a repository; the default is the pipeline's. On AWS the URL is that of your own
    git remote. The URL of a local cloud contains a signature by your AWS credentials, which is
    valid for this repository and for 15 minutes.

    \b
      git push "$(pithead remote)" HEAD:main
    """  # noqa: D301  # \b is click's own sign
    if repository and repository.count("/") != 1:
        raise click.BadParameter(
            f"found {repository!r}; allowed is a name such as acme/pithead",
            param_hint="OWNER/REPO",
        )
    checkout = Checkout.here()
    aws, target = connect(checkout)
    click.echo(target, err=True)
    url = repository_url(aws, checkout, repository or checkout.home().repository)
    click.echo(signed_url(url) if is_signed(url) else url)
