"""scripts/bench's measuring part for a second: the form of its JSON, and what it says of wrong arguments."""
import json
import pathlib
import subprocess

MAIN = pathlib.Path(__file__).resolve().parents[1] / "bench" / "compare" / "main.py"


def bench(*arguments):
    return subprocess.run(["/usr/bin/python3", str(MAIN), *arguments], capture_output=True, text=True, timeout=60)


def test_a_row_is_measured_and_told_as_json(tmp_path):
    file = tmp_path / "figures.json"
    done = bench("--rows", "ping", "--rounds", "2", "--seconds", "0.1", "--json", str(file))
    assert done.returncode == 0, done.stderr
    assert "ping -f, average" in done.stdout and "\033" not in done.stdout
    figures = json.loads(file.read_text())
    assert figures["format"] == 1 and figures["rounds"] == 2 and figures["failures"] == []
    contenders = figures["rows"]["ping"]["contenders"]
    for key in ("wireside", "limit"):
        value = contenders[key]["metrics"]["value"]
        assert len(value["values"]) == 2 and 0 < value["min"] <= value["median"] <= value["max"]
    ratio = contenders["wireside"]["metrics"]["value"]["median"] / contenders["limit"]["metrics"]["value"]["median"]
    assert abs(figures["ratios"]["ping/wireside:limit"] - ratio) < 1e-9
    bar = figures["bars"]["receive-offload-lent-of-limit"]
    assert bar["bound"] == 0.85 and bar["ratio"] is None and bar["met"] is None, "not measured is not met and not missed"


def test_what_was_kept_can_be_shown_again(tmp_path):
    file = tmp_path / "figures.json"
    assert bench("--rows", "start-up", "--rounds", "1", "--json", str(file)).returncode == 0
    shown = bench("--from", str(file))
    assert shown.returncode == 0 and "From exec to listening" in shown.stdout


def test_wrong_arguments_are_told():
    done = bench("--rows", "speed")
    assert done.returncode == 2 and "there is no row speed" in done.stderr and "receive-offload" in done.stderr
    assert bench("--rounds", "0").returncode == 2
    assert bench("--from", "/nowhere.json").returncode == 2


def test_the_page_and_its_charts_are_made_from_what_was_kept(tmp_path):
    kept = MAIN.parents[3] / "docs" / "benchmarks" / "results.json"
    done = bench("--from", str(kept), "--docs", str(tmp_path / "page"))
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "page" / "README.md").read_text()
    charts = sorted(path.name for path in (tmp_path / "page").glob("*.svg"))
    assert "bulk.svg" in charts and "http.svg" in charts and all(name in page for name in charts)
