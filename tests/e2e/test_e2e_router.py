"""`wireside router` between two network namespaces, and the tables that `wireside ss` and the like show of it."""
import json
import os
import re
import signal
import subprocess
import tempfile
import time

import pytest

from e2e_support import sha256
from wireside_lab import fresh_tap_name, run, wireside_binary

LEFT, LEFT_ROUTER = "10.1.0.2", "10.1.0.1"
RIGHT, RIGHT_ROUTER = "10.2.0.2", "10.2.0.1"


class Side:
    """A network namespace with one host, which holds the kernel's end of a TAP of the router."""

    def __init__(self, address, router):
        self.address, self.router = address, router
        # The namespace lives as long as this process and needs no name.
        self.holder = subprocess.Popen(["unshare", "-n", "sleep", "1000"])
        self.tap = fresh_tap_name()
        end = time.monotonic() + 5
        here = os.readlink("/proc/self/ns/net")
        while os.readlink(f"/proc/{self.holder.pid}/ns/net") == here and time.monotonic() < end:
            time.sleep(0.01)

    def adopt(self):
        """Takes the TAP over from our namespace; the router keeps its descriptor."""
        run("ip", "link", "set", self.tap, "netns", str(self.holder.pid))
        for name in ("all", "default"):
            self.run("sysctl", "-qw", f"net.ipv6.conf.{name}.disable_ipv6=1", check=False)
        self.run("ip", "link", "set", "lo", "up")
        self.run("ip", "address", "add", f"{self.address}/24", "dev", self.tap)
        self.run("ip", "link", "set", self.tap, "txqueuelen", "5000", "up")
        self.run("ip", "route", "add", "default", "via", self.router)

    def command(self, *command):
        return ["nsenter", "-t", str(self.holder.pid), "-n", *command]

    def run(self, *command, **options):
        return run(*self.command(*command), **options)

    def end(self):
        self.holder.kill()
        self.holder.wait()


class Lab:
    def __init__(self, tmp_path, options):
        binary = wireside_binary()
        self.left, self.right = Side(LEFT, LEFT_ROUTER), Side(RIGHT, RIGHT_ROUTER)
        self.control = str(tmp_path / "control.sock")
        self.errors = tempfile.TemporaryFile()
        self.router = subprocess.Popen(
            [binary, "router", "--tap", f"{self.left.tap},ip={LEFT_ROUTER}/24", "--tap",
             f"{self.right.tap},ip={RIGHT_ROUTER}/24", "--route", f"10.66.0.0/24,via={LEFT}", "--control", self.control,
             "--no-acd", *options],
            stdout=subprocess.PIPE, stderr=self.errors, text=True)
        try:
            for _ in range(2):
                assert "routing for" in self.router.stdout.readline(), self.complaints()
            self.left.adopt()
            self.right.adopt()
        except BaseException:
            self.end()
            raise

    def complaints(self):
        return os.pread(self.errors.fileno(), 1 << 20, 0).decode()

    def ask(self, *arguments):
        return run(wireside_binary(), *arguments, "--control", self.control).stdout

    def end(self):
        self.router.send_signal(signal.SIGINT)
        try:
            return self.router.wait(10)
        finally:
            if self.router.poll() is None:
                self.router.kill()
            self.left.end()
            self.right.end()


@pytest.fixture(params=[(), ("--no-offload",)], ids=["offload", "no-offload"])
def lab(request, tmp_path):
    lab = Lab(tmp_path, request.param)
    yield lab
    assert lab.end() == 0, lab.complaints()


def test_a_ping_loses_one_hop(lab):
    out = lab.left.run("ping", "-c", "3", "-i", "0.2", "-W", "2", RIGHT).stdout
    assert out.count("ttl=63") == 3, out
    assert lab.left.run("ping", "-c", "1", "-W", "2", RIGHT_ROUTER).stdout.count("ttl=64") == 1


