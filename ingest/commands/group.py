"""Commands -> a command line: one Typer app with grouped help, examples and handled errors."""

import _thread
import contextlib
import re
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from ingest.commands.errors import flush, known_errors
from ingest.commands.output import print_any_text
from ingest.settings import choose_corpus, platform_folder

PROGRAM = "tiktok-retrieval"

EXIT_CODES = """\b
Exit codes:
  0    all done
  1    some or all items could not be processed, or an error
  2    wrong usage, or a bad environment variable
  3    another process holds the lock
  130  interrupted
  141  the reader of the output closed the pipe, as in `status | head`
"""

AGAIN_S = 0.01  # after a Ctrl-C that was dropped
_RANGE = re.compile(r"(-?\d+)?(?:<=)?x(<=|>=)(-?\d+)")  # "0<=x<=100", "x>=1": typer's words for limits


class _Readable:
    """Help without Python's types: `SOURCE...` instead of `SOURCE <list[Path]>`, "at least 1" instead of "x>=1"."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        pieces: list[str] = super().collect_usage_pieces(ctx)  # type: ignore[misc]
        return [re.sub(r"^\{(.*)\}", r"\1", piece) for piece in pieces]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        rows: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for param in self.get_params(ctx):  # type: ignore[attr-defined]
            if record := param.get_help_record(ctx):
                name, text = record
                argument = param.param_type_name == "argument"
                name = (
                    f"{param.metavar or param.name}{'...' if param.nargs == -1 else ''}"
                    if argument
                    else re.sub("[<>]", "", name)
                )
                text = re.sub(r"\[default: \((.*?)\)(?=[\];])", r"[default: \1", text)
                rows["Arguments" if argument else "Options"].append((name, _RANGE.sub(_limits, text)))
        for title, records in rows.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


class Command(_Readable, TyperCommand):
    """A command whose known errors end in one line."""

    resumes = False  # whether an interrupted command can be run again without repeating what is finished

    def make_context(self, *args: Any, **options: Any) -> Any:
        with known_errors():  # -h prints the help here
            return super().make_context(*args, **options)

    def invoke(self, ctx: Any) -> Any:
        with known_errors(resumes=self.resumes):
            return super().invoke(ctx)


class ResumableCommand(Command):
    """A command that keeps what is finished when it is interrupted."""

    resumes = True


class Group(_Readable, TyperGroup):
    """A group whose help lists the commands by panel, in plain text."""

    def make_context(self, *args: Any, **options: Any) -> Any:
        with known_errors():
            return super().make_context(*args, **options)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        super().format_options(ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        shown = [(name, self.commands[name]) for name in self.list_commands(ctx) if not self.commands[name].hidden]
        width = formatter.width - 6 - max(len(name) for name, _ in shown)
        panels: dict[str, list[tuple[str, str]]] = {}
        for name, command in shown:
            panel = getattr(command, "rich_help_panel", None)
            panels.setdefault(panel if isinstance(panel, str) else "Commands", []).append(
                (name, command.get_short_help_str(width))
            )
        for panel, rows in panels.items():
            with formatter.section(panel):
                formatter.write_dl(rows)


def make_app(help_text: str, examples: Sequence[str], *, completion: bool = False) -> typer.Typer:
    """Return an app without commands yet."""
    app = typer.Typer(
        cls=Group,
        help=help_text,
        epilog=f"{example_lines(examples)}\n\n{_folders()}\n\n{EXIT_CODES}",
        no_args_is_help=True,
        add_completion=completion,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def main(
        version: Annotated[
            bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_version)
        ] = False,
        corpus: Annotated[
            str | None,
            typer.Option(
                help="Use the folders of this corpus, one of TIKTOK_RETRIEVAL_CORPORA. It stands before the command.",
                metavar="NAME",
            ),
        ] = None,
    ) -> None:
        if corpus is not None:
            choose_corpus(corpus)

    return app


def add(
    app: typer.Typer,
    function: Callable[..., None],
    name: str,
    *,
    examples: Sequence[str],
    panel: str = "Commands",
    resumes: bool = False,
) -> None:
    """Add a command to an app. Its help is the docstring of `function`, followed by the examples."""
    app.command(
        name,
        cls=ResumableCommand if resumes else Command,
        epilog=example_lines(examples),
        rich_help_panel=panel,
        context_settings={"help_option_names": ["-h", "--help"]},
    )(function)


def make_command(function: Callable[..., None], *, examples: Sequence[str]) -> typer.Typer:
    """Return an app that is one command, without subcommands."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    add(app, function, function.__name__, examples=examples)
    return app


def start(app: typer.Typer, program: str) -> None:
    """Run a command line and exit. `program` is how the user called it."""
    print_any_text()
    sys.unraisablehook = heed_ctrl_c
    try:
        with known_errors():
            try:
                app(prog_name=program)
            finally:
                flush()
    except typer.Exit as end:
        sys.exit(end.exit_code)


def heed_ctrl_c(dropped: "sys.UnraisableHookArgs") -> None:
    """Stop the main thread if it was in a destructor when Ctrl-C was pressed: Python cannot raise an error there."""
    if issubclass(dropped.exc_type, KeyboardInterrupt):
        threading.Timer(AGAIN_S, _interrupt).start()  # not yet: it would be dropped here as well
    else:
        sys.__unraisablehook__(dropped)


def _interrupt() -> None:
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)  # wakes it if it waits
    else:
        _thread.interrupt_main()


def example_lines(examples: Sequence[str]) -> str:
    return "\b\nExamples:\n" + "\n".join(f"  {PROGRAM} {line}" for line in examples)


def _folders() -> str:
    folder = platform_folder()
    with contextlib.suppress(ValueError, RuntimeError):
        folder = Path("~") / folder.relative_to(Path.home())
    return (
        "\b\nDefault folders (`status` shows those in use):\n"
        "  ./data and ./indexes if there is a folder ./data, otherwise the user data folder:\n"
        f"  {folder / 'data'} and {folder / 'indexes'}\n"
        "  With --data alone, the indexes are in ./indexes."
    )


def _limits(found: re.Match[str]) -> str:
    least, sign, other = found.groups()
    if least:
        return f"{least} to {other}"
    return f"at {'most' if sign == '<=' else 'least'} {other}"


def _version(wanted: bool) -> None:
    if wanted:
        try:
            print(f"{PROGRAM} {version(PROGRAM)}")
        except PackageNotFoundError:  # run from a source tree that is not installed
            print(f"{PROGRAM} (not installed)")
        raise typer.Exit
