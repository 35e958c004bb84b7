"""The documents: commands parse, commands, options and settings are documented, links resolve, the words are plain.

`UPDATE_DOCS=1 python -m pytest tests/test_docs.py` writes the list of commands into docs/reference/command-line.md.
"""

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import app
from ingest.settings import Settings

REPOSITORY = Path(__file__).resolve().parent.parent
DOCS = REPOSITORY / "docs"
PAGES = [*sorted(REPOSITORY.glob("*.md")), *sorted(REPOSITORY.glob("*/README.md")), *sorted(DOCS.glob("*/**/*.md"))]
PAGES = [*PAGES, DOCS / "figures.md", DOCS / "reliability.md"]
REFERENCE = DOCS / "reference" / "command-line.md"
SETTINGS = DOCS / "reference" / "settings.md"
PROGRAM = "tiktok-retrieval"
COMMON = ("--data", "--indexes", "--json", "--progress", "--quiet", "--help")  # documented once, for all commands
# words of the dialect that the project was once written in; the pages that explain old names may say "lane"
DIALECT = re.compile(
    r"catalogue|\bafresh\b|\banew\b|\btold (?:by|from) (?:its|the|content|what)\b|\b(?:is|are) to be\b|\bto be had\b"
    r"|\bbeside (?:a|an|each|its) \w*(?:record|file)|\bof its own\b|\bown network\b|\bright videos?\b|\bcosts? only\b",
    re.IGNORECASE,
)
LANE = re.compile(r"\blanes?\b", re.IGNORECASE)
EXPLAIN_OLD_NAMES = {"command-line.md", "CHANGELOG.md", "CONTRIBUTING.md", "fields.md", "api.md"}


def command_line() -> Any:
    return typer.main.get_command(app.cli)


def subcommands() -> dict[str, Any]:
    return {name: command for name, command in command_line().commands.items() if not command.hidden}


def shown_options(command: Any) -> list[Any]:
    return [param for param in command.params if param.param_type_name == "option" and not param.hidden]


