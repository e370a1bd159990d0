"""`make run`, which is `python -m sandbox.system [process …]`.

Not a manage.py command: the settings need the URLs that this start determines.
"""

import sys

from sandbox.system.launcher import DevelopmentSystem

sys.exit(DevelopmentSystem(with_processes=sys.argv[1:] or None).run())
