"""Texts of those who submit jobs move no terminal."""

import pytest

from deploy.options import printable


@pytest.mark.parametrize("text", ["\x1b[2J", "\x1b]0;pwned\x07", "\x9b1m", "a\u202eb", "\r", "\n"])
def test_what_a_terminal_would_obey_is_replaced(text: str) -> None:
    assert printable(text).isprintable()


def test_letters_of_all_scripts_stay() -> None:
    assert printable("见 ü [red] 🌄") == "见 ü [red] 🌄"
