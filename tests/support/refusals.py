"""What a command prints when it refuses."""

from click.testing import Result

BAD_CONFIGURATION = 64


def refusal(result: Result, exit_code: int = BAD_CONFIGURATION) -> str:
    """The one line that it answers with."""
    assert result.exit_code == exit_code, result.output
    lines = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(lines) == 1, result.stderr
    assert "Traceback" not in result.output
    return lines[0].removeprefix("Error: ")
