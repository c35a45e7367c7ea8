"""The commands by their names, and what happens when one fails.

Every failure that a user can mend is one line on standard error and the exit
status 2.  The status is 130 after Ctrl-C, as shells have it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

import click

NAME = "nlp-course"
# a command stands in the module of its name; PyTorch takes a while to load,
# so a module is loaded when its command is called
COMMANDS = {
    "train": "Train a model on a text.",
    "resume": "Go on with a run that was interrupted.",
    "sample": "Write text with a model that was trained.",
    "evaluate": "Measure a model on a text it has not seen.",
}


class Commands(click.Group):
    """The commands of the table above."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        del ctx
        return list(COMMANDS)

    def get_command(
        self, ctx: click.Context, cmd_name: str
    ) -> click.Command | None:
        """The command of a name; None if there is none."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"nlp_course.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Describe them without loading them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=Commands,
    no_args_is_help=False,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "--traceback",
    is_flag=True,
    help="After an error, show where in the program it happened.",
)
@click.pass_context
def program(ctx: click.Context, traceback: bool) -> None:
    """Language models on a text of your own, from RNNs to GPT."""
    ctx.obj = {"traceback": traceback}
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        program.main(given, prog_name=NAME, standalone_mode=False)
    except click.ClickException as error:
        return _refuse(error.format_message())
    except (KeyboardInterrupt, click.Abort):
        click.echo(
            f"{NAME}: interrupted; a run goes on from its last checkpoint "
            f"with: {NAME} resume RUN_FOLDER",
            err=True,
        )
        return 130
    except (ValueError, OSError, ImportError) as error:
        if given[:1] == ["--traceback"]:
            raise
        return _refuse(_words(error))
    return 0


def _words(error: Exception) -> str:
    """What an error says, without its number."""
    if isinstance(error, OSError) and error.strerror:
        place = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{place}"
    return str(error)


def _refuse(message: str) -> int:
    line = " ".join(message.split())
    click.echo(f"{NAME}: error: {line}", err=True)
    return 2
