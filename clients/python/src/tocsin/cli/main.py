"""The arguments, and what each command is called with."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any, Optional

from tocsin import PRIORITIES, TocsinError, __version__
from tocsin.cli import doctor, publish, status, watch
from tocsin.options import DEFAULT_JOURNAL

EXIT_USAGE = 2
Commands = Any  # argparse has no public name for it


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run one command; return its exit status: 0 as asked, 1 not so, 2 for what cannot be understood."""
    options = _parser().parse_args(argv)
    try:
        result: int = options.run(options)
    except (TocsinError, ValueError, ImportError) as error:
        print(f"tocsin: {error}", file=sys.stderr)
        return EXIT_USAGE if isinstance(error, ValueError) else 1
    except KeyboardInterrupt:
        return 130
    return result


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tocsin", description="Publish events to Tocsin, and follow them.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _publish(_command(commands, "publish", "publish one event, and wait for its end", publish.run))
    _watch(_command(commands, "watch", "follow an event, or all of the journal", watch.run))
    _command(commands, "status", "what waits in the journal, and why", status.run)
    _command(commands, "doctor", "find out why events do not go out", doctor.run)
    return parser


def _command(commands: Commands, name: str, text: str, run: object) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=text.capitalize() + "."
    )
    parser.add_argument("--url", default="", help="http://…, https://… or redis://… (TOCSIN_URL)")
    parser.add_argument("--key", default="", help="a key of your source (better: TOCSIN_KEY)")
    parser.add_argument("--source", default="", help="your source, over Redis (TOCSIN_SOURCE)")
    parser.add_argument("--journal", default=DEFAULT_JOURNAL, help="the journal's file (TOCSIN_JOURNAL)")
    parser.set_defaults(run=run)
    return parser


def _publish(parser: argparse.ArgumentParser) -> None:
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--user", default="", help="the person, by your id")
    who.add_argument("--topic", default="", help="or all followers of a topic")
    parser.add_argument(
        "--type", required=True, help="ORDER_FILLED, or a name of your own: release.published"
    )
    parser.add_argument("--payload", default="{}", help="a JSON object; - reads it from the standard input")
    parser.add_argument("--title", default="", help="your own words")
    parser.add_argument("--body", default="", help="and the text below them")
    parser.add_argument("--id", default="", help="the event's id; without it a new one")
    parser.add_argument("--priority", default="NORMAL", choices=PRIORITIES, type=str.upper)
    parser.add_argument("--channel", action="append", default=[], help="in their order, such as EMAIL")
    parser.add_argument("--wait", type=float, default=15.0, help="seconds for the final ack (15)")


def _watch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "event_ids", nargs="*", metavar="EVENT_ID", help="without one: all events as they end"
    )
    parser.add_argument("--timeout", type=float, default=0.0, help="stop after so many seconds")
