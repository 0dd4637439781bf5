"""The page in a real browser, served by the real command."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dream_if

pytest.importorskip("gradio", reason="the page needs Gradio: pip install 'dream-if[app]'")
playwright = pytest.importorskip(
    "playwright.sync_api", reason="the browser test needs playwright: pip install playwright"
)

pytestmark = pytest.mark.slow

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Chromium asks its maker for updates and the like; a machine without a network is slow to say no.
QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")
PATIENCE = 60_000  # milliseconds


@pytest.fixture(scope="module")
def browser() -> Iterator:
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"no browser here ({', '.join(NAMES)}); on Debian: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        sandbox = [] if os.geteuid() else ["--no-sandbox"]  # root has none
        browser = driver.chromium.launch(executable_path=path, args=[*QUIET, *sandbox])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the command serves its page; when it is stopped it must leave nothing behind."""
    kept = tmp_path_factory.mktemp("kept")
    command = "import sys; from dream_if.cli import main; sys.exit(main())"
    arguments = ["app", "--weights", str(weights), "--device", "cpu", "--precision", "float32", "--threads", "1"]
    server = subprocess.Popen(
        [sys.executable, "-c", command, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(kept)},
    )
    line = server.stdout.readline()
    found = re.search(r"http://127\.0\.0\.1:\d+/", line)
    if found is None:
        server.kill()
        pytest.fail(f"{line} {server.stderr.read()}")
    assert os.listdir(kept)
    yield found[0]
    server.terminate()  # as Ctrl-C does, which a process in the background may be deaf to
    assert "Traceback" not in server.communicate(timeout=30)[1]
    assert server.returncode == 0
    assert os.listdir(kept) == []


@pytest.fixture
def page(browser, address) -> Iterator:
    """The page, opened, with every request that it makes in `page.asked`."""
    context = browser.new_context(viewport={"width": 1440, "height": 1300}, accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.asked = []
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto(address)
    page.locator("#fuse").wait_for()
    yield page
    context.close()


def upload(page, uploads: Path, visible: str, infrared: str) -> None:
    for place, name in (("visible", visible), ("infrared", infrared)):
        page.locator(f"#{place} input[type=file]").set_input_files(uploads / name)
        page.locator(f"#{place}").get_by_text(name.split(".")[0]).first.wait_for()


def test_upload_fuse_and_download(page, uploads, weights, tmp_path, address):
    upload(page, uploads, "visible.png", "infrared.png")
    page.locator("#infrared_view img").wait_for()
    page.locator("#fuse").click()
    page.locator("#summary").get_by_text("40 x 32 pixels").wait_for()
    assert page.locator("#fused img").count() >= 2
    assert re.search(r"visible: 0\.\d{3} to 0\.\d{3}", page.locator("#dominance_visible").inner_text())
    with page.expect_download() as started:
        page.locator("#download").click()
    assert started.value.suggested_filename == "visible_fused.png"
    started.value.save_as(tmp_path / "fused.png")
    expected = dream_if.fuse(
        uploads / "visible.png", uploads / "infrared.png", weights=weights, device="cpu", precision="float32"
    )
    assert (np.asarray(Image.open(tmp_path / "fused.png")) == np.asarray(expected)).all()
    elsewhere = [url for url in page.asked if not url.startswith((address, "data:", "blob:"))]
    assert elsewhere == []


@pytest.mark.parametrize(
    ("infrared", "words"),
    [("other.png", "unequal sizes: visible.png is 40x32 but other.png is 40x30"), ("text.png", "not a picture")],
)
def test_a_mistake_is_a_message(page, uploads, infrared, words):
    upload(page, uploads, "visible.png", infrared)
    page.locator("#fuse").click()
    page.get_by_text(words).first.wait_for()
    assert "Traceback" not in page.content()
    assert "pixels" not in page.locator("#summary").inner_text()


def test_nothing_uploaded(page):
    page.locator("#fuse").click()
    page.get_by_text("The visible picture is missing").first.wait_for()


def test_an_example_is_fused_by_a_click_and_again_with_noise(page):
    page.locator("#examples button img").first.click()
    page.locator("#summary").get_by_text("512 x 384 pixels").wait_for()
    page.locator("#gaussian input[type=number]").fill("3")
    page.locator("#gaussian input[type=number]").press("Tab")
    page.locator("#fuse").click()
    page.locator("#summary").get_by_text("both sources suffered: gaussian 3").wait_for()
