"""`--trace` with reasons, filters and tcpdump's options, and captures: rotation, a pipe, TCP variables, and Wireshark's list of
interfaces."""
import os
import re
import subprocess
import time

import pytest

from e2e_support import DUT, HOST
from wireside_lab import run, wireside_binary


def get():
    run("curl", "-sS", "-m", "20", "-o", os.devnull, f"http://{DUT}/page", timeout=30)


@pytest.fixture
def served(wireside, tmp_path):
    """Serves a folder with a page of 40,000 octets, with these options."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "page").write_bytes(b"x" * 40_000)

    def start(*options):
        return wireside("serve", "--root", str(root), options=options).wait_until_up()
    return start


def test_why_tells_reasons_states_and_variables_under_each_frame(served):
    server = served("--why")
    get()
    time.sleep(0.3)
    trace = server.end()[2]
    assert re.search(r"^[\d:.]+     #\d+ LISTEN -> SYN-RECEIVED \(SYN received\)$", trace, re.M), trace
    assert re.search(r"^[\d:.]+     #\d+ SYN-ACK: answers the SYN, acknowledges it$", trace, re.M), trace
    assert re.search(r"^[\d:.]+     #\d+ data: \d+ octets( in \d+ segments)?; \d+ in flight, ", trace, re.M), trace
    assert re.search(r"^[\d:.]+     #\d+ .*cwnd 14480", trace, re.M), trace
    assert "<- " not in trace
    # The reason stands right under the frame that was sent for it.
    lines = trace.splitlines()
    for at, line in enumerate(lines):
        if " Out IP " in line:
            assert re.match(r"[\d:.]+     (#\d+ )?\S", lines[at + 1]), lines[at:at + 2]
    assert "\x1b[" not in trace  # no terminal, no colours


def test_a_filter_shows_one_connection_alone(served):
    server = served("--trace-filter", f"tcp port 7 and host {HOST}")
    get()
    run("nc", "-N", "-w", "5", DUT, "7", input="hello\n")
    time.sleep(0.3)
    trace = server.end()[2]
    frames = [line for line in trace.splitlines() if " In  IP " in line or " Out IP " in line]
    assert frames and all(f"{DUT}.7" in line for line in frames), trace
    numbers = set(re.findall(r" #(\d+) ", trace))
    assert len(numbers) == 1, trace


def test_a_filter_that_is_none_is_a_usage_error():
    done = subprocess.run([wireside_binary(), "serve", "--ip", f"{DUT}/24", "--trace-filter", "tcp prt 80"],
                          capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 2 and "syntax error" in done.stderr and "try: " in done.stderr, done.stderr


@pytest.mark.parametrize("options", [(), ("-S",), ("-e",), ("-x",), ("-S", "-e", "-x")], ids="".join)
def test_lines_are_those_of_tcpdump(served, tmp_path, options):
    """Of the same frames, from our own capture: the same lines, the same times to the microsecond."""
    capture = tmp_path / "all.pcapng"
    server = served("--trace", "--no-offload", "--pcapng", str(capture), *options)
    run("nc", "-N", "-w", "5", DUT, "7", input="hello\n" * 300)
    run("ping", "-c", "2", "-i", "0.2", DUT)
    time.sleep(0.3)
    trace = server.end()[2]
    ours = []
    for line in trace.splitlines():
        if found := re.match(r"([\d:.]+) (?:In |Out) (.*?)(  <- .*)?$", line):
            ours.append(f"{found[1]} {found[2]}")
        elif line.startswith("\t0x"):
            ours.append(line)
    theirs = run("tcpdump", "-nn", *options, "-r", str(capture)).stdout.splitlines()
    # tcpdump reads HTTP, where we are silent; and it drops what comes from nowhere.
    keep = [i for i, line in enumerate(theirs) if "HTTP" not in line]
    assert len(ours) == len(theirs) > 15
    assert [ours[i] for i in keep] == [theirs[i] for i in keep]


def test_captures_rotate_and_carry_the_variables(served, tmp_path):
    server = served("--pcapng", str(tmp_path / "ring.pcapng"), "--pcapng-size", "30kB", "--pcapng-files", "2")
    for _ in range(6):
        get()
    time.sleep(0.2)
    assert server.end()[0] == 0
    files = sorted(tmp_path.glob("ring_*.pcapng"))
    assert len(files) == 2 and not (tmp_path / "ring.pcapng").exists()
    for file in files:
        windows = run("tshark", "-r", str(file), "-Y", "bblog.state == 4", "-T", "fields", "-e", "bblog.snd_cwnd").stdout
        assert windows.split() and all(int(w) >= 1448 for w in windows.split())


def test_a_capture_in_a_pipe_leaves_standard_output_to_itself(wireside, tmp_path):
    (tmp_path / "page").write_bytes(b"x" * 1000)
    server = wireside("serve", "--root", str(tmp_path), options=["--pcapng", "-", "--no-bblog"]).wait_until_up()
    run("curl", "-sS", "-m", "20", "-o", os.devnull, f"http://{DUT}/page", timeout=30)
    time.sleep(0.2)
    octets = server.output()[0]  # while it runs: each frame is there at once
    assert octets[:4] == b"\x0a\x0d\x0d\x0a"
    (tmp_path / "copy.pcapng").write_bytes(octets)
    seen = run("tshark", "-r", str(tmp_path / "copy.pcapng"), "-Y", "http.response", "-T", "fields", "-e", "frame.comment")
    assert "sent: data" in seen.stdout
    assert "wireside: serving" in server.end()[2]


def test_contradictions_are_usage_errors(tmp_path):
    for options in (["--pcapng-files", "2"], ["--pcapng", "-", "--pcapng-size", "1MB"], ["--pcapng-size", "much"]):
        done = subprocess.run([wireside_binary(), "serve", "--ip", f"{DUT}/24", *options], capture_output=True, text=True,
                              timeout=20, check=False)
        assert done.returncode == 2 and "try: " in done.stderr, (options, done.stderr)


@pytest.fixture
def tshark_with_wireside(tmp_path):
    """Runs tshark where the folder of its extcap programs holds wireside alone."""
    folder = tmp_path / "extcap"
    run(wireside_binary(), "extcap", "--install", str(folder))
    usual = re.search(r"^Extcap path:\s+(/\S+)", run("tshark", "-G", "folders").stdout, re.M)[1]
    if not os.path.isdir(usual):
        pytest.skip(f"{usual} is not there")
    # In a mount namespace of its own: nobody else sees it.
    return ["unshare", "--mount", "sh", "-c", f"mount --bind '{folder}' '{usual}' && exec tshark \"$@\"", "tshark"]


def test_what_wireshark_asks_is_answered(tmp_path):
    folder = tmp_path / "extcap"
    assert "wireside" in run(wireside_binary(), "extcap", "--install", str(folder)).stdout
    script = str(folder / "wireside")
    assert "interface {value=wireside}" in run(script, "--extcap-interfaces", "--extcap-version=4.0").stdout
    assert "dlt {number=1}" in run(script, "--extcap-interface", "wireside", "--extcap-dlts").stdout
    assert "{call=--ip}" in run(script, "--extcap-interface", "wireside", "--extcap-config").stdout
    for wrong in (["--extcap-interface", "eth9", "--extcap-dlts"], ["--extcap-interface", "wireside", "--capture"], []):
        refused = run(script, *wrong, check=False)
        assert refused.returncode == 2 and "try: " in refused.stderr


def test_wireshark_lists_wireside_as_an_interface(tshark_with_wireside):
    listed = run(*tshark_with_wireside, "-D").stdout
    assert re.search(r"^\d+\. wireside \(wireside: an endpoint that says why\)$", listed, re.M), listed


def test_wireshark_captures_from_wireside(tshark_with_wireside, tmp_path, tap):
    (tmp_path / "page").write_bytes(b"x" * 1000)
    captured = tmp_path / "got.pcapng"
    options = {"ip": f"{DUT}/24", "tap": tap, "root": str(tmp_path), "further": "--no-acd --seed 7"}
    settings = [part for name, value in options.items() for part in ("-o", f"extcap.wireside.{name}:{value}")]
    with subprocess.Popen([*tshark_with_wireside, "-i", "wireside", *settings, "-w", str(captured)],
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            end = time.monotonic() + 15
            while time.monotonic() < end and run("nc", "-z", "-w", "1", DUT, "80", check=False).returncode != 0:
                time.sleep(0.1)
            get()
            time.sleep(0.5)
        finally:
            process.terminate()
            process.communicate(timeout=10)
    comments = run("tshark", "-r", str(captured), "-Y", "http.response", "-T", "fields", "-e", "frame.comment").stdout
    assert "sent: data" in comments
    states = run("tshark", "-r", str(captured), "-Y", "bblog", "-T", "fields", "-e", "bblog.state").stdout
    assert "4" in states.split()
    # The endpoint ends with the capture.
    assert run("nc", "-z", "-w", "1", DUT, "80", check=False).returncode != 0
