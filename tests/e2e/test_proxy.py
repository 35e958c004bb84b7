"""The page behind nginx: below a path, under another name, with TLS as the documentation says, and without."""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import trustme
from playwright.sync_api import Browser, expect

from tests.command_line import ENTRY_POINT, REPOSITORY, environment
from tests.e2e.actions import QUESTION, ask, card, settled, visit
from tests.e2e.conftest import START_S, WAIT_MS, free_port
from tests.serving import served
from tests.tiny_corpus import BREAD

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
NAME = "clips.localhost"  # browsers look for it on this machine
DOCS = REPOSITORY / "docs" / "how-to" / "serve-on-your-network.md"
# This proxy sets no headers, and leaves the path.
PLAIN = "server {{ listen 127.0.0.1:{port}; location /videos {{ proxy_pass http://127.0.0.1:{behind}; }} }}"
CONFIG = """daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    {servers}
}}
"""


@dataclass(frozen=True)
class Proxied:
    """A server behind nginx: the address that people open, and that of nginx."""

    origin: str
    nginx: str

    def client(self) -> httpx.Client:
        host = self.origin.partition("://")[2]
        return httpx.Client(base_url=self.nginx, headers={"Host": host}, verify=False, timeout=60)


def documented(folder: Path, port: int, behind: int) -> str:
    """Return the configuration in the documentation with the ports, the name and the certificate of this test."""
    authority = trustme.CA()
    certificate = authority.issue_cert(NAME)
    certificate.private_key_pem.write_to_path(str(folder / "key"))
    for part in certificate.cert_chain_pems:
        part.write_to_path(str(folder / "certificate"), append=True)
    text = DOCS.read_text(encoding="utf-8").partition("```nginx\n")[2].partition("```")[0]
    for shown, here in (
        ("listen 443", f"listen 127.0.0.1:{port}"),
        ("server_name my.name", f"server_name {NAME}"),
        ("/etc/ssl/my.name.pem", f"{folder}/certificate"),
        ("/etc/ssl/my.name.key", f"{folder}/key"),
        ("127.0.0.1:7860", f"127.0.0.1:{behind}"),
    ):
        assert shown in text
        text = text.replace(shown, here)
    return text


@pytest.fixture(scope="module")
def proxies(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Proxied]]:
    """One server below /videos, and two proxies in front of it, with TLS and without."""
    if not NGINX:
        pytest.skip("nginx is not installed (Debian: apt install nginx-light)")
    folder, tls, plain = tmp_path_factory.mktemp("nginx"), free_port(), free_port()
    origins = [f"https://{NAME}:{tls}", f"http://{NAME}:{plain}"]
    corpus = ["--data", str(tiny), "--indexes", str(tiny / "indexes")]
    command = [*ENTRY_POINT, "serve", *corpus, "--root-path", "/videos", *(f"--origin={one}" for one in origins)]
    with served(command, environment(), REPOSITORY) as address:
        behind = httpx.URL(address).port
        assert behind
        httpx.get(f"{address}api/search?q=warm", timeout=START_S).raise_for_status()  # the encoder is loaded then
        servers = documented(folder, tls, behind) + PLAIN.format(port=plain, behind=behind)
        (folder / "nginx.conf").write_text(CONFIG.format(folder=folder, servers=servers))
        nginx = subprocess.Popen([NGINX, "-c", folder / "nginx.conf", "-e", folder / "error.log", "-p", folder])
        try:
            yield {
                "with TLS": Proxied(origins[0], f"https://127.0.0.1:{tls}"),
                "without TLS": Proxied(origins[1], f"http://127.0.0.1:{plain}"),
            }
        finally:
            nginx.terminate()
            nginx.wait(30)


@pytest.fixture(params=["with TLS", "without TLS"])
def proxied(request: pytest.FixtureRequest, proxies: dict[str, Proxied]) -> Proxied:
    return proxies[request.param]


def test_a_person_searches_opens_and_judges_through_the_proxy(browser: Browser, proxied: Proxied) -> None:
    asked: list[str] = []
    failed: list[str] = []
    home = f"{proxied.origin}/videos/"
    with browser.new_context(ignore_https_errors=True) as context:
        context.set_default_timeout(WAIT_MS)
        expect.set_options(timeout=WAIT_MS)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("response", lambda one: failed.append(f"{one.status} {one.url}") if one.status >= 400 else None)
        visit(page, home.rstrip("/"))
        expect(page).to_have_url(home)
        ask(page, QUESTION)
        found = card(page, BREAD)
        expect(found).to_be_visible()
        assert found.locator("img").evaluate("picture => picture.decode().then(() => picture.naturalWidth)") > 0
        found.get_by_role("button", name="This is the one").click()
        expect(found.locator(".one[aria-pressed=true]")).to_be_visible()
        found.get_by_role("button", name="This is the one").click()
        expect(found.locator(".one[aria-pressed=false]")).to_be_visible()
        found.locator(".cover").click()
        expect(page.locator("#view video")).to_have_count(1)
        page.keyboard.press("Escape")
        for tab in ("Library", "Evaluate"):
            page.get_by_role("link", name=tab, exact=True).click()
            expect(page.locator(f"#tab-{tab.lower()}")).to_be_visible()
        settled(page)
        assert not failed and [url for url in asked if not url.startswith((home, home.rstrip("/"), "blob:"))] == []
        page.goto(f"{home}no-such-page")
        page.get_by_role("link", name="Search for a video").click()
        expect(page).to_have_url(home)


def test_redirects_stay_below_the_path_and_under_the_name(proxied: Proxied) -> None:
    with proxied.client() as client:
        for path in ("/videos", "/videos/docs"):
            answer = client.get(path)
            assert answer.is_redirect
            leads = httpx.URL(f"{proxied.origin}{path}").join(answer.headers["Location"])
            assert str(leads) == f"{proxied.origin}{path}/"


def test_a_large_file_is_uploaded_through_the_documented_proxy(proxies: dict[str, Proxied]) -> None:
    with proxies["with TLS"].client() as client:
        uploads = "/videos/page/uploads"
        number = client.post(uploads).json()["id"]
        file = b"[%s]" % (b" " * 3_000_000)
        answer = client.put(f"{uploads}/{number}/file", params={"name": "videos.json"}, content=file)
        assert answer.status_code == 201, answer.text
        assert client.delete(f"{uploads}/{number}").status_code == 204


def test_other_names_and_pages_of_other_sites_are_refused(proxies: dict[str, Proxied]) -> None:
    proxied = proxies["with TLS"]
    with proxied.client() as client:
        address = "/videos/api/judgements/999"
        for origin, status in ((proxied.origin, 404), ("https://evil.example", 403)):
            assert client.delete(address, headers={"Origin": origin}).status_code == status
        assert client.get("/videos/", headers={"Host": "evil.example"}).status_code == 421
