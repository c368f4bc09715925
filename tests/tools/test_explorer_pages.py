"""Tests of the program that makes the explorer's pages of all shipped models."""

import io

import pytest
from PIL import Image

from keras_vae import presets
from keras_vae.explorer import preset_page


@pytest.fixture
def program(load_program):
    return load_program("tools/explorer_pages.py")


@pytest.fixture
def pages(program, monkeypatch, make_vae, tmp_path):
    """The pages of two presets, which stand in for the shipped ones."""
    for name in ("one", "two"):
        make_vae().save_to_preset(tmp_path / "presets" / name, description=f"<{name}>")
    monkeypatch.setattr(presets, "descriptions", lambda: {"one": "<one>", "two": "<two>"})
    monkeypatch.setattr(presets, "names", lambda cls=None: ["one", "two"])
    write = preset_page.write
    monkeypatch.setattr(
        preset_page,
        "write",
        lambda name, path, overwrite: write(tmp_path / "presets" / name, path, overwrite),
    )
    program.make_pages(tmp_path / "pages")
    return tmp_path / "pages"


def test_every_preset_gets_a_page_and_a_line_in_the_list(pages):
    assert sorted(path.name for path in pages.iterdir()) == ["index.html", "one.html", "two.html"]
    index = (pages / "index.html").read_text(encoding="utf-8")
    assert '<a href="one.html">one</a>: &lt;one&gt;' in index


def test_the_pages_may_be_made_again(program, pages):
    assert [path.name for path in program.make_pages(pages)] == ["one.html", "two.html"]


def test_a_photograph_has_the_size_and_the_scheme_that_it_should(program, pages, load_program):
    pytest.importorskip("selenium", reason="selenium is not installed")
    browser = load_program("tools/headless_browser.py")
    if not browser.is_installed():
        pytest.skip("no browser: install the system's packages chromium and chromium-driver")
    driver = browser.chromium()
    try:
        taken = [
            program.photograph(driver, pages / "one.html", (390, 700, 2), scheme, False, "")
            for scheme in ("light", "dark")
        ]
    finally:
        driver.quit()
    light, dark = (Image.open(io.BytesIO(png)).convert("L") for png in taken)
    assert light.size == dark.size == (780, 1400)
    assert light.getpixel((2, 2)) > 200 and dark.getpixel((2, 2)) < 60
