"""The entry point of `pithead`: dispatches commands, and turns errors into exit codes.

| Exit code | Means |
|---|---|
| 0 | done |
| 1 | an error that its message explains |
| 2 | wrong usage |
| 3 | `release`: rolled back |
| 4 | `release`, `gates`: refused by a gate |
| 70 | an unexpected error, which is a bug of Pithead (`EX_SOFTWARE` of sysexits.h); leaves a log |
| 130 | interrupted |
"""

from __future__ import annotations

import importlib
import io
import sys

import click
from botocore.exceptions import BotoCoreError, ClientError

from console import crash_log
from console.errors import ConsoleError

COMMANDS = (
    "up", "down", "env", "remote", "release", "status", "logs", "check", "preflight", "gates",
    "override", "rollback", "access", "judge", "rehearse",
)  # fmt: skip
"""Each is a module of `console.commands` with a command of its name, imported when it is used."""
_EXIT_ERROR, _EXIT_BUG, _EXIT_INTERRUPTED = 1, 70, 130


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's own
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # click's own
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"console.commands.{cmd_name}")
        command: click.Command = module.command
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def pithead() -> None:
    """Release the service through its pipeline, on AWS or on this machine.

    \b
    To learn it, in a checkout:
      pithead up --detach --speed 60   start a local cloud and deploy the pipeline to it
      pithead release                  release HEAD to prod and follow it live
      pithead status                   show the version that serves in each environment
      pithead down                     stop the local cloud; its state is kept
      pithead rehearse                 play good and bad releases from nothing, in 8 minutes

    A command uses the first of these that applies: the endpoint in AWS_ENDPOINT_URL; the local
    cloud of this checkout, if it runs; AWS, with the credentials in the environment.

    \b
    Exit codes: 0 done, 1 an error, 2 usage, 70 an unexpected error (a bug; its message names a log
    to attach), 130 interrupted. `release` adds 3 (rolled back) and 4 (refused by a gate), which
    `gates` has too.
    """  # noqa: D301  # \b is click's own sign


def main() -> int:
    """Run a command; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show a character gets its escape.
            stream.reconfigure(errors="backslashreplace")
    try:
        code = pithead.main(prog_name="pithead", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _EXIT_INTERRUPTED
    except Exception as error:  # noqa: BLE001  # no traceback reaches the terminal
        message = _expected(error)
        click.echo(f"pithead: {message or _bug(error)}", err=True)
        return _EXIT_ERROR if message else _EXIT_BUG
    return code if isinstance(code, int) else 0


def _expected(error: Exception) -> str | None:
    """Return the message of an error that its user can fix; None for a bug."""
    if isinstance(error, ConsoleError):
        return str(error)
    if isinstance(error, ClientError):
        answer = error.response["Error"]
        return f"AWS refused {error.operation_name}: {answer['Code']}: {answer['Message']}"
    if isinstance(error, BotoCoreError):
        return f"AWS cannot be asked: {error}"
    return None


def _bug(error: Exception) -> str:
    found = f"unexpected error: {type(error).__name__}; this is a bug in Pithead"
    try:
        log = crash_log.write(error)
    except OSError as unwritable:
        return (
            f"{found}, and its log could not be written ({unwritable}). Next: set TMPDIR to a "
            "writable folder and run the command again"
        )
    return f"{found}. Next: open an issue and attach {log} (command, versions, traceback)"


if __name__ == "__main__":
    sys.exit(main())
