"""`python -m kinestream`."""

import sys

from kinestream.cli import main

if __name__ == "__main__":
    sys.exit(main())
