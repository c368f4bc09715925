"""Tests of how a page is put together."""

import base64
import hashlib
import html
import json
import re

import pytest

from keras_vae.explorer import page
from keras_vae.explorer.page import MODULES, Page, as_json, assembled, program, static

HOSTILE = "</script><!-- <script> & {{script}} é \u2028"


@pytest.fixture(scope="module")
def made():
    return assembled({"title": HOSTILE, "names": [HOSTILE]}).html


def test_every_placeholder_is_filled_once_and_nothing_else(made):
    assert set(re.findall(r"\{\{([a-z-]+)\}\}", static("index.html"))) == {
        "arrays",
        "data",
        "script",
        "script-hash",
        "style",
        "title",
    }
    # What a user wrote stays as it was written.
    assert "{{script}}" in made and made.count("const modules = {};") == 1


def test_json_ends_no_element_and_says_what_it_was_given(made):
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', made, re.S)
    assert not set(text) & set("<>&")
    assert json.loads(text)["names"] == [HOSTILE]
    with pytest.raises(ValueError, match="JSON compliant"):
        as_json([float("nan")])


def test_the_title_is_escaped(made):
    assert f"<title>{html.escape(HOSTILE)}</title>" in made


def test_the_policy_lets_the_pages_own_script_run_and_nothing_else(made):
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', made)
    (script,) = re.findall(r'<script type="module">(.*?)</script>', made, re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; ")
    assert f"script-src 'sha256-{digest}';" in policy
    assert "connect-src" not in policy and "unsafe-eval" not in policy


def test_the_page_names_no_other_file(made):
    assert re.findall(r'(?:src|href)="([^"]*)"', made) == ["data:,"]
    assert not re.search(r"url\(|@import|https?://", made.replace("http://www.w3.org/2000/svg", ""))


def test_every_module_is_there_behind_what_it_imports():
    folder = page.importlib.resources.files("keras_vae.explorer") / "static"
    assert sorted(f"{name}.js" for name in MODULES) == sorted(
        path.name for path in folder.iterdir() if path.name.endswith(".js")
    )
    for place, name in enumerate(MODULES):
        for imported in re.findall(r'from "\./(\w+)\.js"', static(f"{name}.js")):
            assert imported in MODULES[:place], f"{name}: {imported}"


def test_modules_become_functions_that_see_what_they_import():
    text = program(["arrays", "layers", "model"])
    assert text.count("modules.arrays = (() => {") == 1
    assert "const { network } = modules.layers;" in text
    assert "return { makeModel, deviation };" in text
    assert not re.search(r"^(import|export)\b", program(), re.M)
    assert "</script" not in program().lower() and "<!--" not in program()


def test_a_notebook_gets_the_page_in_a_frame_of_its_own():
    shown = Page('<p class="a">&lt;</p>')._repr_html_()
    (document,) = re.findall(r'srcdoc="([^"]*)"', shown)
    assert html.unescape(document) == '<p class="a">&lt;</p>'
    assert 'sandbox="allow-scripts' in shown and "allow-same-origin" not in shown
    assert repr(Page("x" * 1_500_000)) == "<Page of 1.50 MB; a notebook shows it>"
