"""`collector …`: one small module for each command group, imported when it is asked for.

Exit codes: 0 done, 1 it failed, 2 the call or the settings are wrong. Answers go to standard output, everything else to standard error.
"""

from importlib import import_module
from typing import Any

import click

from collector import __version__
from collector.errors import CollectorError, InvalidField, SettingsError

NAMES = tuple(
    "serve demo sandbox doctor business channel credential dataset destination key keys deliveries replay".split()
)


class Failed(click.ClickException):
    """The command was understood, and did not succeed."""


class Misused(click.ClickException):
    """What was typed, or set, cannot be used."""

    exit_code = 2


class Commands(click.Group):
    """Imports a command's module when the command is used; says errors of this package plainly."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Commands in the order in which they are met."""
        return list(NAMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command `x` is `x_command` of the module `x`."""
        if cmd_name not in NAMES:
            return None
        command: click.Command = getattr(import_module(f"collector.commands.{cmd_name}"), f"{cmd_name}_command")
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run, and turn the package's own errors into exit codes."""
        try:
            return super().invoke(ctx)
        except SettingsError as error:
            raise Misused(
                "the settings cannot be used\n" + "\n".join(f"  {problem}" for problem in error.problems)
            ) from None
        except InvalidField as error:
            raise Misused(str(error)) from None
        except CollectorError as error:
            raise Failed(str(error)) from None


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Settings come from the environment (COLLECTOR_…); business data is set by the commands above.",
)
@click.version_option(__version__, prog_name="collector", message="%(prog)s %(version)s")
def main() -> None:
    """Tell ad platforms which WhatsApp campaigns sell.

    \b
    collector demo                  see it work, with nothing configured
    collector business create …     set up a shop
    collector doctor …              say what is wrong with it
    collector serve                 run
    """
