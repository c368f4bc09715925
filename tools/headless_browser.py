"""A Chromium without window and network, for the explorer's tests, pictures and figures."""

import shutil
import time
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DRIVERS = ("chromedriver", "chromium.chromedriver")


def is_installed() -> bool:
    """Whether the system has both the browser and its driver."""
    return all(any(map(shutil.which, names)) for names in (BROWSERS, DRIVERS))


def chromium():
    """A Selenium driver of a Chromium that resolves no name; its `quit` ends it."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = _first(BROWSERS)
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        "--hide-scrollbars",
        "--window-size=1280,900",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options, webdriver.ChromeService(_first(DRIVERS)))


def open_page(driver, path: Path, fragment: str = "", patience: float = 20.0) -> float:
    """Opens an explorer's page from its file.

    Args:
        driver: A driver with `get` and `execute_script`.
        path: The file.
        fragment: The end of its address, from `#` on. Defaults to `""`.
        patience: Float, seconds. Defaults to `20.0`.

    Returns:
        The seconds until the page could be used.

    Raises:
        TimeoutError: If it cannot be used in time; the message is what it shows.
    """
    driver.get("about:blank")
    begin = time.perf_counter()
    driver.get(path.resolve().as_uri() + fragment)
    while not driver.execute_script("return Boolean(window.explorer)"):
        if time.perf_counter() - begin > patience:
            raise TimeoutError(driver.execute_script("return document.body.innerText"))
        time.sleep(0.01)
    return time.perf_counter() - begin


def _first(names):
    return next(path for name in names if (path := shutil.which(name)))
