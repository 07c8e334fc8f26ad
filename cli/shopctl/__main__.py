"""Lets `python -m shopctl` be the same as `shopctl`."""

import sys

from shopctl import main

if __name__ == "__main__":
    sys.exit(main())
