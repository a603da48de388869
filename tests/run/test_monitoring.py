"""The files of docs/monitoring ask for figures that a running portal has."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.faults.portal import Browser
from tests.run.conftest import TOP, Muster

pytestmark = pytest.mark.slow

TOKEN = "a-token-for-the-monitor"
FOLDER = TOP / "docs" / "monitoring"
ALERTS = yaml.safe_load((FOLDER / "alerts.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]
PANELS = json.loads((FOLDER / "grafana.json").read_text(encoding="utf-8"))["panels"]
EXPRESSIONS = {rule["alert"]: rule["expr"] for rule in ALERTS} | {
    f"{panel['title']} {target['refId']}": target["expr"] for panel in PANELS for target in panel["targets"]
}
ASKED = re.compile(r"\b((?:muster|process|python)_\w+|up)\b(?:\{([^}]*)\})?")
LABEL = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
ENDPOINTS = {line.split()[2] for line in (TOP / "routes.txt").read_text(encoding="utf-8").splitlines()}
OF_PROMETHEUS = {"job", "instance"}
"""Labels that each figure gets when it is read."""

Figures = dict[str, dict[str, set[str]]]
"""Of each figure its labels, and the values that each label has."""


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Figures]:
    """What /metrics of a portal tells in which somebody tried to sign in."""
    owner = {"MUSTER_OWNER_EMAIL": "maren@northfield.example", "MUSTER_OWNER_PASSWORD": "correct horse battery"}
    muster = Muster(tmp_path_factory.mktemp("monitoring") / "data", MUSTER_METRICS_TOKEN=TOKEN, **owner).migrated()
    try:
        muster.started()
        browser = Browser(muster.port)
        browser.get("/sign-in")
        assert browser.post("/sign-in", email="nobody@northfield.example", password="wrong")[0] == 422
        yield read_figures(muster.port)
        assert muster.stop() == 0
    finally:
        muster.clean_up()


def read_figures(port: int) -> Figures:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    text = connection.getresponse().read().decode()
    connection.close()
    found: Figures = {"up": {}}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = found.setdefault(sample.name, {})
            for name, value in sample.labels.items():
                labels.setdefault(name, set()).add(value)
    return found


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_what_is_asked_for_is_there(figures: Figures, name: str) -> None:
    asked = ASKED.findall(EXPRESSIONS[name])
    assert asked, "it asks for something"
    for figure, selector in asked:
        assert figure in figures, "there is such a figure"
        for label, _, pattern in LABEL.findall(selector):
            if label in OF_PROMETHEUS:
                continue
            assert label in figures[figure], f"{figure} has a label {label}"
            for one in pattern.split("|"):
                known = possible(figures, figure, label)
                assert any(re.fullmatch(one, value) for value in known), f"{label} can be {one}"


def possible(figures: Figures, figure: str, label: str) -> set[str]:
    """What a label may be; of requests also what nobody has asked for yet."""
    if label == "endpoint":
        return ENDPOINTS
    if label == "status":
        return {f"{n}xx" for n in range(1, 6)}
    return figures[figure][label]


def test_a_refused_sign_in_is_counted_where_the_rule_looks(figures: Figures) -> None:
    counted = figures["muster_request_seconds_count"]
    assert ("sessions.new" in counted["endpoint"], "4xx" in counted["status"]) == (True, True)


def test_each_alert_says_what_to_do() -> None:
    for rule in ALERTS:
        assert rule["labels"]["severity"] in ("critical", "warning"), rule["alert"]
        assert set(rule["annotations"]) == {"summary", "action"}, rule["alert"]


def test_no_panel_covers_another() -> None:
    cells: set[tuple[int, int]] = set()
    for panel in PANELS:
        place: dict[str, Any] = panel["gridPos"]
        own = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert place["x"] + place["w"] <= 24
        assert not own & cells, panel["title"]
        cells |= own
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)


def test_prometheus_reads_them() -> None:
    times = {"$__rate_interval": "5m", "$job": "muster"}
    for title, expression in EXPRESSIONS.items():
        for name, value in times.items():
            expression = expression.replace(name, value)
        try:
            promql_parser.parse(expression)
        except ValueError as error:
            pytest.fail(f"{title}: {error}")
