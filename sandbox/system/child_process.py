"""The end of a process that we started: it is asked to, and killed if it does not."""

import signal
import subprocess
from typing import Any


def end(
    process: "subprocess.Popen[Any] | None", *, how: signal.Signals = signal.SIGTERM, within_s: float = 15
) -> None:
    """Return when the process has ended. It may have done so before, or never have been started."""
    if process is None or process.poll() is not None:
        return
    process.send_signal(how)
    try:
        process.wait(within_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
