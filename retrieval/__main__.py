"""python -m retrieval: the commands that index, search and evaluate. They are also commands of `tiktok-retrieval`."""

import typer

from ingest.commands.group import add, make_app, start
from retrieval.commands import add as add_videos
from retrieval.commands import (
    backup,
    build,
    check,
    compare,
    evaluate,
    export,
    generations,
    plan,
    promote,
    prune,
    remove,
    restore,
    rollback,
    search,
    tune,
)

FILL, SEARCH, KEEP, EVALUATE = "Fill the catalog", "Index and search", "Keep", "Evaluate and tune"


def add_filling_commands(app: typer.Typer) -> None:
    """Add the commands that take a person from files to answers. They come first in the help."""
    add(app, add_videos.add, "add", examples=add_videos.EXAMPLES, panel=FILL, resumes=True)
    add(app, remove.remove, "remove", examples=remove.EXAMPLES, panel=FILL)


def add_commands(app: typer.Typer) -> None:
    """Add the commands of this package to an app."""
    add(app, build.build, "build", examples=build.EXAMPLES, panel=SEARCH, resumes=True)
    add(app, search.search, "search", examples=search.EXAMPLES, panel=SEARCH)
    add(app, generations.generations, "generations", examples=generations.EXAMPLES, panel=SEARCH)
    add(app, rollback.rollback, "rollback", examples=rollback.EXAMPLES, panel=SEARCH)
    add(app, prune.prune, "prune", examples=prune.EXAMPLES, panel=SEARCH)
    add(app, plan.plan, "plan", examples=plan.EXAMPLES, panel=KEEP)
    add(app, export.export, "export", examples=export.EXAMPLES, panel=KEEP)
    add(app, check.check, "check", examples=check.EXAMPLES, panel=KEEP)
    add(app, backup.backup, "backup", examples=backup.EXAMPLES, panel=KEEP)
    add(app, restore.restore, "restore", examples=restore.EXAMPLES, panel=KEEP)
    add(app, evaluate.evaluate, "evaluate", examples=evaluate.EXAMPLES, panel=EVALUATE, resumes=True)
    add(app, compare.compare, "compare", examples=compare.EXAMPLES, panel=EVALUATE, resumes=True)
    add(app, tune.tune, "tune", examples=tune.EXAMPLES, panel=EVALUATE)
    add(app, promote.promote, "promote", examples=promote.EXAMPLES, panel=EVALUATE, resumes=True)


app = make_app(
    "Build indexes of a catalog, search them, measure them.",
    ("build --data data --indexes indexes", 'search "dog that answers the phone"', "generations"),
)
add_filling_commands(app)
add_commands(app)

if __name__ == "__main__":
    start(app, "python -m retrieval")
