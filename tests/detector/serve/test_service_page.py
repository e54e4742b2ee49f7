"""The service's page, in a real browser."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from fastapi.testclient import TestClient

from faceswap.detector.network.files import Card, save_detector
from faceswap.detector.network.model import LIMITATIONS, build
from tests.conftest import REPOSITORY
from tests.detector.toy_set import SPEC


@pytest.fixture(scope="module", autouse=True)
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    """The stage as a user would run it; started first, because it takes seconds to import what it needs."""
    folder = tmp_path_factory.mktemp("stage")
    save_detector(folder / "toy", build(SPEC, 0), Card(thresholds={"0.05": 0.5}))
    words = ["serve", "--detector", "toy", "--port", "0", "--frames", "10"]
    with subprocess.Popen(
        [sys.executable, "-m", "stages.detector", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        yield process
        process.kill()


@pytest.fixture(scope="module")
def address(stage: subprocess.Popen[str]) -> str:
    """Where the stage says that it is."""
    assert stage.stdout is not None
    return stage.stdout.readline().split()[1]


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Any]:
    """A headless Chromium with a profile of its own."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("needs Chromium: apt-get install chromium chromium-driver")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (
        "headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-dev-shm-usage",
        "disable-background-networking", "disable-component-update", "disable-sync",
        f"user-data-dir={tmp_path / 'profile'}",
    ):  # fmt: skip
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driven = webdriver.Chrome(options, webdriver.ChromeService(driver))
    try:
        yield driven
    finally:
        driven.quit()


def test_the_page_loads_nothing_from_elsewhere_and_says_what_a_verdict_does_not_mean(
    client: TestClient,
) -> None:
    page = client.get("/")
    policy = page.headers["content-security-policy"]
    (nonce,) = set(re.findall(r"'nonce-([^']+)'", policy))
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert set(re.findall(r"<(?:script|style)[^>]*>", page.text)) == {
        f'<script nonce="{nonce}">',
        f'<style nonce="{nonce}">',
    }
    assert nonce not in client.get("/").text
    assert not re.findall(r"(?:src|href)=\"(?!data:)", page.text)
    for line in LIMITATIONS:
        assert line.replace("'", "&#39;") in page.text


def test_a_person_is_told_in_a_browser(browser: Any, address: str, portrait: bytes, tmp_path: Path) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    def element(name: str) -> Any:
        return browser.find_element(By.ID, name)

    def sent(path: Path) -> str:
        element("file").send_keys(str(path))
        WebDriverWait(browser, 60).until(lambda _: element("file").is_enabled() and "busy" not in status())
        return str(element("words").text)

    def status() -> str:
        return str(element("status").get_attribute("class"))

    evil = tmp_path / "<img src=x onerror=document.title='owned'>.png"
    evil.write_bytes(portrait)
    browser.get(address)
    browser.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    assert browser.switch_to.active_element.get_attribute("id") == "file"

    assert re.match(r"Called (fake|real): ", sent(evil))
    assert element("name").text == evil.name
    assert re.match(
        r"probability of fake 0\.\d\d, called fake above 0\.50", element("bar").get_attribute("aria-label")
    )
    assert [len(browser.find_elements(By.CSS_SELECTOR, css)) for css in ("#stage image", ".box")] == [1, 1]
    assert len(browser.find_elements(By.CSS_SELECTOR, "#stage .glow rect")) == 16
    assert not element("timeline").is_displayed()

    assert re.match(r"Called (fake|real): ", sent(REPOSITORY / "assets" / "demo" / "actor_b.mp4"))
    assert len(browser.find_elements(By.CSS_SELECTOR, "#chart .fake, #chart .real")) == 10
    element("frame").send_keys(Keys.HOME)
    assert element("where").text.startswith("Frame 1 of 10, 0.00 s")
    element("frame").send_keys(Keys.RIGHT)
    assert element("where").text.startswith("Frame 2 of 10, 0.80 s")
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []

    sent(REPOSITORY / "README.md")
    assert element("status").text == "This is no picture and no clip that can be read, or it is cut off."
    assert not element("result").is_displayed()
    assert browser.title == "Is a face in it forged?"


def test_the_stage_serves_and_ends_well_when_it_is_told_to(
    address: str, stage: subprocess.Popen[str]
) -> None:
    with urlopen(f"{address}health") as answer:
        assert json.load(answer)["detector"]["name"] == "toy"
    stage.terminate()
    assert stage.wait(60) == 0
