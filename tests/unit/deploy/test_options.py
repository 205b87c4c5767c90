"""What commands print: tables that can be read, and copied from."""

import pytest

from deploy.options import print_table

ID = "key~hljrf3xgnsi7uws526hwjpv4riabcde"
DETAIL = "inputs/mine/broken.png: " + "the file is no image that is known here; " * 4


def test_a_table_that_goes_to_a_program_has_a_row_a_line_and_cuts_nothing_off(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_table(("job", "detail"), [(ID, DETAIL), ("j", "")])
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[1] == f"{ID}  {DETAIL.rstrip()}"
    assert lines[2:] == ["j"]


def test_in_a_narrow_terminal_names_stay_in_one_piece(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "60"}.items():
        monkeypatch.setenv(name, value)
    print_table(("job", "detail"), [(ID, DETAIL)])
    told = capsys.readouterr().out
    assert ID in told
    assert "\N{HORIZONTAL ELLIPSIS}" not in told
