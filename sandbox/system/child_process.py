"""Ending a child process: by a signal, and by SIGKILL after a time limit."""

import signal
import subprocess
from typing import Any


def end(
    process: "subprocess.Popen[Any] | None", *, how: signal.Signals = signal.SIGTERM, within_s: float = 15
) -> None:
    """End the process and wait for it. Does nothing if it has ended already or was never started."""
    if process is None or process.poll() is not None:
        return
    process.send_signal(how)
    try:
        process.wait(within_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
