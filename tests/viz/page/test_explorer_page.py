"""The explorer in a real browser: select with a lasso and by keys, give names, take them back, save them."""

import csv
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.viz.archives import EVIL, KEPT, archive, files, kinds, made_by

pytest.importorskip("matplotlib")
pytest.importorskip("selenium.webdriver")

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait
from tests.viz.page.conftest import opened

import kinestream as ks
from kinestream.use.label_table import match_labels, read_labels
from kinestream.viz.landmarks import Laid
from kinestream.viz.page.packing import in_unit_square

COUNT = 30
NAMES = [f'clip {number}, "{EVIL}"' for number in range(COUNT)]


def points() -> np.ndarray:
    """Three columns, one a kind: clips 0, 1, 2 are the lowest of each."""
    return np.array([[number % 3, number // 3 / 4] for number in range(COUNT)], np.float32)


def in_places(where: np.ndarray) -> Any:
    """A `lay_out` with dots in these places."""
    return lambda features, progress: Laid(
        tsne=where, pca=where[::-1].copy(), components=features, landmarks=np.arange(len(features))
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Recordings, every other with its file."""
    paths = files(tmp_path_factory.mktemp("recordings"), COUNT)
    there = [path if number % 2 == 0 else f"{path}.gone" for number, path in enumerate(paths)]
    return archive(kinds(COUNT), made_by(6), name=NAMES, file=there, subject=[EVIL, "b", "c"] * 10)


@pytest.fixture(scope="module")
def file(whole: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("kinestream.viz.explore.lay_out", in_places(points()))
        return ks.explore(whole, tmp_path_factory.mktemp("page") / "explore.html", groups=3).path


@pytest.fixture
def page(browser: Any, file: Path) -> Iterator[Any]:
    with opened(browser, file):
        yield browser


def text(page: Any, name: str) -> str:
    return str(page.find_element(By.ID, name).text)


def press(page: Any, *names: str) -> None:
    for name in names:
        page.find_element(By.ID, name).click()


def keys(page: Any, *some: str) -> None:
    marks = page.find_element(By.ID, "marks")
    page.execute_script("arguments[0].focus()", marks)
    for one in some:
        marks.send_keys(one)


def spoken(page: Any) -> str:
    return str(page.execute_script("return document.getElementById('spoken').textContent"))


def place(page: Any, u: float, v: float) -> tuple[int, int]:
    """Of a point in units of `points`, from the middle of the map: 20 pixels of margin, one scale."""
    marks = page.find_element(By.ID, "marks")
    every = np.concatenate((points(), [[u, v]]))
    low, high = points().min(axis=0), points().max(axis=0)
    side = min(marks.size["width"], marks.size["height"]) - 40
    x, y = (every[-1] - (low + high) / 2) / float((high - low).max()) * [side, -side]
    return round(x), round(y)


def around(page: Any, corners: list[tuple[float, float]], *, shift: bool = False) -> None:
    """Draws a line round these corners, by mouse."""
    marks = page.find_element(By.ID, "marks")
    chain = ActionChains(page, duration=5)
    if shift:
        chain.key_down(Keys.SHIFT)
    chain.move_to_element_with_offset(marks, *place(page, *corners[0])).click_and_hold()
    for corner in (*corners[1:], corners[0]):
        chain.move_to_element_with_offset(marks, *place(page, *corner))
    chain.release()
    if shift:
        chain.key_up(Keys.SHIFT)
    chain.perform()


def name(page: Any, words: str) -> None:
    field = page.find_element(By.ID, "name")
    field.clear()
    field.send_keys(words, Keys.ENTER)


def saved(page: Any, downloads: Path) -> Path:
    """What the button saves."""
    before = set(downloads.iterdir())
    press(page, "save")
    until = time.monotonic() + 60
    while time.monotonic() < until:
        new = [path for path in set(downloads.iterdir()) - before if path.suffix == ".csv" and path.stat().st_size]
        if new:
            return new[0]
        time.sleep(0.05)
    raise AssertionError("nothing was saved")


def rows_of(path: Path) -> dict[str, str]:
    with path.open(encoding="utf-8", newline="") as table:
        lines = list(csv.reader(table, strict=True))
    assert lines[0] == ["name", "label"]
    return dict(lines[1:])


COLUMN = [(-0.3, -0.06), (0.3, -0.06), (0.3, 2.31), (-0.3, 2.31)]
"""Round the clips 0, 3, 6, ..."""


def test_the_lasso_selects_what_is_inside_and_names_are_saved(page: Any, downloads: Path, whole: Any) -> None:
    assert text(page, "counts") == "0 of 30 named"
    assert not page.find_element(By.ID, "save").is_enabled()
    press(page, "lasso")
    around(page, COLUMN)
    assert text(page, "selected") == "10 selected"
    name(page, f"  {EVIL}  wave ")
    # An L that leaves out the upper right: of what lies in its bounding box only what is inside.
    around(page, [(0.7, -0.06), (2.3, -0.06), (2.3, 0.1), (1.3, 0.1), (1.3, 2.31), (0.7, 2.31)])
    assert text(page, "selected") == "11 selected"
    name(page, 'say "no", twice')
    assert text(page, "counts") == "21 of 30 named, 2 names"
    found = rows_of(path := saved(page, downloads))
    wave = " ".join(f"{EVIL} wave".split())
    kept = [f'clip {number}, "{KEPT}"' for number in range(COUNT)]
    wanted = {kept[n]: wave for n in range(0, COUNT, 3)}
    wanted |= {kept[n]: 'say "no", twice' for n in [2, *range(1, COUNT, 3)]}
    assert found == wanted
    matched = match_labels(whole, read_labels(path), path)
    names = whole.rows.name[matched.places].tolist()
    assert dict(zip(names, matched.labels, strict=True)) == wanted, "kinestream reads what the page wrote"


def test_shift_adds_and_takes_away_without_the_lasso(page: Any) -> None:
    around(page, COLUMN, shift=True)
    assert text(page, "selected") == "10 selected"
    around(page, [(0.7, -0.06), (1.3, -0.06), (1.3, 0.6), (0.7, 0.6)], shift=True)
    assert text(page, "selected") == "13 selected"
    around(page, [(0.7, -0.06), (1.3, -0.06), (1.3, 0.1), (0.7, 0.1)], shift=True)
    assert text(page, "selected") == "12 selected", "what is selected already is taken away"
    press(page, "lasso")
    page.find_element(By.CSS_SELECTOR, "#how option[value=remove]").click()
    around(page, COLUMN)
    assert text(page, "selected") == "2 selected"
    press(page, "lasso")
    around(page, COLUMN)
    assert text(page, "selected") == "2 selected", "a drag without lasso moves the map"


def test_by_keys_alone(page: Any, downloads: Path) -> None:
    keys(page, Keys.ARROW_DOWN, "s")
    first = spoken(page)
    assert first == "1 selected"
    keys(page, "r")
    assert text(page, "selected") == "11 selected"
    keys(page, "g")
    assert spoken(page).endswith(" selected")
    keys(page, "a")
    assert text(page, "selected") == "30 selected"
    keys(page, "s", "n")
    assert text(page, "selected") == "29 selected"
    assert page.switch_to.active_element.get_attribute("id") == "name"
    page.switch_to.active_element.send_keys("walk", Keys.ENTER)
    assert spoken(page) == "29 clips are called walk"
    press(page, "select-none")
    marks = page.find_element(By.ID, "marks")
    page.execute_script("arguments[0].focus()", marks)
    ActionChains(page).key_down(Keys.SHIFT).send_keys(Keys.ARROW_UP, Keys.ARROW_UP).key_up(Keys.SHIFT).perform()
    assert text(page, "selected") == "2 selected"
    name(page, "run")
    assert list(rows_of(saved(page, downloads)).values()).count("run") == 2
    keys(page, "u", "u")
    assert text(page, "counts") == "0 of 30 named"


def test_names_are_taken_back_one_after_the_other(page: Any, downloads: Path) -> None:
    press(page, "select-shown")
    name(page, "all")
    press(page, "lasso")
    around(page, COLUMN)
    name(page, "some")
    press(page, "clear")
    assert text(page, "counts") == "20 of 30 named, 1 name"
    press(page, "undo")
    assert text(page, "counts") == "30 of 30 named, 2 names"
    press(page, "undo")
    assert text(page, "counts") == "30 of 30 named, 1 name"
    assert text(page, "selected") == "10 selected", "those that it is about"
    assert set(rows_of(saved(page, downloads)).values()) == {"all"}
    ActionChains(page).key_down(Keys.CONTROL).send_keys("z").key_up(Keys.CONTROL).perform()
    assert text(page, "counts") == "0 of 30 named"
    assert not page.find_element(By.ID, "undo").is_enabled()


def test_what_is_hidden_is_not_selected(page: Any) -> None:
    page.find_element(By.CSS_SELECTOR, "#legend button").click()
    assert text(page, "count") == "20 of 30 clips shown"
    press(page, "select-shown")
    assert text(page, "selected") == "20 selected"
    name(page, "named")
    press(page, "all", "named")
    assert text(page, "count") == "10 of 30 clips shown"
    press(page, "select-shown")
    assert text(page, "selected") == "10 selected"
    button = page.find_element(By.CSS_SELECTOR, "#names button")
    assert button.text.split() == ["named", "20"]
    button.click()
    assert text(page, "selected") == "20 selected"


def test_colours_are_those_of_groups_people_and_names(page: Any) -> None:
    press(page, "lasso")
    around(page, COLUMN)
    name(page, EVIL)
    choices = page.find_elements(By.CSS_SELECTOR, "#colour option")
    assert [one.text for one in choices] == ["group", "person", "name"]
    code = "return [...document.querySelectorAll('#legend button:not([hidden])')].map(b => b.textContent)"
    assert page.execute_script(code) == ["110", "210", "310"]
    choices[1].click()
    assert page.execute_script(code) == [f"{KEPT}10", "b10", "c10"]
    choices[2].click()
    shown = " ".join(EVIL.split())
    assert page.execute_script(code) == ["no name20", f"{shown}10"]
    press(page, "undo")
    assert page.execute_script(code) == ["no name30"]
    assert not page.find_elements(By.XPATH, "//b[starts-with(text(), 'wave')]"), "no name became an element"


def test_a_click_plays_the_clip_or_says_that_it_cannot(page: Any) -> None:
    marks = page.find_element(By.ID, "marks")
    x, y = (in_unit_square(points())[12] / 65535 - 0.5) * (min(marks.size["width"], marks.size["height"]) - 40)
    ActionChains(page, duration=0).move_to_element_with_offset(marks, round(x), round(y)).click().perform()
    WebDriverWait(page, 20).until(lambda driver: driver.find_element(By.ID, "clip").is_displayed())
    assert text(page, "clip-name").startswith("clip 12, ")
    assert " ".join(text(page, "clip-class").split()).startswith("group ")
    assert page.find_element(By.ID, "transport").is_displayed()
    seen: set[str] = set()
    WebDriverWait(page, 60, poll_frequency=0.05).until(
        lambda driver: seen.add(text(driver, "frame-number")) or len(seen) > 2
    )
    x, y = (in_unit_square(points())[15] / 65535 - 0.5) * (min(marks.size["width"], marks.size["height"]) - 40)
    ActionChains(page, duration=0).move_to_element_with_offset(marks, round(x), round(y)).click().perform()
    assert text(page, "clip-name").startswith("clip 15, ")
    assert not page.find_element(By.ID, "transport").is_displayed(), "its file is gone"
    assert "15 rows have no clip to play" in page.find_element(By.CSS_SELECTOR, ".warning").text


@pytest.mark.parametrize("width", [400, 800, 1600])
def test_nothing_is_wider_than_the_window(page: Any, width: int) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    press(page, "select-shown")
    name(page, "x" * 190)
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_names_given_before_are_there_and_windows_are_saved_with_their_times(
    browser: Any, tmp_path: Path, downloads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows = archive(
        kinds(COUNT), made_by(6, windows="2s", people="each"), name=["r", "r", "s"] * 10, person=[1, 2, 1] * 10,
        start=[n // 3 / 3 for n in range(COUNT)], end=[n // 3 / 3 + 2 for n in range(COUNT)],
    )  # fmt: skip
    before = tmp_path / "labels.csv"
    before.write_text("name,label,start,end,person\nr,walk,1,3,2\ns,run,2,4,1\n", "utf-8")
    monkeypatch.setattr("kinestream.viz.explore.lay_out", in_places(points()))
    done = ks.explore(windows, tmp_path / "map.html", labels=before)
    with opened(browser, done.path) as page:
        assert text(page, "counts") == "2 of 30 named, 2 names"
        press(page, "lasso")
        around(page, [(-0.3, -0.06), (0.3, -0.06), (0.3, 0.3), (-0.3, 0.3)])
        name(page, "sit")
        matched = match_labels(windows, read_labels(path := saved(page, downloads)), path, nearest=True)
    assert dict(zip(matched.places.tolist(), matched.labels, strict=True)) == {
        0: "sit", 3: "sit", 10: "walk", 20: "run",
    }  # fmt: skip


def test_twenty_thousand_dots_are_drawn_found_and_selected(
    browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 20_000
    where = np.random.default_rng(0).random((count, 2)).astype(np.float32)
    monkeypatch.setattr("kinestream.viz.explore.lay_out", in_places(where))
    many = archive(kinds(count), made_by(6), name=[f"m{n}" for n in range(count)])
    done = ks.explore(many, tmp_path / "map.html", groups=3)
    with opened(browser, done.path) as page:
        assert text(page, "count") == "20,000 of 20,000 clips shown"
        code = "const c = document.getElementById('points'); const d = c.getContext('2d').getImageData(0, 0, c.width, "
        code += "c.height).data; let n = 0; for (let i = 0; i < d.length; i += 4) n += d[i] < 250 ? 1 : 0; return n"
        WebDriverWait(page, 60).until(lambda driver: driver.execute_script(code) > 100_000)
        press(page, "lasso")
        corners = [(0.1, 0.1), (0.6, 0.1), (0.6, 0.9), (0.1, 0.9)]
        marks = page.find_element(By.ID, "marks")
        side = min(marks.size["width"], marks.size["height"]) - 40
        low, high = where.min(axis=0), where.max(axis=0)
        chain = ActionChains(page, duration=5)
        for number, corner in enumerate([*corners, corners[0]]):
            x, y = (np.array(corner) - (low + high) / 2) / float((high - low).max()) * [side, -side]
            chain.move_to_element_with_offset(marks, round(x), round(y))
            if number == 0:
                chain.click_and_hold()
        chain.release().perform()
        inside = int(((where > corners[0]) & (where < corners[2])).all(axis=1).sum())
        found = int(text(page, "selected").split()[0].replace(",", ""))
        assert abs(found - inside) < 150, "to a pixel at the border"
        press(page, "select-shown")
        name(page, "all")
        assert text(page, "counts") == "20,000 of 20,000 named, 1 name"
