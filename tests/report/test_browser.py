"""The page in a real browser: Debian's Chromium, driven by Playwright."""

import shutil
from pathlib import Path

import pytest
from run_reports import full_report, write_run_folder

from spear_deploy.report.reading import read_run
from spear_deploy.report.write import PAGE, make_page, write_page, write_run

BROWSER = shutil.which("chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDTHS = {"phone": 390, "desktop": 1280}
FOCUSED = "[...document.querySelectorAll('a[href], summary, .plot')].indexOf(document.activeElement)"
MOST_TABS = 1000
"""More than once round the page, Plotly's own buttons included."""

pytestmark = [
    pytest.mark.skipif(BROWSER is None, reason="Chromium is missing: apt-get install chromium"),
    pytest.mark.xdist_group("browser"),
]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is missing: pip install playwright")
    with sync_api.sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("chromium"), executable_path=BROWSER, args=FLAGS
        )
        yield context
        context.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    write_run_folder(folder, full_report())
    write_run(folder)
    return folder / PAGE


def opened(browser, path, width):
    """The page, with what it asked for and what it complained about."""
    page, requests, complaints = browser.new_page(), [], []
    page.set_viewport_size({"width": width, "height": 844})
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(Path(path).as_uri())
    page.wait_for_selector("body[data-ready=yes]", timeout=60_000)
    return page, requests, complaints


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_the_page_draws_every_figure_without_a_request_or_a_complaint(browser, report, width):
    page, requests, complaints = opened(browser, report, width)
    assert requests == [report.as_uri()]
    assert complaints == []
    panels = sum(
        len(figure.panels) for section in make_page([read_run(report.parent)]).sections for figure in section.figures
    )
    assert page.locator(".plot").count() == panels > 10
    assert page.locator(".plot:has(.main-svg)").count() == panels
    assert page.locator(".failed").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("#verdict").is_visible()
    page.close()


def test_every_figure_and_its_numbers_are_reached_by_keyboard(browser, report):
    page, _, _ = opened(browser, report, 1280)
    wanted = page.locator("a[href], summary, .plot").count()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    reached = set()
    for _ in range(MOST_TABS):
        reached.add(page.evaluate(FOCUSED))
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.className") == "skip":
            break
    assert reached >= set(range(wanted))
    summary = page.locator("summary").first
    summary.focus()
    page.keyboard.press("Enter")
    assert page.locator("details").first.get_attribute("open") is not None
    page.close()


def test_a_hostile_name_is_shown_and_not_run(browser, tmp_path):
    hostile = "<img src=x onerror=alert(1)></script><script>document.title='run'</script>"
    report = full_report().model_copy(update={"model": hostile, "target": "<b>chip</b>"})
    layers = [layer.model_copy(update={"layer": hostile}) for layer in report.dense.per_layer]
    report = report.model_copy(update={"dense": report.dense.model_copy(update={"per_layer": layers})})
    write_run_folder(tmp_path, report)
    write_run(tmp_path)
    page, requests, complaints = opened(browser, tmp_path / PAGE, 1280)
    assert (len(requests), complaints) == (1, [])
    assert page.locator("img").count() == 0
    assert page.title() != "run"
    assert "onerror=alert(1)" in page.locator("#figure-layers").inner_text()
    page.close()


def test_several_runs_stand_beside_each_other(browser, tmp_path):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        write_run_folder(tmp_path / name, full_report())
    path = tmp_path / "comparison.html"
    write_page(make_page([read_run(tmp_path / name) for name in ("first", "second")]), path)
    page, requests, complaints = opened(browser, path, 390)
    assert (requests, complaints) == ([path.as_uri()], [])
    assert page.locator(".plot:has(.main-svg)").count() == page.locator(".plot").count() == 3
    page.close()
