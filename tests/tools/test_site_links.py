"""Tests of the program that follows every link of the site."""

import sys

import pytest


@pytest.fixture
def program(load_program):
    return load_program("tools/site_links.py")


@pytest.fixture
def site(tmp_path):
    folder = tmp_path / "site"
    (folder / "below").mkdir(parents=True)
    (folder / "a.html").write_text(
        '<h1 id="top">A</h1><a href="below/b.html#there">b</a><a href="#top">up</a>'
        '<img src="below/c%20d.png"><a href="https://example.org/x">x</a>'
        '<script>"<a href=\\"nowhere\\">"</script>'
    )
    (folder / "below" / "b.html").write_text('<a id="there" href="../a.html">back</a>')
    (folder / "below" / "c d.png").write_bytes(b"")
    return folder


def test_links_to_pages_headings_and_pictures_are_followed(program, site):
    followed = program.follow(site)
    assert followed == (2, 4, {"https://example.org/x"}, [])


@pytest.mark.parametrize(
    "link", ["gone.html", "below/b.html#gone", "#gone", "below", "../outside.html", "gone.png"]
)
def test_a_link_that_leads_nowhere_is_named_with_its_page(program, site, link, monkeypatch, capsys):
    (site.parent / "outside.html").write_text("not of the site")
    (site / "below" / "new.html").write_text(f'<a class="x" href="../{link}">')
    if link == "#gone":
        (site / "below" / "new.html").write_text(f'<a href="{link}">')
    monkeypatch.setattr(sys, "argv", ["site_links.py", str(site)])
    with pytest.raises(SystemExit, match=r"below/new\.html: "):
        program.main()
    assert "1 broken" in capsys.readouterr().out