def test_ttl_1_is_answered_by_the_near_side(lab):
    done = lab.left.run("ping", "-c", "1", "-W", "2", "-t", "1", RIGHT, check=False)
    assert done.returncode == 1
    assert re.search(rf"From {re.escape(LEFT_ROUTER)}.*Time to live exceeded", done.stdout), done.stdout


def test_no_route_and_no_such_host(lab):
    done = lab.left.run("ping", "-c", "1", "-W", "2", "192.0.2.1", check=False)
    assert re.search(rf"From {re.escape(LEFT_ROUTER)}.*Net Unreachable", done.stdout), done.stdout
    done = lab.left.run("ping", "-c", "1", "-W", "12", "10.2.0.99", check=False)
    assert re.search(rf"From {re.escape(LEFT_ROUTER)}.*Host Unreachable", done.stdout), done.stdout


@pytest.mark.requirement("RTR-01", "RTR-03")
def test_what_the_router_itself_sends_leaves_at_once(lab):
    """Nothing else moves meanwhile: no other frame may be needed to set its own packets going."""
    lab.left.run("ip", "address", "add", "10.66.0.1/32", "dev", "lo")  # a host that is not on the router's link
    time.sleep(6)
    far = lab.left.run("ping", "-c", "1", "-W", "1", RIGHT_ROUTER).stdout
    assert "1 received" in far, far
    time.sleep(6)
    expired = lab.left.run("ping", "-c", "1", "-W", "1", "-t", "1", "-I", "10.66.0.1", RIGHT, check=False).stdout
    assert "Time to live exceeded" in expired, expired


