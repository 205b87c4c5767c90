"""All checks of one file."""

import os

from spade.errors import ParityError, SpadeError
from spade.parity.evaluation import check_evaluation
from spade.parity.recording import read_recording
from spade.parity.report import ParityReport
from spade.parity.training import check_training


def verify_parity(path: str | os.PathLike[str]) -> ParityReport:
    """Recomputes everything that the file records, on the CPU in float32.

    Raises ParityError: where the file cannot be read, or an option or tensor that a check needs is missing.
    """
    file = os.fspath(path)
    recording = read_recording(file)
    try:
        networks = recording.networks()
        checks = [*check_evaluation(recording, networks), *check_training(recording, networks)]
    except KeyError as error:
        raise ParityError(f"{file}: {error.args[0]} is missing, in its options or its tensors") from error
    except SpadeError as error:
        raise ParityError(f"{file}: {error}") from error
    return ParityReport(file=file, checks=tuple(checks))
