"""The page in a real browser, opened from disk: does it do what it says, quietly, and without asking anybody?"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("selenium.webdriver")

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait
from tests.viz.page.conftest import opened

from kinestream.viz.page.coloured import colouring, symbols
from kinestream.viz.page.packing import in_unit_square, nearest, pack_clips, text_of
from kinestream.viz.page.page import Cell, Group, Page, Picture, Row, render

EVIL = "</script><b>wave & {{style}} \u2028'\""
CLASSES = ["carry", EVIL, "throw"]
COUNT = 60
ROW = Row(cells=[Cell(text=EVIL), Cell(text="80", value=80.0, low=75.0, high=84.0)], strong=True)


def points() -> np.ndarray:
    """Three columns of dots, one a class; the clips 0, 1, 2 are the lowest of each."""
    return np.array([[number % 3, number // 3 / 8] for number in range(COUNT)], np.float32)


def write_page(path: Path) -> Path:
    rng = np.random.default_rng(0)
    labels = np.arange(COUNT) % 3
    predicted = labels.copy()
    predicted[:6] = (labels[:6] + 1) % 3
    features = np.eye(3, 8, dtype=np.float32)[labels] + rng.normal(0, 0.01, (COUNT, 8)).astype(np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    neighbours, cosines = nearest(features, 5)
    clips = rng.normal(size=(COUNT, 10, 1, 3, 3)).astype(np.float32)
    packed = pack_clips(iter(clips), np.ones(COUNT, np.int64), 8, 4.0)
    data: dict[str, Any] = {
        "symbols": symbols(),
        "colourings": [colouring("class", CLASSES, labels)],
        "names": [f"clip {number} {EVIL}" for number in range(COUNT)],
        "predicted": text_of(predicted, "<u2"),
        "confidence": text_of(np.full(COUNT, 80), "<u1"),
        "neighbours": text_of(neighbours, "<u4"),
        "cosines": text_of(np.round(100 * cosines), "<i1"),
        "layouts": [
            {"name": "t-SNE", "points": text_of(in_unit_square(points()), "<u2")},
            {"name": "PCA", "points": text_of(in_unit_square(points()[::-1].copy()), "<u2")},
        ],
        "skeleton": {
            "frames": packed.frames,
            "unit": packed.unit,
            "bodies": text_of(packed.bodies, "<u1"),
            "of": text_of(np.zeros(COUNT), "<u1"),
            "layouts": [{"joints": 3, "bones": [[1, 0], [2, 1]], "sides": ["left", "trunk"], "head": 2}],
        },
    }
    page = Page(
        title=EVIL,
        subtitle=EVIL,
        facts=[(EVIL, EVIL)],
        warnings=[EVIL],
        headline=EVIL,
        beside=[Row(cells=[Cell(text=EVIL), Cell(text="80", value=80.0)], strong=True)],
        groups=[Group(title=EVIL, summary=EVIL, headings=[EVIL, "top-1"], rows=[ROW])],
        results_note=EVIL,
        map_note=EVIL,
        pictures=[Picture(title=EVIL, words=EVIL, light=b"<svg/>", dark=b"<svg/>")],
        left_out=[EVIL],
        configuration=EVIL,
        environment=EVIL,
        commands=[EVIL],
    )
    path.write_text(render(page, data, packed.base64), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(tmp_path_factory.mktemp("page") / "report.html")


@pytest.fixture
def page(browser: Any, file: Path) -> Iterator[Any]:
    with opened(browser, file):
        yield browser


def text(page: Any, name: str) -> str:
    return str(page.find_element(By.ID, name).text)


def over(page: Any, index: int) -> ActionChains:
    """Moves the mouse over the dot of a clip, by the page's own arithmetic: 20 pixels of margin, one scale."""
    marks = page.find_element(By.ID, "marks")
    width, height = marks.size["width"], marks.size["height"]
    x, y = (in_unit_square(points())[index] / 65535 - 0.5) * (min(width, height) - 40)
    return ActionChains(page, duration=0).move_to_element_with_offset(marks, round(x), round(y))


def test_every_name_is_shown_as_it_is(page: Any) -> None:
    # HTML makes one space of some kinds of white space.
    wanted = re.sub(r"\s+", " ", EVIL)
    shown = page.execute_script("return document.querySelector('h1').textContent")
    assert shown == EVIL
    assert re.sub(r"\s+", " ", page.find_element(By.CSS_SELECTOR, "#legend button:nth-child(2) span").text) == wanted
    assert not page.find_elements(By.XPATH, "//b[starts-with(text(), 'wave')]"), "no name became an element"
    assert page.execute_script("return document.scripts.length") == 4


def test_hovering_names_the_clip_its_class_and_what_it_was_taken_for(page: Any) -> None:
    over(page, 9).perform()
    WebDriverWait(page, 20).until(lambda driver: driver.find_element(By.ID, "tip").is_displayed())
    shown = text(page, "tip")
    assert shown.startswith("clip 9 ")
    assert shown.splitlines()[-2:] == ["carry", "recognised, 80 % sure"]
    over(page, 3).perform()
    WebDriverWait(page, 20).until(lambda driver: f"taken for {EVIL[:12]}" in text(driver, "tip"))


