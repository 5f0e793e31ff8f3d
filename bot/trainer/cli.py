"""The desk for those who live in a terminal: `python -m bot.trainer.cli COMMAND`; each command is a part's own."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from bot.trainer.client import DeskClient, DeskRefused
from bot.trainer.commands import add_commands as add_word_commands
from bot.trainer.models.commands import add_commands as add_model_commands
from bot.trainer.signin import KeysError
from chargeline.settings import Settings, SettingsError

Run = Callable[[DeskClient, argparse.Namespace], int]
# Adds a part's commands; each sets `run` to what it does, which returns the exit code.
AddCommands = Callable[["argparse._SubParsersAction[argparse.ArgumentParser]"], None]
COMMANDS: list[AddCommands] = [add_word_commands, add_model_commands]


def main(arguments: Sequence[str] | None = None) -> int:
    anywhere = argparse.ArgumentParser(add_help=False)
    anywhere.add_argument(
        "--as", dest="trainer", metavar="NAME", help="which trainer of DESK_KEYS acts; else the first"
    )
    who, rest = anywhere.parse_known_args(arguments)  # also behind the command, where make puts ARGS
    parser = argparse.ArgumentParser(prog="python -m bot.trainer.cli", description=__doc__, parents=[anywhere])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in COMMANDS:
        add(commands)
    options = parser.parse_args(rest)
    run: Run = options.run
    try:
        return run(DeskClient(Settings.load(), who.trainer), options)
    except (SettingsError, KeysError, DeskRefused) as error:
        print(f"desk: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
