"""The figures of the layout, on a made-up package."""

from pathlib import Path

from benchmarks.layout import longest_chain, measure, strongly_connected


def test_cycles_and_the_longest_chain_are_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set(), "e": {"d"}}
    groups = strongly_connected(graph)
    assert sorted(groups) == [["a"], ["b", "c"], ["d"], ["e"]]
    assert longest_chain(graph, groups) == [["a"], ["b", "c"], ["d"]]


def test_a_package_is_measured_with_imports_under_type_checking(tmp_path: Path) -> None:
    files = {
        "p/__init__.py": "",
        "p/low/__init__.py": "",
        "p/low/one.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from p.high.two import f\n",
        "p/high/__init__.py": "",
        "p/high/two.py": "import p.low.one\n\n\ndef f():\n    return p.low.one\n",
        "p/top.py": "def run():\n    from p.high import two\n    return two\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    layout = measure(tmp_path, "p")
    assert (layout.files, layout.longest_file, layout.longest_function) == (
        3,
        ("p/high/two.py", 5),
        ("p/top.py:run", 3),
    )
    assert layout.cycles == [["p.high.two", "p.low.one"]] and layout.folder_cycles == [["p.high", "p.low"]]
    assert len(layout.chain) == 2
