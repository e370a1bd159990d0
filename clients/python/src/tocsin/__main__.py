"""`python -m tocsin`, the same as `tocsin`."""

import sys

from tocsin.cli import main

sys.exit(main())
