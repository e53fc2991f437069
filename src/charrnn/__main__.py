"""Where `charrnn` and `python -m charrnn` start."""

import sys

try:
    from charrnn.cli import main
except KeyboardInterrupt:  # Ctrl-C may come before everything is imported
    sys.exit(130)

if __name__ == "__main__":
    main()
