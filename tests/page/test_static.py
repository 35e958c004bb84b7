"""The page's scripts as modules: their addresses, headers and access."""

import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from page import static
from retrieval.server.api import create_app
from retrieval.server.auth import Access


def client(folder: Path, access: Access | None = None) -> TestClient:
    app = create_app(folder, folder, access)
    app.include_router(static.routes())
    return TestClient(app)


@pytest.mark.parametrize("name", sorted(static.MODULES))
def test_a_module_is_javascript_that_a_browser_may_cache(tmp_path: Path, name: str) -> None:
    answer = client(tmp_path).get(static.address(name))
    assert answer.content == static.MODULES[name]
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert client(tmp_path).head(static.address(name)).status_code == 200


def test_modules_import_only_modules_that_ship() -> None:
    assert "main.js" in static.MODULES
    for content in static.MODULES.values():
        imports = [line for line in content.decode().splitlines() if line.startswith("import ")]
        assert {line.rsplit('"./', 1)[1].removesuffix('";') for line in imports} <= set(static.MODULES)


@pytest.mark.parametrize(
    "path", ["0/main.js", "{version}/page.css", "{version}/..%2fpage.css", "{version}/../page.css"]
)
def test_nothing_but_the_current_modules_is_served(tmp_path: Path, path: str) -> None:
    assert client(tmp_path).get(f"/page/modules/{path.format(version=static.VERSION)}").status_code == 404


def test_modules_need_the_token_of_the_page(tmp_path: Path) -> None:
    guarded = client(tmp_path, Access(token="s3cret"))
    assert guarded.get(static.address("main.js")).status_code == 401
    allowed = guarded.get(static.address("main.js"), headers={"Authorization": "Bearer s3cret"})
    assert allowed.status_code == 200


def test_no_script_has_an_address_that_ignores_the_path_of_the_page() -> None:
    """The page may be below a path: /corpus/NAME/, or that of a proxy."""
    for name, script in static.MODULES.items():
        assert not re.search(r"""["'`]/(?:api|page|media|reports)/""", script.decode()), name
