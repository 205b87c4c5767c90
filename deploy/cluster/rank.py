"""One training process, as torchrun starts it: `spade train`, and a word to the node where another try is of no help.

torchrun starts all processes of a node again when one fails, whatever its exit status; the node keeps it from that.
"""

import os
import signal
from contextlib import suppress

from model_store.cli import main as spade
from spade.training.commands import EXIT_BAD_CONFIGURATION

NODE_PROCESS = "SPADE_TRAIN_NODE_PROCESS"
"""The variable with the id of the node's process."""
HOPELESS_SIGNAL = signal.SIGUSR1
"""What tells that process that a configuration or a dataset cannot be used."""


def main() -> None:
    """Entry point of `python -m deploy.cluster.rank`; its arguments are those of `spade`."""
    try:
        spade()
    except SystemExit as end:
        if end.code == EXIT_BAD_CONFIGURATION:
            with suppress(ProcessLookupError):
                os.kill(int(os.environ[NODE_PROCESS]), HOPELESS_SIGNAL)
        raise


if __name__ == "__main__":
    main()