def blocks(page: Path, language: str) -> Iterator[str]:
    text = page.read_text(encoding="utf-8")
    for block in re.findall(rf"^ *```{language}\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE):
        yield from (line.strip() for line in block.splitlines() if line.strip() and not line.strip().startswith("#"))


def documented_commands() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        name = page.relative_to(REPOSITORY).as_posix()
        found += [(name, line) for line in blocks(page, "console")]
        for line in blocks(page, "sh"):
            found += [(name, part.strip()) for part in re.findall(rf"{PROGRAM} [^;]+", line)]
    return found


def parse(line: str) -> None:
    """Parse a command line of the program with the program's own parser, without running it."""
    arguments = shlex.split(line)[1:]
    group = command_line()
    if arguments[0].startswith("-"):  # an option of the program; parsing --install-completion would install it
        assert arguments[0] in {name for param in group.params for name in param.opts}, "No such option"
        return
    with group.make_context(PROGRAM, arguments[:]) as context:
        _, command, rest = group.resolve_command(context, arguments)
        with command.make_context(arguments[0], rest, parent=context):
            pass


@pytest.mark.parametrize(("page", "line"), documented_commands())
def test_a_documented_command_is_understood(page: str, line: str) -> None:
    words = line.split()
    if words[0] == PROGRAM:
        parse(line)
    elif words[0] == "make":
        assert words[1] in re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    elif words[0] == "python":
        file = f"{words[2].replace('.', '/')}.py" if words[1] == "-m" else words[1]
        assert (REPOSITORY / file).is_file()
    elif line.startswith("pip install -c constraints.txt "):
        pinned = {pin.split("==")[0] for pin in (REPOSITORY / "constraints.txt").read_text().splitlines()}
        assert set(words[4:]) <= pinned
    else:
        assert line == ". .venv/bin/activate", f"{page}: no check for {line!r}"


def test_a_misspelt_option_in_a_document_would_be_found() -> None:
    with pytest.raises(Exception, match="No such option"):
        test_a_documented_command_is_understood("x", f"{PROGRAM} build --indices x")
    with pytest.raises(Exception, match="No such command"):
        test_a_documented_command_is_understood("x", f"{PROGRAM} imports x")
    with pytest.raises(Exception, match="No such option"):
        test_a_documented_command_is_understood("x", f"{PROGRAM} --versions")


def test_a_command_that_a_sentence_names_exists() -> None:
    for page in PAGES:
        for span in re.findall(rf"`{PROGRAM} ([a-z]+)[^`]*`", page.read_text(encoding="utf-8")):
            assert span in subcommands(), f"{page.name}: no command {span}"


def test_the_reference_lists_every_command_with_every_option() -> None:
    page = REFERENCE.read_text(encoding="utf-8")
    new = re.sub(r"(?s)(<!-- commands -->\n).*(<!-- /commands -->)", lambda m: f"{m[1]}{reference()}{m[2]}", page)
    if os.environ.get("UPDATE_DOCS"):
        REFERENCE.write_text(new, encoding="utf-8")
    assert page == new, "the list is out of date: UPDATE_DOCS=1 python -m pytest tests/test_docs.py"
    for name, command in subcommands().items():
        assert f"### {name}\n" in new
        for option in shown_options(command):
            assert all(f"`{spelling}`" in new for spelling in option.opts), f"{name} {option.opts}"


def test_every_command_has_help_and_an_example() -> None:
    for name, command in subcommands().items():
        assert command.help and f"{PROGRAM} {name}" in (command.epilog or ""), name


def test_every_setting_is_documented_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]*) \|", SETTINGS.read_text(encoding="utf-8"), re.MULTILINE))
    for name, field in Settings.model_fields.items():
        shown = rows[f"TIKTOK_RETRIEVAL_{name.upper()}"]
        if field.default in ("", None, ()):
            assert shown.startswith("empty") or field.default is None, name
        else:
            value = "+".join(field.default) if isinstance(field.default, tuple) else field.default
            assert shown == f"`{str(value).lower() if isinstance(value, bool) else value}`"


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_every_link_and_picture_of_a_page_resolves(page: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


def test_every_document_is_in_the_index() -> None:
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    linked = {(DOCS / target.partition("#")[0]).resolve() for target in re.findall(r"\]\(([^)\s]+)\)", index)}
    assert [page for page in DOCS.rglob("*.md") if page != DOCS / "README.md" and page not in linked] == []


def test_every_picture_is_shown_somewhere() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert [picture.name for picture in (DOCS / "images").iterdir() if picture.name not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_a_page_uses_plain_words(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    if page.name not in ("CHANGELOG.md", "CONTRIBUTING.md"):  # which list the words not to use
        assert [match[0] for match in DIALECT.finditer(text)] == []
    if page.name not in EXPLAIN_OLD_NAMES:
        assert LANE.findall(text) == []


def test_the_readme_fits_two_screens() -> None:
    assert len((REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()) <= 110


def reference() -> str:
    """The commands by topic, from the program's own help."""
    common: dict[str, Any] = {}
    topics: dict[str, list[str]] = {}
    for name, command in subcommands().items():
        options = shown_options(command)
        common |= {option.opts[0]: option for option in options if option.opts[0] in COMMON and option.help}
        topics.setdefault(command.rich_help_panel, []).append(section(name, command, options))
    rows = [option_row(common[name]) for name in COMMON if name in common]
    head = "## Common options\n\n| option | default | what it does |\n|---|---|---|\n" + "".join(rows)
    lists = "".join(f"\n## {topic}\n{''.join(sections)}" for topic, sections in topics.items())
    return f"\n{head}{lists}\n"


def section(name: str, command: Any, options: list[Any]) -> str:
    arguments = [param for param in command.params if param.param_type_name == "argument" and not param.hidden]
    shown = {arg.name: (arg.metavar or arg.name.upper()) + ("..." if arg.nargs == -1 else "") for arg in arguments}
    usage = " ".join(
        [PROGRAM, name, *(shown[arg.name] if arg.required else f"[{shown[arg.name]}]" for arg in arguments)]
    )
    rows = [table_row(f"`{cell(shown[arg.name])}`", default(arg), arg.help) for arg in arguments if arg.help]
    rows += [option_row(option) for option in options if option.opts[0] not in COMMON]
    table = "| argument or option | default | what it does |\n|---|---|---|\n" + "".join(rows) + "\n" if rows else ""
    also = [f"`{option.opts[0]}`" for option in options if option.opts[0] in COMMON]
    examples = re.findall(rf"{PROGRAM} {name}\b.*", command.epilog or "")
    help_text = "\n\n".join(" ".join(part.split()) for part in command.help.split("\n\n"))
    return (
        f"\n### {name}\n\n{help_text}\n\n```\n{usage} [OPTION]...\n```\n\n{table}"
        f"Also takes {', '.join(also)}.\n\n```console\n" + "\n".join(examples) + "\n```\n"
    )


def option_row(option: Any) -> str:
    spellings = ", ".join(f"`{spelling}`" for spelling in [*option.opts, *option.secondary_opts])
    _, _, value = option.get_help_record(typer.Context(command_line()))[0].partition(max(option.opts, key=len))
    value = value.strip(" <>")
    value = "" if option.is_flag or not value else f" `{cell(value)}`"
    return table_row(spellings + value, default(option), option.help)


def table_row(name: str, default_value: str, help_text: str) -> str:
    return f"| {name} | {default_value} | {cell(help_text)} |\n"


def default(param: Any) -> str:
    if isinstance(param.show_default, str):
        return cell(param.show_default)
    if param.default is None or param.default is False or param.required or callable(param.default):
        return ""
    if param.default == "":
        return ""
    return "yes" if param.default is True else f"`{param.default}`"


def cell(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")
