"""Where `charrnn` and `python -m charrnn` start."""

import signal

# Until signals are answered, Ctrl-C ends the process as the others do: see charrnn.stopping.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from charrnn.cli import main

if __name__ == "__main__":
    main()