def test_a_click_plays_the_clip_beside_its_neighbours(page: Any) -> None:
    over(page, 12).click().perform()
    WebDriverWait(page, 20).until(lambda driver: driver.find_element(By.ID, "clip").is_displayed())
    assert text(page, "clip-name").startswith("clip 12 ")
    neighbours = page.find_elements(By.CSS_SELECTOR, "#neighbours button")
    assert len(neighbours) == 5
    assert all(": carry, cosine 1.00" in one.get_attribute("aria-label") for one in neighbours)
    drawn = "return [...document.querySelectorAll('.detail canvas')].map(c => c.getContext('2d')"
    drawn += ".getImageData(0, 0, c.width, c.height).data.some(v => v > 0))"
    assert page.execute_script(drawn) == [True] * 6
    seen = set()
    WebDriverWait(page, 60, poll_frequency=0.05).until(
        lambda driver: seen.add(text(driver, "frame-number")) or len(seen) > 2
    )
    page.find_element(By.ID, "play").click()
    still = page.execute_script("return document.getElementById('frame').value")
    over(page, 15).perform()
    assert page.execute_script("return document.getElementById('frame').value") == still, "paused"
    wanted = " ".join(neighbours[0].get_attribute("title").split()[:2])
    neighbours[0].click()
    assert text(page, "clip-name").startswith(f"{wanted} ")


def test_keys_walk_play_and_close(page: Any) -> None:
    marks = page.find_element(By.ID, "marks")
    page.execute_script("arguments[0].focus()", marks)
    spoken = []
    for key in (Keys.ARROW_DOWN, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_UP):
        marks.send_keys(key)
        spoken.append(page.execute_script("return document.getElementById('spoken').textContent"))
    assert len(set(spoken)) >= 3
    assert all(", recognised" in words or ", taken for" in words for words in spoken)
    marks.send_keys(Keys.ENTER)
    assert text(page, "clip-name")[:7] == spoken[-1][:7]
    marks.send_keys(Keys.ESCAPE)
    assert not page.find_element(By.ID, "clip").is_displayed()
    assert page.switch_to.active_element.get_attribute("id") == "marks"


def test_classes_and_guesses_are_shown_and_hidden(page: Any) -> None:
    assert text(page, "count") == "60 of 60 clips shown, 6 of them wrong"
    carry = page.find_element(By.CSS_SELECTOR, "#legend button")
    carry.click()
    assert carry.get_attribute("aria-pressed") == "false"
    assert text(page, "count") == "40 of 60 clips shown, 4 of them wrong"
    over(page, 9).perform()
    over(page, 10).perform()
    WebDriverWait(page, 20).until(lambda driver: text(driver, "tip").startswith("clip 10 "))
    over(page, 9).perform()
    WebDriverWait(page, 20).until(lambda driver: not driver.find_element(By.ID, "tip").is_displayed())
    page.find_element(By.ID, "right").click()
    assert text(page, "count") == "4 of 60 clips shown, 4 of them wrong"
    page.find_element(By.ID, "none").click()
    assert text(page, "count").startswith("0 of 60")
    page.find_element(By.ID, "all").click()
    page.find_element(By.ID, "right").click()
    assert text(page, "count").startswith("60 of 60")


def test_light_and_dark_follow_the_system_and_the_button(page: Any) -> None:
    def paper() -> str:
        return str(page.execute_script("return getComputedStyle(document.body).backgroundColor"))

    def first_pixel() -> list[int]:
        code = "const c = document.getElementById('points');"
        return list(page.execute_script(f"{code} return [...c.getContext('2d').getImageData(1, 1, 1, 1).data]"))

    for theme, colour in (("dark", [20, 23, 28]), ("light", [255, 255, 255])):
        media = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        WebDriverWait(page, 20).until(lambda _, colour=colour: paper() == f"rgb({', '.join(map(str, colour))})")
        WebDriverWait(page, 20).until(lambda _, colour=colour: first_pixel()[:3] == colour)
    page.find_element(By.ID, "theme").click()
    assert paper() == "rgb(20, 23, 28)"


@pytest.mark.parametrize("width", [400, 800, 1600])
def test_nothing_is_wider_than_the_window(page: Any, width: int) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_other_layouts_move_the_dots(page: Any) -> None:
    over(page, 9).perform()
    WebDriverWait(page, 20).until(lambda driver: text(driver, "tip").startswith("clip 9 "))
    page.find_element(By.CSS_SELECTOR, "#layout option:nth-child(2)").click()
    over(page, 9).perform()
    WebDriverWait(page, 20).until(lambda driver: text(driver, "tip").startswith(f"clip {COUNT - 1 - 9} "))
