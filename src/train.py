"""Trains one run, or with -m a sweep: `python src/train.py --help` tells all."""

from charrnn.cli import train

if __name__ == "__main__":
    train()