def test_a_file_passes_unchanged_both_ways(lab, make_file, tmp_path):
    source = make_file(32 << 20)
    server = subprocess.Popen(lab.right.command("python3", "-m", "http.server", "8000", "--directory", str(source.parent)),
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 10
        while lab.left.run("nc", "-z", "-w", "1", RIGHT, "8000", check=False).returncode != 0:
            assert time.monotonic() < end
            time.sleep(0.1)
        got = tmp_path / "got.bin"
        lab.left.run("curl", "-sS", "--max-time", "60", "-o", str(got), f"http://{RIGHT}:8000/{source.name}", timeout=90)
        assert sha256(got) == sha256(source)
    finally:
        server.kill()
        server.wait()
    assert lab.ask("stats").count("IpForwDatagrams") == 2, "both interfaces forwarded"


def test_its_tables(lab):
    lab.left.run("ping", "-c", "1", "-W", "2", RIGHT)
    routes = lab.ask("route")
    assert f"10.1.0.0/24 dev {lab.left.tap}" in routes and f"10.2.0.0/24 dev {lab.right.tap}" in routes
    assert re.search(rf"^{re.escape(RIGHT)} dev {lab.right.tap} lladdr \S+ \w+$", lab.ask("neigh"), re.M)
    assert lab.ask("route", "get", RIGHT).startswith(f"{RIGHT} dev {lab.right.tap} src {RIGHT_ROUTER} ")
    assert lab.ask("route", "get", "10.66.0.7").startswith(f"10.66.0.7 via {LEFT} dev {lab.left.tap} src {LEFT_ROUTER} ")
    assert lab.ask("route", "get", RIGHT_ROUTER).startswith(f"local {RIGHT_ROUTER} dev lo ")
    addresses = json.loads(lab.ask("addr", "-j"))
    assert [a["addr_info"][0]["local"] for a in addresses] == [LEFT_ROUTER, RIGHT_ROUTER]
    counters = json.loads(lab.ask("stats", "-j"))[0]["counters"]
    assert counters["IpInReceives"] >= 1 and counters["IfInFrames"] >= 2


def test_one_interface_is_no_router():
    done = run(wireside_binary(), "router", "--tap", "x0,ip=10.0.0.1/24", check=False)
    assert done.returncode == 2 and "two interfaces" in done.stderr and "try:" in done.stderr


@pytest.mark.parametrize("tap", ["x0", "x0,ip=300.1.1.1/24", "x0,ip=10.0.0.1/24,speed=3", "x0,ip=10.0.0.1/24,mtu=1",
                                 ",ip=10.0.0.1/24"])
def test_wrong_interfaces_are_refused(tap):
    done = run(wireside_binary(), "router", "--tap", tap, "--tap", "x1,ip=10.2.0.1/24", check=False)
    assert done.returncode == 2 and "try:" in done.stderr, done.stderr


@pytest.mark.parametrize("tap, text", [
    ("x0,dhcp,ip=10.0.0.1/24", "exclude each other"), ("x0,hostname=a,ip=10.0.0.1/24", "without dhcp"),
    ("x0,dhcp=yes", "is none of"), ("x0", "neither an address nor dhcp"), ("x0,dhcp,hostname=a b", "host name")])
def test_wrong_interfaces_with_dhcp_are_refused(tap, text):
    done = run(wireside_binary(), "router", "--tap", tap, "--tap", "x1,ip=10.2.0.1/24", check=False)
    assert done.returncode == 2 and text in done.stderr and "try:" in done.stderr, done.stderr


def test_on_conflict_is_known():
    done = run(wireside_binary(), "router", "--tap", "x0,ip=10.0.0.1/24", "--tap", "x1,ip=10.2.0.1/24", "--on-conflict",
               "panic", check=False)
    assert done.returncode == 2 and "--on-conflict" in done.stderr


def test_an_upstream_interface_by_dhcp(tmp_path):
    """The right side leases an address to the router and is its way to everywhere."""
    left, right = Side(LEFT, LEFT_ROUTER), Side(RIGHT, "10.2.0.50")
    control = str(tmp_path / "control.sock")
    errors = tempfile.TemporaryFile()
    router = subprocess.Popen(
        [wireside_binary(), "router", "--tap", f"{left.tap},ip={LEFT_ROUTER}/24", "--tap", f"{right.tap},dhcp", "--route",
         f"172.16.0.0/12,via={RIGHT}", "--control", control, "--no-acd"], stdout=subprocess.PIPE, stderr=errors, text=True)
    dnsmasq = None
    try:
        assert f"routing for 10.1.0.0/24 as {LEFT_ROUTER}" in router.stdout.readline()
        left.adopt()
        right.adopt()
        right.run("ip", "address", "add", "192.0.2.1/32", "dev", "lo")
        leases = tmp_path / "leases"
        dnsmasq = subprocess.Popen(right.command(
            "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--port=0", f"--interface={right.tap}", "--bind-interfaces",
            "--except-interface=lo", "--dhcp-authoritative", "--no-ping", "--user=root", "--pid-file=",
            f"--dhcp-leasefile={leases}", "--dhcp-range=10.2.0.50,10.2.0.50,255.255.255.0,120s"),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert f"routing for 10.2.0.0/24 as 10.2.0.50 on {right.tap}" in router.stdout.readline()

        def ask(*arguments):
            return run(wireside_binary(), *arguments, "--control", control).stdout

        routes = ask("route")
        assert f"default via {RIGHT} dev {right.tap} proto dhcp" in routes, routes
        assert f"172.16.0.0/12 via {RIGHT} dev {right.tap} proto static" in routes, "it waited for the lease's network"
        assert re.search(rf"inet 10\.2\.0\.50/24 brd 10\.2\.0\.255 scope global dynamic {right.tap}\n"
                         r" +valid_lft 1\d\dsec", ask("addr")), ask("addr")
        out = left.run("ping", "-c", "2", "-i", "0.2", "-W", "2", "192.0.2.1").stdout
        assert out.count("ttl=63") == 2, out
        router.send_signal(signal.SIGINT)
        assert router.wait(10) == 0
        end = time.monotonic() + 3
        while leases.read_text().strip():  # given back
            assert time.monotonic() < end, leases.read_text()
            time.sleep(0.05)
    finally:
        for process in (router, dnsmasq):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        left.end()
        right.end()
        errors.close()
