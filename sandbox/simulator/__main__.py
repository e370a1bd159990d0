"""Run the provider simulator: `python -m sandbox.simulator --http-port 8090 --smtp-port 8025`."""

import argparse
import asyncio
import json
from pathlib import Path

from sandbox.simulator.server import Ports, serve


def main() -> None:
    options = _options()
    asyncio.run(
        serve(
            options.host,
            Ports(http=options.http_port, smtp=options.smtp_port),
            log_path=options.log,
            on_start=_announce,
        )
    )


def _announce(ports: Ports) -> None:
    started = {"event": "sandbox_started", "http_port": ports.http, "smtp_port": ports.smtp}
    print(json.dumps(started), flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox.simulator", description="Provider simulator.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--http-port", type=int, default=8090, help="0 picks a free port")
    parser.add_argument("--smtp-port", type=int, default=8025, help="0 picks a free port")
    parser.add_argument("--log", type=Path, metavar="PATH.jsonl", help="append every log entry to this file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
