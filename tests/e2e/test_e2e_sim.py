"""`wireside sim`: every example scenario runs, and always the same way; its captures please tshark."""
import json
import pathlib
import subprocess

import pytest

from wireside_lab import run, wireside_binary

SCENARIOS = sorted((pathlib.Path(__file__).resolve().parents[2] / "docs" / "scenarios").glob("*.sim"))


def simulate(*arguments, **options):
    return run(wireside_binary(), "sim", *map(str, arguments), timeout=120, **options)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem)
def test_an_example_runs_and_always_the_same_way(scenario):
    first, again = simulate("-j", scenario).stdout, simulate("-j", scenario).stdout
    assert first == again
    summary = json.loads(first)
    assert all(flow["state"] == "done" and flow["octets"] > 0 for flow in summary["flows"]), first


def test_events_and_captures_are_the_same_octets_and_sound(tmp_path):
    scenario = next(path for path in SCENARIOS if path.stem == "third-segment")
    for name in ("one", "two"):
        simulate("--events", tmp_path / f"{name}.jsonl", "--pcap-dir", tmp_path / name, scenario)
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()
    for host in ("client", "server"):
        one, two = (tmp_path / name / f"{host}.pcapng" for name in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()
    events = [json.loads(line) for line in (tmp_path / "one.jsonl").read_text().splitlines()]
    (lost,) = [e for e in events if e["event"] == "impaired"]
    assert lost["node"] == "client" and lost["action"] == "drop rule" and lost["direction"] == "out"
    analysis = run("tshark", "-r", str(tmp_path / "one" / "client.pcapng"), "-Y", "tcp.analysis.retransmission").stdout
    assert len(analysis.splitlines()) == 1, analysis
    bad = run("tshark", "-r", str(tmp_path / "one" / "client.pcapng"), "-o", "tcp.check_checksum:TRUE", "-Y",
              "tcp.checksum.status == 0 or ip.checksum.status == 0 or _ws.malformed").stdout
    assert bad == ""


def test_the_seed_option_goes_before_the_scenarios():
    scenario = next(path for path in SCENARIOS if path.stem == "bursts")
    assert simulate("-j", scenario).stdout == simulate("--seed", "5", "-j", scenario).stdout
    assert simulate("-j", scenario).stdout != simulate("--seed", "6", "-j", scenario).stdout


def test_a_wrong_scenario_is_a_usage_error_with_its_line(tmp_path):
    scenario = tmp_path / "wrong.sim"
    scenario.write_text("host a\nhost b\nlink a b both=delay=5\n")
    done = simulate(scenario, check=False)
    assert done.returncode == 2
    assert f"{scenario}:3: delay=5: the value is not a duration" in done.stderr and "try: delay=20ms" in done.stderr
    missing = simulate(tmp_path / "none.sim", check=False)
    assert missing.returncode == 1 and "cannot read the scenario" in missing.stderr


def test_a_flow_that_does_not_end_is_a_failure(tmp_path):
    scenario = tmp_path / "slow.sim"
    scenario.write_text("stop 1s\nhost a\nhost b\nlink a b both=rate=100kbit,delay=1ms\nflow f a b octets=1MB\n")
    done = simulate(scenario, check=False)
    assert done.returncode == 1 and "flow f: unfinished after" in done.stderr


@pytest.mark.parametrize("form", [(), ("-j",)], ids=["text", "json"])
def test_a_summary_that_cannot_be_written_is_a_failure(form):
    scenario = next(path for path in SCENARIOS if path.stem == "third-segment")
    with open("/dev/full", "w") as full:
        done = subprocess.run([wireside_binary(), "sim", *form, str(scenario)], stdout=full, stderr=subprocess.PIPE,
                              text=True, timeout=120)
    assert done.returncode == 1
    assert "cannot write to standard output: No space left on device" in done.stderr


@pytest.mark.parametrize("seed", ["-1", "x", "1.5", "18446744073709551616"])
def test_a_seed_is_a_whole_number(seed):
    done = simulate("--seed", seed, SCENARIOS[0], check=False)
    assert done.returncode == 2
    assert f"--seed {seed} is not a whole number" in done.stderr and "try: --seed 7" in done.stderr


def test_a_flow_that_delivers_nothing_is_a_failure(tmp_path):
    scenario = tmp_path / "deaf.sim"
    scenario.write_text("host a\nhost b\nlink a b both=loss=100%\nflow f a b for=5s\n")
    done = simulate(scenario, check=False)
    assert done.returncode == 1 and "flow f: failed: nothing was delivered in its time after 0 octets" in done.stderr
