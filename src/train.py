"""Trains one run, or with -m a sweep; see `python src/train.py --help`."""

import sys

try:
    from charrnn.cli import train
except KeyboardInterrupt:
    sys.exit(130)

if __name__ == "__main__":
    train()
