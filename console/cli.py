"""`pithead`: the entry point, and what becomes of every error.

Exit codes: 0 done, 1 an error, 2 usage, 130 interrupted; `release` adds 3 (rolled back), and it
and `gates` 4 (refused by a gate).
"""

from __future__ import annotations

import importlib
import io
import platform
import sys
import tempfile
import traceback

import click
from botocore.exceptions import BotoCoreError, ClientError

from console.errors import ConsoleError

COMMANDS = (
    "up", "down", "env", "remote", "release", "status", "logs", "check", "preflight", "gates",
    "override", "rollback", "access", "judge", "rehearse",
)  # fmt: skip
"""Each is a module of `console.commands` with a command of its name, imported when asked for."""
_INTERRUPTED = 130


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
    """Release the service by its pipeline, on AWS or on this machine.

    \b
    To learn it, in a checkout:
      pithead up --detach --speed 60   a local cloud with the pipeline in it
      pithead release                  HEAD to production, followed live
      pithead status                   what serves where
      pithead down                     stop; nothing is forgotten
      pithead rehearse                 all of it once, from nothing, in some minutes

    A command speaks to whatever AWS_ENDPOINT_URL names; else to this checkout's local cloud,
    if it runs; else to AWS, with the credentials that the environment has.
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
        return _INTERRUPTED
    except Exception as error:  # noqa: BLE001  # whatever it was, it becomes a sentence
        click.echo(f"pithead: {_sentence(error)}", err=True)
        return 1
    return code if isinstance(code, int) else 0


def _sentence(error: Exception) -> str:
    if isinstance(error, ConsoleError):
        return str(error)
    if isinstance(error, ClientError):
        told = error.response["Error"]
        return f"AWS refused {error.operation_name}: {told['Code']}: {told['Message']}"
    if isinstance(error, BotoCoreError):
        return f"AWS cannot be asked: {error}"
    return f"this is a bug ({type(error).__name__}); attach {_log()} to its report"


def _log() -> str:
    """Write the traceback being handled where it can be attached from."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="pithead-", suffix=".log", delete=False, encoding="utf-8"
    ) as log:
        log.write(f"pithead {' '.join(sys.argv[1:])}\n")
        log.write(f"Python {platform.python_version()} on {platform.platform()}\n\n")
        traceback.print_exc(file=log)
        return log.name


if __name__ == "__main__":
    sys.exit(main())
