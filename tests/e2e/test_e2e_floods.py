"""Floods of ARP, fragments and ICMP: memory stays bounded and a transfer goes on. tests/bench/floods.py does it for
minutes; this is the same program for seconds, not as fast."""
import json
import pathlib
import subprocess

import pytest

from wireside_lab import wireside_binary

FLOODS = pathlib.Path(__file__).resolve().parents[1] / "bench" / "floods.py"
SECONDS, RATE = 6, 20000


@pytest.mark.parametrize("flood", [
    "ARP", pytest.param("fragments", marks=pytest.mark.requirement("FRAG-04", "FRAG-07")), "ICMP"])
def test_memory_is_bounded_and_the_transfer_goes_on(flood):
    done = subprocess.run(
        ["/usr/bin/python3", str(FLOODS), "--wireside", wireside_binary(), "--flood", flood, "--seconds", str(SECONDS),
         "--rate", str(RATE), "--calm", "2", "--quiet", "1", "--goodput", "4", "--json"],
        capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["wrong"] == 0 and figures["copies"] >= 1
    (result,) = figures["floods"]
    assert result["received"] >= SECONDS * RATE / 20, "a flood did arrive"
    assert max(result["memory"]) <= result["bound"]
    before, during, _ = result["goodput"]
    assert during > before / 10, "the transfer went on"
    counters = result["counters"]
    if flood == "ARP":
        assert counters["ArpOutReplies"] > 1000 and result["neighbours"] <= 512
    elif flood == "fragments":
        assert counters["reassembly memory full"] > 0 and counters["overlapping IP fragment"] > 0
        assert counters["IpReasmFails"] > 0 and counters.get("IpReasmOKs", 0) == 0
    else:
        assert counters["ICMP message about what we did not send"] > 0
        assert result["parked"] <= 1024 + 512
