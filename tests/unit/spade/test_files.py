"""Files that are whole or not there."""

import errno
import os
from pathlib import Path

import pytest

from spade.files import written_whole


def test_a_full_disk_is_told_with_the_file_that_it_has_no_room_for(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    with pytest.raises(OSError, match=r"No space left on device: '.*picture.png'"), written_whole(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert list(tmp_path.iterdir()) == []
