"""The serving of built pages, on a folder made by each test."""

from __future__ import annotations

import gzip
from pathlib import Path

import httpx
import pytest

from fullon_graphql.transports.pages import DESK_POLICY, GRAPHIQL_POLICY, Pages

HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pages as the build leaves them."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "desk.html").write_text("the desk")
    (tmp_path / "graphiql.html").write_text("GraphiQL")
    (tmp_path / "assets" / "desk-1a2b.js").write_text("let desk")
    (tmp_path / "assets" / "desk-1a2b.js.gz").write_bytes(gzip.compress(b"let desk"))
    (tmp_path / "assets" / "small.svg").write_text("<svg/>")
    return tmp_path


def client(folder: Path) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(Pages(folder)), base_url="http://desk.test")


async def test_desk_and_its_views_are_one_page_with_a_strict_policy(folder: Path) -> None:
    async with client(folder) as browser:
        pages = [await browser.get(path, headers=HTML) for path in ("/desk", "/desk/bots/7")]
    assert [page.text for page in pages] == ["the desk"] * 2
    assert {page.headers["content-security-policy"] for page in pages} == {DESK_POLICY}
    assert "unsafe" not in DESK_POLICY
    assert {page.headers["cache-control"] for page in pages} == {"no-cache"}


def test_graphiql_may_style_inline_but_not_script() -> None:
    directives = dict(part.strip().split(" ", 1) for part in GRAPHIQL_POLICY.split(";"))
    assert directives["script-src"] == "'self'"
    assert directives["worker-src"] == "'self'"
    assert directives["style-src"] == "'self' 'unsafe-inline'"


async def test_assets_are_packed_for_browsers_that_unpack(folder: Path) -> None:
    async with client(folder) as browser:
        packed = await browser.get("/assets/desk-1a2b.js", headers={"accept-encoding": "gzip, br"})
        plain = await browser.get("/assets/desk-1a2b.js", headers={"accept-encoding": "identity"})
        small = await browser.get("/assets/small.svg", headers={"accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.text == plain.text == "let desk"
    assert "content-encoding" not in plain.headers
    assert "immutable" in packed.headers["cache-control"]
    assert packed.headers["content-type"].startswith("text/javascript")
    assert small.text == "<svg/>"


@pytest.mark.parametrize(
    "path", ["/assets/", "/assets/none.js", "/assets/../desk.html", "/assets/%2e%2e/desk.html", "/assets/.hidden"]
)
async def test_other_paths_are_not_found(folder: Path, path: str) -> None:
    (folder / "assets" / ".hidden").write_text("hidden")
    sent: list[dict[str, object]] = []

    async def send(message: object) -> None:
        assert isinstance(message, dict)
        sent.append(message)

    async def receive() -> dict[str, object]:
        return {"type": "http.request"}

    scope = {"type": "http", "method": "GET", "path": path.replace("%2e", "."), "headers": [], "query_string": b""}
    await Pages(folder)(scope, receive, send)
    assert sent[0]["status"] == 404


async def test_pages_that_are_not_built_reload_themselves(tmp_path: Path) -> None:
    async with client(tmp_path) as browser:
        page = await browser.get("/desk", headers=HTML)
        assert (page.status_code, page.headers["retry-after"]) == (503, "2")
        assert '<meta http-equiv="refresh" content="2">' in page.text
        assert "<script" not in page.text
        (tmp_path / "desk.html").write_text("the desk")
        assert (await browser.get("/desk", headers=HTML)).text == "the desk"


async def test_pages_answer_get_and_head_alone(folder: Path) -> None:
    async with client(folder) as browser:
        assert (await browser.head("/desk")).headers["content-length"] == "8"
        refused = await browser.post("/desk")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
