"""How much a person sees without scrolling, list and grid, the header, marks, and the size of what can be pressed."""

from itertools import pairwise

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.actions import QUESTION, ask, card, settled, visit
from tests.e2e.conftest import EXAMPLES
from tests.tiny_corpus import BREAD, KETTLE

LAPTOP, PHONE, ZOOMED = (1440, 900), (390, 844), (720, 450)  # ZOOMED: a laptop at 200 %
WHOLE = (
    "[...document.querySelectorAll('article')].filter(one => one.getBoundingClientRect().bottom <= innerHeight).length"
)
ON_TOP = "document.querySelector('#top').getBoundingClientRect().height"
SMALL = """[...document.querySelectorAll('button, a, select, summary, input:not([type=checkbox], [type=radio])')]
  .filter(one => one.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true }))
  .filter(one => !one.matches('.skip, p a, li a, td a')) // links within text are as high as the text
  .map(one => [one.getBoundingClientRect(), one])
  .filter(([box]) => box.width && (box.height < 44 || box.width < 44))
  .map(([box, one]) => `${one.outerHTML.slice(0, 80)} ${box.width} x ${box.height}`)"""


def sized(page: Page, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})


@pytest.mark.parametrize(("size", "least"), [(LAPTOP, 5), (PHONE, 2), (ZOOMED, 1)])
def test_so_many_results_are_whole_without_scrolling(
    page: Page, server: str, size: tuple[int, int], least: int
) -> None:
    sized(page, size)
    visit(page, f"{server}/?q=loaf+hollow+drum")
    expect(page.locator("article").nth(5)).to_be_attached()
    settled(page)
    assert page.evaluate(WHOLE) >= least


def test_list_or_grid_is_chosen_and_remembered(page: Page, server: str) -> None:
    sized(page, LAPTOP)
    visit(page, f"{server}/?q=loaf+hollow+drum")
    page.get_by_role("button", name="Grid of covers").click()
    expect(page.locator("article").nth(5)).to_be_visible()
    tops = {round(one.bounding_box()["y"]) for one in page.locator("article").all()[:6]}  # type: ignore[index]
    assert len(tops) == 1, "six covers are next to each other"
    page.reload()
    expect(page.locator("#results.grid article").first).to_be_visible()
    page.locator("article").first.focus()
    page.keyboard.press("v")
    expect(page.locator("#results.grid")).to_have_count(0)
    page.reload()
    expect(page.locator("article .passage").first).to_be_visible()


@pytest.mark.parametrize("grid", [False, True])
def test_ranks_are_in_order_as_they_are_read(page: Page, server: str, grid: bool) -> None:
    sized(page, (1920, 1000))
    visit(page, f"{server}/?q=loaf+hollow+drum")
    if grid:
        page.get_by_role("button", name="Grid of covers").click()
    expect(page.locator("article").nth(5)).to_be_visible()
    at = page.locator("article").evaluate_all(
        "all => all.map(one => { const box = one.getBoundingClientRect();"
        " return [Math.round(box.top), Math.round(box.left), one.querySelector('.rank').textContent]; })"
    )
    assert [rank for _, _, rank in sorted(at)] == [str(number + 1) for number in range(len(at))]


def test_examples_are_there_before_the_first_question_and_the_header_shrinks_after_it(page: Page, server: str) -> None:
    sized(page, LAPTOP)
    visit(page, server)
    expect(page.get_by_role("button", name=EXAMPLES[0])).to_be_visible()
    expect(page.locator("#panel .order")).not_to_be_visible()  # nothing to filter yet
    before = page.evaluate(ON_TOP)
    ask(page, QUESTION)
    expect(page.locator("article").first).to_be_visible()
    expect(page.get_by_role("button", name=EXAMPLES[0])).not_to_be_visible()
    assert page.evaluate(ON_TOP) < 70 < before
    page.get_by_role("link", name="TikTok-Retrieval: start").click()
    expect(page.get_by_role("button", name=EXAMPLES[0])).to_be_visible()
    expect(page.locator("article")).to_have_count(0)


def test_earlier_questions_drop_down_from_the_box(page: Page, server: str) -> None:
    visit(page, server)
    for question in (QUESTION, "three trains"):
        ask(page, question)
        expect(page.locator("article").first).to_be_visible()
    box = page.get_by_label("What do you remember?")
    expect(page.locator("#asked").get_by_role("option")).to_have_count(0)
    box.fill("")
    expect(page.locator("#asked").get_by_role("option")).to_have_text(["three trains", QUESTION])
    box.press("ArrowDown")
    box.press("ArrowDown")
    expect(page.locator("#asked").get_by_role("option", selected=True)).to_have_text(QUESTION)
    assert box.get_attribute("aria-activedescendant") == page.locator("#asked").get_by_role(
        "option", selected=True
    ).get_attribute("id")
    box.press("Enter")
    expect(box).to_have_value(QUESTION)
    expect(card(page, BREAD)).to_be_visible()
    box.fill("tra")
    expect(page.locator("#asked").get_by_role("option")).to_have_text(["three trains"])
    box.press("Escape")
    expect(page.locator("#asked").get_by_role("option")).to_have_count(0)
    expect(box).to_have_value("tra")


def test_a_video_that_is_not_kept_here_has_a_small_mark(page: Page, server: str) -> None:
    visit(page, f"{server}/?q=kettle+song")
    expect(card(page, KETTLE)).to_be_visible()
    mark = card(page, KETTLE).locator(".away")
    cover, small = card(page, KETTLE).locator(".cover").bounding_box(), mark.bounding_box()
    assert cover and small
    assert small["width"] * small["height"] < 0.06 * cover["width"] * cover["height"]
    expect(card(page, KETTLE).get_by_role("button", name="not kept here")).to_be_visible()
    visit(page, f"{server}/?q=loaf+hollow+drum")
    expect(card(page, BREAD).locator(".cover")).to_be_visible()
    expect(card(page, BREAD).locator(".away")).to_have_count(0)


@pytest.mark.parametrize("where", ["", "?q=loaf+hollow+drum&in=likes", "?tab=Library", "?tab=Evaluate", "docs/"])
def test_what_a_finger_presses_is_44_pixels_large(browser: Browser, server: str, where: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(f"{server}/{where}")
    page.wait_for_load_state("networkidle")
    if "q=" in where:
        page.locator("article").first.wait_for()
    small, wide = page.evaluate(SMALL), page.evaluate("innerWidth")
    context.close()
    assert small == []
    assert wide == 390, "nothing makes the page wider than the phone"


@pytest.mark.parametrize("width", [320, 360, 720, 1024])
def test_the_parts_of_the_header_do_not_cover_each_other(page: Page, server: str, width: int) -> None:
    sized(page, (width, 700))
    visit(page, f"{server}/?q=loaf+hollow+drum")
    expect(page.locator("article").first).to_be_visible()
    parts = page.locator("#top :is(a, button:not(#pick), input):visible")  # that one is inside the box, as its cross is
    boxes = [one.bounding_box() for one in parts.all()]
    rows: dict[int, list[tuple[float, float]]] = {}
    for box in boxes:
        assert box
        rows.setdefault(round(box["y"] / 20), []).append((box["x"], box["x"] + box["width"]))
    for row in rows.values():
        row.sort()
        assert all(end <= start for (_, end), (start, _) in pairwise(row)), row
        assert row[-1][1] <= width
