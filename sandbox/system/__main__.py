"""`make run`, which is `python -m sandbox.system [process …]`.

Not a manage.py command: the settings need the URLs that this start determines.
"""

import signal
import sys

from sandbox.system.launcher import DevelopmentSystem
from sandbox.system.processes import INTERRUPTIONS

exit_code = DevelopmentSystem(with_processes=sys.argv[1:] or None).run()
signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTIONS)  # all has been stopped: keep the exit code
sys.exit(exit_code)
