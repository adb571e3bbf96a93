#!/usr/bin/python3
"""The figures of the main job: the host's ping, curl and wrk against `wireside serve`, beside the same transfers to a
kernel server (nginx over a veth pair). Rounds alternate, medians are printed with their spread; nothing is asserted
about speed, but a wrong octet, a lost ping or a failed request ends it with status 1.

Needs root, a Release build, and for the comparison nginx (apt-get install nginx-light). All in namespaces of its own.
"""
import argparse
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from bench_support import ADDRESS, BINARY, Failure, Wireside, digest, scratch_place, tool
from wireside_lab import enter_namespace, run

KERNEL, KERNEL_HOST = "10.1.0.2", "10.1.0.1"
NGINX = """worker_processes 1; daemon off; pid {d}/nginx.pid; error_log {d}/nginx.err; user root;
events {{ worker_connections 1024; }}
http {{ access_log off; client_max_body_size 0; client_body_temp_path {d}/body; keepalive_requests 1000000000;
  server {{ listen {ip}:80; root {d}/www; location / {{ dav_methods PUT; }} }} }}
"""


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wireside", default=BINARY, help="the program to measure")
    parser.add_argument("--mib", type=int, default=1024, help="size of the file that is moved (default 1024)")
    parser.add_argument("--rounds", type=int, default=3, help="alternating rounds (default 3)")
    parser.add_argument("--seconds", type=int, default=10, help="how long wrk runs (default 10)")
    parser.add_argument("--pings", type=int, default=20000, help="how many flood pings (default 20000)")
    return parser.parse_args()


class Kernel:
    """nginx in another namespace, over a veth pair."""

    name, address = "kernel (nginx, veth)", KERNEL

    def __init__(self, folder):
        self.folder = folder

    def __enter__(self):
        (self.folder / "nginx.conf").write_text(NGINX.format(d=self.folder, ip=KERNEL))
        self.holder = subprocess.Popen(["unshare", "-n", "sleep", "infinity"])
        time.sleep(0.3)
        inside = ["nsenter", "-t", str(self.holder.pid), "-n"]
        run("ip", "link", "add", "veth0", "type", "veth", "peer", "name", "veth1", "netns", str(self.holder.pid))
        for command in (["ip", "addr", "add", f"{KERNEL_HOST}/24", "dev", "veth0"], ["ip", "link", "set", "veth0", "up"],
                        [*inside, "ip", "addr", "add", f"{KERNEL}/24", "dev", "veth1"],
                        [*inside, "ip", "link", "set", "veth1", "up"],
                        [*inside, "sysctl", "-qw", "net.ipv4.tcp_congestion_control=reno"]):
            run(*command)
        self.process = subprocess.Popen([*inside, "nginx", "-c", str(self.folder / "nginx.conf")],
                                        stderr=subprocess.DEVNULL)
        time.sleep(0.7)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)
        self.holder.terminate()
        self.holder.wait(10)
        run("ip", "link", "del", "veth0", check=False)
        time.sleep(0.2)


def transfer(server, folder, results):
    """GET and PUT of the file; contents compared."""
    source, got, put = folder / "www/big", folder / "got", folder / "www/put"
    url = f"http://{server.address}"
    down = tool("curl", "-sf", "-o", str(got), "-w", "%{speed_download}", f"{url}/big")
    up = tool("curl", "-sf", "-T", str(source), "-o", "/dev/null", "-w", "%{speed_upload}", f"{url}/put")
    for path in (got, put):
        if digest(path) != digest(source):
            raise Failure(f"{server.name}: {path} differs from what was sent")
        path.unlink()
    results.setdefault(("GET", server.name), []).append(float(down) * 8e-9)
    results.setdefault(("PUT", server.name), []).append(float(up) * 8e-9)


def load(server, args):
    """wrk with 64 connections: requests per second; any error is a failure."""
    out = tool("wrk", "-t1", "-c64", f"-d{args.seconds}", f"http://{server.address}/page")
    if "Socket errors" in out or "Non-2xx" in out:
        raise Failure(f"{server.name}: {out}")
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))


def crowd(server, folder):
    """200 curls at once."""
    curls = [subprocess.Popen(["curl", "-sf", "-m", "60", "-o", "/dev/null", f"http://{server.address}/page"])
             for _ in range(200)]
    if any(c.wait(90) != 0 for c in curls):
        raise Failure(f"{server.name}: not all of 200 curls succeeded")


def flood(args):
    out = tool("ping", "-q", "-f", "-c", str(args.pings), ADDRESS)
    if " 0% packet loss" not in out:
        raise Failure(out)
    return out.strip().splitlines()[-1]


def table(results, kernel):
    print(f"\n{'':10}{'server':26}{'Gbit/s':>8}{'least':>8}{'most':>8}{'/ kernel':>10}")
    for (what, name), values in sorted(results.items()):
        median = statistics.median(values)
        ratio = f"{median / statistics.median(results[(what, Kernel.name)]):.2f}" if kernel else "-"
        print(f"{what:10}{name:26}{median:8.2f}{min(values):8.2f}{max(values):8.2f}{ratio:>10}")


def main():
    args = options()
    if not os.access(args.wireside, os.X_OK):
        print(f"main_job: {args.wireside} is not there: build it first (scripts/run)", file=sys.stderr)
        return 2
    enter_namespace()
    kernel = shutil.which("nginx")
    if not kernel:
        print("nginx is not installed: no comparison with the kernel", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="wireside-bench-", dir=scratch_place()) as name:
        folder = pathlib.Path(name)
        (folder / "www").mkdir()
        (folder / "www/page").write_text("a small page\n" * 20)
        with open(folder / "www/big", "wb") as file:
            for _ in range(args.mib):
                file.write(os.urandom(1 << 20))
        servers = [Wireside(args.wireside, folder, "wireside, offload"), Wireside(args.wireside, folder, "wireside, --no-offload", "--no-offload")]
        results = {}
        for number in range(args.rounds):
            for server in [*servers, *([Kernel(folder)] if kernel else [])]:
                print(f"\rround {number + 1}/{args.rounds}: {server.name}    ", end="", file=sys.stderr, flush=True)
                with server:
                    transfer(server, folder, results)
        print(f"\n{args.mib} MiB, median of {args.rounds}; contents equal each time (sha256)", end="")
        table(results, kernel)
        for server in servers:
            with server:
                before = server.memory()
                print(f"\n{server.name}: {args.pings} flood pings without loss: {flood(args)}")
                rate = load(server, args)
                crowd(server, folder)
                time.sleep(3)
                print(f"wrk -t1 -c64: {rate:,.0f} requests/s, no error; 200 curls at once: all well; "
                      f"memory {before:.1f} -> {server.memory():.1f} MiB")
        if kernel:
            with Kernel(folder) as server:
                print(f"\n{server.name}: wrk -t1 -c64: {load(server, args):,.0f} requests/s")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as problem:
        print(f"main_job: {problem}", file=sys.stderr)
        sys.exit(1)
