"""A real browser without a network, and what is asked of a page in it."""

import shutil
import time

import numpy as np
import pytest

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
DRIVERS = ("chromedriver", "chromium.chromedriver")


def _first(names):
    return next((path for name in names if (path := shutil.which(name))), None)


def chromium(webdriver):
    """A headless Chromium that resolves no name."""
    options = webdriver.ChromeOptions()
    options.binary_location = _first(CHROMIUM)
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        "--window-size=1280,900",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options, webdriver.ChromeService(_first(DRIVERS)))


def firefox(webdriver):
    """A headless Firefox whose every connection goes to a port where nobody is."""
    options = webdriver.FirefoxOptions()
    options.binary_location = _first(["firefox", "firefox-esr"])
    options.add_argument("--headless")
    for name, value in {
        "network.proxy.type": 1,
        "network.proxy.http": "127.0.0.1",
        "network.proxy.http_port": 9,
        "network.proxy.ssl": "127.0.0.1",
        "network.proxy.ssl_port": 9,
    }.items():
        options.set_preference(name, value)
    return webdriver.Firefox(options, webdriver.FirefoxService(_first(["geckodriver"])))


class Browser:
    """What the tests do in a browser."""

    def __init__(self, driver):
        self.driver = driver

    def open(self, path, fragment=""):
        """Opens a page from its file; returns the seconds until it could be used."""
        self.driver.get("about:blank")
        begin = time.perf_counter()
        self.driver.get(path.resolve().as_uri() + fragment)
        while not self.run("return Boolean(window.explorer)"):
            assert time.perf_counter() - begin < 20, self.run("return document.body.innerText")
            time.sleep(0.01)
        return time.perf_counter() - begin

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
        """What the console complains of."""
        return [entry["message"] for entry in self.driver.get_log("browser")]


@pytest.fixture(scope="session")
def browser():
    """Chromium from the system's packages."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    if not (_first(CHROMIUM) and _first(DRIVERS)):
        pytest.skip("no browser: install the system's packages chromium and chromium-driver")
    driver = chromium(webdriver)
    yield Browser(driver)
    driver.quit()


@pytest.fixture(scope="session")
def second_browser():
    """Firefox, where there is a driver for it."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    if not (_first(["firefox", "firefox-esr"]) and _first(["geckodriver"])):
        pytest.skip("no second browser: install Firefox and geckodriver")
    driver = firefox(webdriver)
    yield Browser(driver)
    driver.quit()
