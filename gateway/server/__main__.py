"""`python -m gateway.server config.asgi:application`"""

import sys

from gateway.server.daphne import CommandLine

CommandLine().run(sys.argv[1:])
