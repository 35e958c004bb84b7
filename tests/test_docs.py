"""Every command in the README and docs/ is one that the program understands, down to its options."""

import re
import shlex
from pathlib import Path

import pytest
import typer

import app
import ingest.__main__
import retrieval.__main__

REPOSITORY = Path(__file__).resolve().parent.parent
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
PROGRAMS = {
    "python -m ingest": ingest.__main__.app,
    "python -m retrieval": retrieval.__main__.app,
    "python app.py": app.serve_alone,
    "tiktok-retrieval": app.cli,
}


def commands() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        for block in re.findall(r"```console\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            found += [(page.name, line) for line in block.splitlines() if line.strip() and not line.startswith("#")]
    return found


@pytest.mark.parametrize(("page", "line"), commands())
def test_a_documented_command_is_understood(page: str, line: str) -> None:
    if line.startswith("make "):
        targets = re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
        assert line.split()[1] in targets
        return
    if line.startswith("python benchmarks/"):
        assert (REPOSITORY / line.split()[1]).is_file()
        return
    program = next((name for name in PROGRAMS if line.startswith(name)), None)
    assert program, f"{page}: nobody knows how to check {line!r}"
    command = typer.main.get_command(PROGRAMS[program])
    arguments = shlex.split(line.removeprefix(program))
    with command.make_context(program, arguments[:]) as context:
        if hasattr(command, "resolve_command"):
            _, subcommand, rest = command.resolve_command(context, arguments)
            assert subcommand is not None
            with subcommand.make_context(arguments[0], rest, parent=context):
                pass


def test_a_misspelt_option_in_a_document_would_be_found() -> None:
    with pytest.raises(Exception, match="No such option"):
        test_a_documented_command_is_understood("x", "python -m retrieval build --indices x")
    with pytest.raises(Exception, match="No such command"):
        test_a_documented_command_is_understood("x", "python -m ingest imports x")


def test_every_subcommand_is_documented_and_helps_with_an_example() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    program = "tiktok-retrieval"
    for name, command in typer.main.get_command(app.cli).commands.items():  # type: ignore[attr-defined]
        spellings = [f"{program} {name}", f"python -m ingest {name}", f"python -m retrieval {name}", "python app.py"]
        assert any(spelling in text for spelling in spellings), f"{name} is nowhere documented"
        assert command.help and f"{program} {name}" in (command.epilog or ""), f"{name} has no example"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_links_to_is_there(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []
