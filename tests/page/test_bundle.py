"""The page's script and style: how modules are put together, their addresses, headers and access."""

import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from page import bundle
from retrieval.server.api import create_app
from retrieval.server.auth import Access


def client(folder: Path, access: Access | None = None) -> TestClient:
    app = create_app(folder, folder, access)
    app.include_router(bundle.routes())
    return TestClient(app)


@pytest.mark.parametrize(
    ("name", "kind"), [("page.js", "text/javascript"), ("page.css", "text/css"), ("mark.svg", "image/svg+xml")]
)
def test_a_browser_may_keep_script_style_and_mark(tmp_path: Path, name: str, kind: str) -> None:
    answer = client(tmp_path).get(bundle.address(name))
    assert answer.headers["content-type"].startswith(kind)
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert client(tmp_path).head(bundle.address(name)).status_code == 200


def test_a_module_runs_after_what_it_imports_and_once() -> None:
    sources = {
        "main.js": 'import { a } from "./a.js";\nimport { b, log } from "./b.js";\nlog(a() + b);\n',
        "a.js": 'import { b } from "./b.js";\nexport function a() {\n  return b;\n}\n',
        "b.js": "export const b = 1;\nexport const log = (text) => text;\nconst hidden = 2;\n",
    }
    script = bundle.script(sources)
    assert [script.index(f"const m_{name} =") for name in "ba"] == sorted(script.index(f"const m_{n} =") for n in "ab")
    assert script.count("export") == script.count("import") == 0
    assert "return { b, log };" in script and script.count("// b.js") == 1


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"main.js": 'import { x } from "./none.js";\n'}, "none.js, which does not exist"),
        (
            {"main.js": 'import { a } from "./a.js";\n', "a.js": 'import { m } from "./main.js";\n'},
            "main.js imports a.js",
        ),
        ({"main.js": "export default 1;\n"}, "not used here: export default"),
        ({"main.js": 'import * as x from "./a.js";\n'}, "not used here: import"),
    ],
)
def test_what_cannot_be_put_together_is_named(broken: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        bundle.script(broken)


def test_every_module_is_part_of_the_page() -> None:
    script = bundle.script(bundle.modules())
    assert [name for name in bundle.modules() if f"// {name}\n" not in script] == []


def test_every_style_sheet_is_part_of_the_page() -> None:
    folder = Path(bundle.__file__).parent / "assets" / "styles"
    assert {path.stem for path in folder.iterdir()} == set(bundle.STYLES)


@pytest.mark.parametrize("path", ["0/page.js", "{version}/main.js", "{version}/..%2fmark.svg", "{version}/../mark.svg"])
def test_nothing_but_the_current_files_is_served(tmp_path: Path, path: str) -> None:
    assert client(tmp_path).get(f"/page/assets/{path.format(version=bundle.VERSION)}").status_code == 404


def test_script_and_style_need_the_token_of_the_page(tmp_path: Path) -> None:
    guarded = client(tmp_path, Access(token="s3cret"))
    assert guarded.get(bundle.address("page.js")).status_code == 401
    allowed = guarded.get(bundle.address("page.js"), headers={"Authorization": "Bearer s3cret"})
    assert allowed.status_code == 200


def test_no_script_has_an_address_that_ignores_the_path_of_the_page() -> None:
    """The page may be below a path: /corpus/NAME/, or that of a proxy."""
    for name, script in bundle.modules().items():
        assert not re.search(r"""["'`]/(?:api|page|media|reports)/""", script), name
