"""Options with odd values: refused with exit code 2 by the command itself, before any run is read."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from mmeval.cli.main import cli
from mmeval.core.errors import UsageError


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
@pytest.mark.parametrize(
    "arguments",
    [
        ("compare", "a", "b", "--level"), ("diagnose", "a", "--threshold"), ("report", "a", "--margin"),
        ("report", "a", "--max-mb"), ("view", "a", "--max-mb"), ("judge", "agree", "a", "b", "--level"),
        ("run", "--timeout"), ("run", "--outage"), ("run", "--allow-errors"),
    ],
)  # fmt: skip
def test_numbers_that_are_none_are_refused(arguments: tuple[str, ...], value: str) -> None:
    result = CliRunner().invoke(cli, [*arguments, value])
    assert result.exit_code == 2
    assert f"Invalid value for '{arguments[-1]}'" in result.output


@pytest.mark.parametrize("arguments", [("compare", "a", "b", "--json", "--csv"), ("report", "a", "--json", "--csv")])
def test_one_form_at_a_time_goes_to_stdout(arguments: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="one form at a time goes to stdout"):
        CliRunner().invoke(cli, arguments, catch_exceptions=False)
