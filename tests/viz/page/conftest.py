"""A real browser, and pages opened in it from disk: quietly, and without asking anybody."""

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the browser saves files."""
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory, downloads: Path) -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver")
    from selenium.common.exceptions import WebDriverException

    chromium, chromedriver = (shutil.which(name) for name in ("chromium", "chromedriver"))
    if chromium is None or chromedriver is None:
        pytest.skip("needs chromium and chromedriver (Debian: apt-get install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for word in (
        *(
            "headless=new",
            "no-sandbox",
            "disable-gpu",
            "disable-dev-shm-usage",
            "no-first-run",
            "window-size=1280,1000",
        ),
        *("disable-background-networking", "disable-component-update", "disable-sync", "disable-quic"),
        f"user-data-dir={tmp_path_factory.mktemp('profile')}",
    ):
        options.add_argument(f"--{word}")
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    try:
        driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=chromedriver))
    except WebDriverException as error:
        pytest.skip(f"chromium does not start here: {str(error).splitlines()[0]}")
    yield driver
    driver.quit()


@contextlib.contextmanager
def opened(browser: Any, file: Path) -> Iterator[Any]:
    """A page, freshly opened; at the end nothing was complained about, and nothing asked for but the file itself."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.wait import WebDriverWait

    browser.get("about:blank")
    browser.get_log("performance")
    browser.get(file.as_uri())
    WebDriverWait(browser, 60).until(lambda driver: driver.find_element(By.ID, "count").text)
    browser.execute_script("document.getElementById('map').scrollIntoView({block: 'center'})")
    yield browser
    # What the browser says about the pixels that these tests read back ("rendering") is no complaint about the page.
    assert [one for one in browser.get_log("browser") if one["level"] != "INFO" and one["source"] != "rendering"] == []
    asked = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    addresses = [one["params"]["request"]["url"] for one in asked if one["method"] == "Network.requestWillBeSent"]
    assert file.as_uri() in addresses
    # A blob is what the page has made itself.
    assert all(address.startswith(("file:", "data:", "blob:")) for address in addresses), addresses
    assert {address for address in addresses if address.startswith("file:")} == {file.as_uri()}
