from pathlib import Path

import pytest

from tests.command_line import run


@pytest.mark.parametrize(
    ("argument", "code", "message"),
    [
        ("", 2, "is empty"),
        ("https://example.com/a", 1, "https://example.com/a: is no link to a video of TikTok"),
        ("https://www.tiktok.com/@someone", 1, "@someone: is no link to a video of TikTok"),
        ("missing.mp4", 1, "missing.mp4 does not exist"),
        ("/dev/null", 1, "/dev/null is neither a file nor a folder"),
    ],
)
def test_what_cannot_be_added_is_said_and_the_exit_code_tells_it(
    tmp_path: Path, argument: str, code: int, message: str
) -> None:
    said = run("add", argument, "--data", tmp_path / "data", "--indexes", tmp_path / "indexes", "--no-fetch")
    assert said.returncode == code and message in said.stderr and "Traceback" not in said.stderr
