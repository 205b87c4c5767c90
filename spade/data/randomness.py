"""Random numbers that depend on what they are for and on nothing else.

So a sample is the same whichever process cuts it and in whatever order, and a run that resumes draws what it would
have drawn.
"""

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """Keeps the streams of one seed apart."""

    ORDER = 1
    CUT = 2
    SCENE = 3


def random_for(purpose: Purpose, *numbers: int) -> np.random.Generator:
    """A generator that `purpose` and `numbers`, all 0 or more, settle."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([purpose, *numbers])))
