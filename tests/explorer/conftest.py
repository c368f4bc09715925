"""A real browser without a network, and what is asked of a page in it."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest


def _firefox_program():
    """Firefox itself, not a script that starts it; or nothing."""
    found = (shutil.which(name) for name in ("firefox-esr", "firefox"))
    programs = (Path(path).resolve() for path in found if path)
    return next((path for path in programs if (path.parent / "application.ini").exists()), None)


class Firefox:
    """A headless Firefox whose every connection goes to a port where nobody is.

    It is driven by Mozilla's own client, which needs no program between, and has the few methods of
    a Selenium driver that the tests of a second browser use.
    """

    def __init__(self, marionette):
        proxy = {"network.proxy.type": 1}
        for kind in ("http", "ssl"):
            proxy |= {f"network.proxy.{kind}": "127.0.0.1", f"network.proxy.{kind}_port": 9}
        self.client = marionette.Marionette(
            bin=str(_firefox_program()), headless=True, prefs=proxy, gecko_log=os.devnull
        )
        self.client.start_session()

    def get(self, url):
        self.client.navigate(url)

    def execute_script(self, script, *arguments):
        return self.client.execute_script(script, script_args=arguments, sandbox=None)

    def execute_async_script(self, script, *arguments):
        return self.client.execute_async_script(script, script_args=arguments, sandbox=None)

    def quit(self):
        self.client.quit(in_app=False)
        self.client.cleanup()


class Browser:
    """What the tests do in a browser."""

    def __init__(self, driver, open_page):
        self.driver, self._open_page = driver, open_page

    def open(self, path, fragment=""):
        """Opens a page from its file; returns the seconds until it could be used."""
        return self._open_page(self.driver, path, fragment)

    def run(self, script, *arguments):
        """What a script returns."""
        return self.driver.execute_script(script, *arguments)

    def settle(self):
        """Waits for the frame after the next, and for whatever glides to arrive."""
        self.driver.execute_async_script(
            """
            const done = arguments[0];
            const { state } = window.explorer;
            let before = "";
            const look = () => {
              const now = String(state.code);
              if (now === before) requestAnimationFrame(() => done());
              else setTimeout(() => requestAnimationFrame(look), 40);
              before = now;
            };
            requestAnimationFrame(look);
            """
        )

    def code(self):
        """The code that the page is at."""
        return np.array(self.run("return Array.from(window.explorer.state.code)"))

    def element(self, selector):
        """The first element of a selector."""
        return self.driver.find_element("css selector", selector)

    def elements(self, selector):
        """All elements of a selector."""
        return self.driver.find_elements("css selector", selector)

    def decoded(self, codes, condition=None):
        """The pictures that the page decodes codes to, `[n, pixels]`."""
        return np.array(
            self.run(
                "return arguments[0].map((code) => Array.from("
                "window.explorer.model.decode(Float32Array.from(code), arguments[1])))",
                np.asarray(codes).tolist(),
                condition,
            )
        )

    def encoded(self, images, condition=None):
        """Means and standard deviations that the page encodes images to, `[n, latent]` each."""
        found = self.run(
            "return arguments[0].map((image) => {"
            "  const q = window.explorer.model.encode(Float32Array.from(image), arguments[1]);"
            "  return [Array.from(q.loc), Array.from(q.scale)];"
            "})",
            np.reshape(images, (len(images), -1)).tolist(),
            condition,
        )
        return np.array(found).transpose(1, 0, 2)

    def errors(self):
        """What the console calls errors."""
        entries = self.driver.get_log("browser")
        return [entry["message"] for entry in entries if entry["level"] == "SEVERE"]


@pytest.fixture(scope="session")
def program(load_program):
    """What starts a browser."""
    return load_program("tools/headless_browser.py")


@pytest.fixture(scope="session")
def browser(program):
    """Chromium from the system's packages."""
    pytest.importorskip("selenium", reason="selenium is not installed")
    if not program.is_installed():
        pytest.skip("no browser: install the system's packages chromium and chromium-driver")
    driver = program.chromium()
    yield Browser(driver, program.open_page)
    driver.quit()


@pytest.fixture(scope="session")
def second_browser(program):
    """Firefox from the system's packages."""
    reason = "marionette_driver is not installed"
    marionette = pytest.importorskip("marionette_driver.marionette", reason=reason)
    if _firefox_program() is None:
        pytest.skip("no second browser: install the system's package firefox-esr")
    driver = Firefox(marionette)
    yield Browser(driver, program.open_page)
    driver.quit()
