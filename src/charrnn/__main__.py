"""Where `charrnn` and `python -m charrnn` start. Ctrl-C may come before all is imported."""

import sys

try:
    from charrnn.cli import main
except KeyboardInterrupt:
    sys.exit(130)

if __name__ == "__main__":
    main()
