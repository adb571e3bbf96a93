"""The kernel's stack as the device under test (`pytest --target linux`): it has the address on a TAP, and the test holds
the TAP's other end. docs/linux_differences.md lists the tests that Linux fails, and why."""
import fcntl
import itertools
import os
import pathlib
import re
import select
import struct
import subprocess
import sys
import threading

import pytest

from linux_options import write_sysctl
from wireside_dut import Call, Dut, DutError
from wireside_lab import REPOSITORY, fresh_tap_name, run
from wireside_wire import DUT_IP, Wire

DIFFERENCES = REPOSITORY / "docs" / "linux_differences.md"
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
# What only the agent has: these modules test that, not the protocols.
WITHOUT_COUNTERPART = {
    "test_acd": "address conflict detection", "test_agent": "own protocol", "test_dhcp": "DHCP client",
    "test_dns": "resolver",
}
# Settings of the agent that the kernel has too.
SETTINGS = {
    "tail_loss_probe=false": ("tcp_early_retrans", "0"),
    "fin_wait_2_timeout_ms=700": ("tcp_fin_timeout", "1"),
}
ALWAYS = {
    "tcp_no_metrics_save": "1",     # a test's ssthresh is not the next one's
    "tcp_invalid_ratelimit": "0",   # every answer to an unacceptable segment is sent
    "icmp_ratelimit": "0",
    "conf/all/rp_filter": "0",      # the larger of this and the interface's counts
    "icmp_msgs_per_sec": "100000",
    "tcp_early_retrans": "3",       # the kernel's own, after a module that set another
    "tcp_fin_timeout": "60",
    "ping_group_range": "0 2147483647",
    "tcp_fastopen": "3",            # both as client and as server, where a socket asks for it
    "tcp_fastopen_blackhole_timeout_sec": "0",
    "tcp_ecn": "2",                 # the kernel's own, after a test that set another
}


class TapSocket:
    """The test's end of a TAP, with what Wire uses of a packet socket."""

    def __init__(self, name):
        self.fd = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(self.fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
        self.timeout = 0.2

    def settimeout(self, seconds):
        self.timeout = seconds

    def recvmsg(self, size, _):
        if not select.select([self.fd], [], [], self.timeout)[0]:
            raise TimeoutError
        return os.read(self.fd, size), [], 0, ("", 0, 0)

    def send(self, octets):
        return os.write(self.fd, octets)

    def close(self):
        os.close(self.fd)


class Answer(dict):
    """An answer in which the kernel does not tell everything."""

    def __missing__(self, field):
        pytest.skip(f"needs the agent's field {field!r}")


class LinuxCall(Call):
    def result(self, within=10.0):
        try:
            answer = super().result(within)
        except DutError as refused:
            if refused.error == "ENOSYS":
                pytest.skip(refused.answer["message"])
            raise
        return Answer(answer)


class LinuxDut(Dut):
    """An agent process over kernel sockets."""

    call_type = LinuxCall

    def __init__(self, *arguments, mtu=1500, offload=False, address=f"{DUT_IP}/24", **_):
        if offload:
            pytest.skip("needs the agent's offloads")
        self.sysctls = ALWAYS | dict(SETTINGS[a] for a in arguments if a in SETTINGS)
        self.write_sysctls()
        self.tap = fresh_tap_name()
        tap_socket = TapSocket(self.tap)
        run("ip", "link", "set", self.tap, "mtu", str(mtu), "txqueuelen", "5000", "up")
        run("ip", "address", "add", address, "dev", self.tap)
        run("ip", "route", "add", "default", "via", "10.9.0.254")
        write_sysctl(f"conf/{self.tap}/rp_filter", "0")
        self.wire = Wire(self.tap, tap_socket, outlived=True)
        self.process = subprocess.Popen([sys.executable, str(pathlib.Path(__file__).parent / "linux_agent.py"), self.tap,
                                         "reno" if "congestion=newreno" in arguments else "cubic", max_syn_queue(arguments)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        self.events, self.stderr, self.strays = [], [], []
        self._ids, self._calls, self._lock = itertools.count(1), {}, threading.Lock()
        self.start_readers()
        self.config = self.call("config")
        self.wire.dut_mac = self.config["mac"] = mac_of(self.tap)
        self.wire.introduce()

    def write_sysctls(self):
        for name, value in self.sysctls.items():
            write_sysctl(name, value)

    def reset(self):
        self.write_sysctls()
        for socket in self.call("list")["sockets"]:
            self.call("abort", socket=socket["socket"])
        run("ip", "neighbour", "flush", "dev", self.tap)  # what failed for one test is asked for anew in the next


def max_syn_queue(arguments):
    given = [a.removeprefix("max_syn_queue=") for a in arguments if a.startswith("max_syn_queue=")]
    return given[-1] if given else "65535"


def mac_of(interface):
    return re.search(r"link/ether (\S+)", run("ip", "link", "show", interface).stdout).group(1)


class Difference:
    """A row of the table of docs/linux_differences.md."""

    def __init__(self, places, reason):
        self.places = [place.replace("\\|", "|") for place in re.findall(r"`([^`]+)`", places)]
        self.reason = reason
        self.always = not reason.startswith("(not always)")


def differences():
    """Test -> Difference."""
    rows = re.findall(r"^\| `([^`]+)` \| (.*?) \| (.+) \|$", DIFFERENCES.read_text(), re.MULTILINE)
    return {test: Difference(places, reason) for test, places, reason in rows}


def listed_as(item, listed):
    name = f"{item.path.name}::{item.name}"
    return listed.get(name) or listed.get(name.split("[")[0])


def mark_items(items):
    """Skips what has no counterpart, and expects the listed failures: a test that begins to pass is reported."""
    listed = differences()
    for item in items:
        module = item.path.stem
        if module in WITHOUT_COUNTERPART:
            item.add_marker(pytest.mark.skip(reason=f"needs the agent's {WITHOUT_COUNTERPART[module]}"))
        item.linux_difference = listed_as(item, listed)
        if item.linux_difference:
            item.add_marker(pytest.mark.xfail(strict=item.linux_difference.always, reason=item.linux_difference.reason))


def check_place(item, call, report):
    """A listed test that fails, but elsewhere than the list says, or is skipped, is a failure: its reason is not true."""
    difference = getattr(item, "linux_difference", None)
    if report.when != "call" or difference is None or report.outcome != "skipped" or not difference.always:
        return
    if not hasattr(report, "wasxfail"):
        found = "skipped"
    else:
        frames = [entry for entry in call.excinfo.traceback if pathlib.Path(str(entry.path)) == item.path]
        found = str(frames[-1].statement).strip().split("\n")[0] if frames else "outside of the test"
    if not any(found.startswith(place) for place in difference.places):
        del report.wasxfail
        report.outcome = "failed"
        report.longrepr = f"listed in {DIFFERENCES.name} as failing at {difference.places}, and here: {found}"
