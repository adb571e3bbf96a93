#!/usr/bin/python3
"""Floods against `wireside serve` while curl downloads from it over one connection: ARP requests from 10^6 different
senders, fragments that never become a datagram, and ICMP, echo requests and errors about the connection among them.

Ends with status 1 if resident memory grew beyond its bound (printed, from the tables' own bounds), if a table exceeded
its own, if the transfer stood still or gave way to another connection, or if an octet of it was wrong. The rates are
printed only.

Needs root and a Release build. All in a namespace of its own.
"""
import argparse
import errno
import hashlib
import itertools
import json
import multiprocessing
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time

from bench_support import ADDRESS, BINARY, HOST, Failure, Wireside, digest, scratch_place, tool
from flood_frames import FLOODS, SENDERS, Target
from wireside_lab import enter_namespace

PREFIX = 8  # room for SENDERS stations on the link
MIB = 1 << 20
FILE_MIB = 16

# The tables' bounds, as in stack/link/link_config.hpp, ip/ip_config.hpp, ip/icmp.hpp and packet/buffer.cpp.
NEIGHBOURS, PARKED, ICMP_QUEUE, POOL_CLASSES = 512, 1024, 512, 5
REASSEMBLY = 4 * MIB        # as held: blocks and records
KEPT_FREE = 4 * MIB         # free blocks that the pool keeps of each of its sizes
NEIGHBOUR_OCTETS = 512      # more than an entry takes
FRAME_OCTETS = 2048 + 1024  # a waiting frame: its block and its record
SLACK = 4 * MIB             # the C++ library's own, and the connection's buffers
BOUND = (REASSEMBLY + POOL_CLASSES * KEPT_FREE + NEIGHBOURS * NEIGHBOUR_OCTETS
         + (PARKED + NEIGHBOURS + ICMP_QUEUE) * FRAME_OCTETS + SLACK) / MIB

STALL = 10.0  # seconds without an octet


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wireside", default=BINARY, help="the program to measure")
    parser.add_argument("--seconds", type=float, default=300, help="length of each flood (default 300)")
    parser.add_argument("--calm", type=float, default=10, help="seconds before each flood (default 10)")
    parser.add_argument("--quiet", type=float, default=65,
                        help="seconds after each flood; the default 65 is longer than the reassembly timeout")
    parser.add_argument("--rate", type=int, default=0, help="frames per second at most (default: as fast as it goes)")
    parser.add_argument("--goodput", type=float, default=8, help="curl's limit in MiB/s (default 8)")
    parser.add_argument("--flood", action="append", choices=FLOODS, help="only this one (repeatable)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON too")
    return parser.parse_args()


class Transfer:
    """curl fetches one file again and again over one connection; every copy is compared."""

    def __init__(self, path, limit):
        self.expected, self.length = digest(path), path.stat().st_size
        self.octets, self.copies, self.wrong = 0, 0, 0
        # The query makes the names differ, so that one curl asks as often as it takes.
        self.curl = subprocess.Popen(["curl", "-sS", "--limit-rate", str(int(limit * MIB)), f"http://{ADDRESS}/big?[1-1000000]"],
                                     stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        while True:
            copy = hashlib.sha256()
            left = self.length
            while left:
                block = self.curl.stdout.read1(min(left, 65536))
                if not block:
                    return
                copy.update(block)
                left -= len(block)
                self.octets += len(block)
            self.copies += 1
            self.wrong += copy.hexdigest() != self.expected

    def end(self):
        self.curl.terminate()
        self.curl.wait(10)
        self.reader.join(10)


def send(frames, tap, rate, sent, stop):
    """The flooding process: frames out of the host's side of the TAP until told to stop."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as wire:
        wire.bind((tap, 0))
        begin, count, batch = time.monotonic(), 0, 64
        while not stop.is_set():
            for frame in itertools.islice(frames, batch):
                try:
                    wire.send(frame)
                except OSError as problem:
                    if problem.errno != errno.ENOBUFS:
                        raise
            count += batch
            sent.value = count
            if rate and (ahead := begin + count / rate - time.monotonic()) > 0:
                time.sleep(ahead)


class Watch:
    """Samples, once a second, of what must stay bounded and what must go on."""

    def __init__(self, server, transfer, binary, control):
        self.server, self.transfer, self.binary, self.control = server, transfer, binary, control
        self.neighbours = self.parked = 0

    def ask(self, what):
        for attempt in range(5):  # it gives up after two seconds, which a busy machine may need
            try:
                return json.loads(tool(self.binary, what, "--control", self.control, "-j", timeout=30))
            except Failure as problem:
                if attempt == 4 or self.server.process.poll() is not None:
                    raise problem

    def counters(self):
        (all_of_them,) = self.ask("stats")
        return {**all_of_them["counters"], **all_of_them["drops"]}

    def connection(self):
        """The port of curl's connection; there must be one, and never another."""
        ports = [c["peer"].rsplit(":", 1)[1] for c in self.ask("ss") if c["state"] == "ESTABLISHED"
                 and c["local"] == f"{ADDRESS}:80"]
        if len(ports) != 1:
            raise Failure(f"{len(ports)} connections are open instead of one")
        return int(ports[0])

    def go_on(self, seconds, fill="calm"):
        """(octets per second, most memory in MiB, longest time without an octet) of the next seconds."""
        begin = last = time.monotonic()
        first = seen = self.transfer.octets
        most, longest = self.server.memory(), 0.0
        while (now := time.monotonic()) < begin + seconds:
            time.sleep(min(1.0, begin + seconds - now))
            if self.server.process.poll() is not None:
                raise Failure(f"wireside ended with status {self.server.process.returncode} ({fill})")
            most = max(most, self.server.memory())
            neighbours = self.ask("neigh")
            self.neighbours = max(self.neighbours, len(neighbours))
            self.parked = max(self.parked, sum(n.get("waiting", 0) for n in neighbours))
            now = time.monotonic()
            if self.transfer.octets != seen:
                last, seen = now, self.transfer.octets
            longest = max(longest, now - last)
            if longest > STALL:
                raise Failure(f"the transfer stood still for {longest:.0f} s ({fill})")
        return (self.transfer.octets - first) / (time.monotonic() - begin), most, longest


def flood(name, args, watch, target):
    """One flood, with a calm before and after; its figures."""
    before, start, _ = watch.go_on(args.calm)
    base = watch.counters()
    watch.neighbours = watch.parked = 0
    sent, stop = multiprocessing.Value("Q", 0), multiprocessing.Event()
    process = multiprocessing.Process(target=send, daemon=True,
                                      args=(FLOODS[name](target), target.tap, args.rate, sent, stop))
    process.start()
    try:
        during, most, longest = watch.go_on(args.seconds, name)
    finally:
        stop.set()
        process.join(10)
    end = watch.server.memory()
    counted = {key: value - base.get(key, 0) for key, value in watch.counters().items() if value != base.get(key, 0)}
    after, after_most, _ = watch.go_on(args.quiet, f"after {name}")
    return {"flood": name, "frames": sent.value, "per_second": sent.value / args.seconds,
            "received": counted.get("IfInFrames", 0), "goodput": [before, during, after], "longest_pause": longest,
            "memory": [start, max(most, after_most), end, watch.server.memory()], "bound": start + BOUND,
            "neighbours": watch.neighbours, "parked": watch.parked, "counters": counted}


def judge(result):
    """What of the figures breaks a promise."""
    problems = []
    if max(result["memory"]) > result["bound"]:
        problems.append(f"memory reached {max(result['memory']):.1f} MiB; the bound is {result['bound']:.1f}")
    if result["neighbours"] > NEIGHBOURS:
        problems.append(f"{result['neighbours']} neighbours; the bound is {NEIGHBOURS}")
    if result["parked"] > PARKED + NEIGHBOURS:
        problems.append(f"{result['parked']} frames wait for neighbours; the bound is {PARKED} and one each")
    if result["received"] == 0 or result["frames"] == 0:
        problems.append("nothing of the flood arrived")
    return [f"{result['flood']}: {problem}" for problem in problems]


def table(results):
    print(f"\n{'flood':10}{'frames':>12}{'per s':>10}{'arrived':>12} | memory, MiB: {'before':>7}{'most':>7}{'end':>7}"
          f"{'quiet':>7}{'bound':>7} | goodput, MiB/s: {'before':>7}{'during':>7}{'after':>7}{'pause':>7}")
    for r in results:
        print(f"{r['flood']:10}{r['frames']:12,}{r['per_second']:10,.0f}{r['received']:12,} |              "
              + "".join(f"{m:7.1f}" for m in (*r["memory"], r["bound"])) + " |                 "
              + "".join(f"{g / MIB:7.2f}" for g in r["goodput"]) + f"{r['longest_pause']:6.1f}s")
    for r in results:
        print(f"\n{r['flood']}: at most {r['neighbours']} neighbours (bound {NEIGHBOURS}), {r['parked']} frames waiting for "
              f"them (bound {PARKED}, and one each); counters that moved:")
        line = ", ".join(f"{name} {count:,}" for name, count in r["counters"].items())
        print("  " + "\n  ".join(re.findall(r".{1,118}(?:, |$)", line)))


def scene(server, watch):
    """What the attacker knows."""
    neighbour = tool("ip", "neigh", "show", ADDRESS, "dev", server.tap)
    mac = re.search(r"lladdr (\S+)", neighbour).group(1)
    host_mac = json.loads(tool("ip", "-j", "link", "show", server.tap))[0]["address"]
    return Target(server.tap, mac, host_mac, ADDRESS, HOST, PREFIX, watch.connection())


def measure(args, folder):
    path = folder / "www/big"
    path.write_bytes(os.urandom(FILE_MIB * MIB))
    results, problems = [], []
    control = str(folder / "control.sock")
    with Wireside(args.wireside, folder, "wireside", "--control", control, prefix=PREFIX) as server:
        transfer = Transfer(path, args.goodput)
        try:
            watch = Watch(server, transfer, args.wireside, control)
            watch.go_on(min(3, args.calm), "start")
            target = scene(server, watch)
            for name in args.flood or FLOODS:
                print(f"\r{name} for {args.seconds:g} s ...    ", end="", file=sys.stderr, flush=True)
                results.append(flood(name, args, watch, target))
                problems += judge(results[-1])
                if watch.connection() != target.port:
                    problems.append(f"{name}: the connection was not the same at the end")
        finally:
            transfer.end()
    if transfer.wrong or not transfer.copies:
        problems.append(f"{transfer.wrong} of {transfer.copies} copies of the file were wrong")
    return results, transfer, problems


def main():
    args = options()
    if not os.access(args.wireside, os.X_OK):
        print(f"floods: {args.wireside} is not there: build it first (scripts/run)", file=sys.stderr)
        return 2
    enter_namespace()
    with tempfile.TemporaryDirectory(prefix="wireside-bench-", dir=scratch_place()) as name:
        folder = pathlib.Path(name)
        (folder / "www").mkdir()
        results, transfer, problems = measure(args, folder)
    if args.json:
        print(json.dumps({"bound": BOUND, "copies": transfer.copies, "wrong": transfer.wrong, "floods": results}))
    else:
        table(results)
        print(f"\none connection throughout; {transfer.copies} copies of {FILE_MIB} MiB, {transfer.wrong} wrong (sha256); "
              f"memory may grow by {BOUND:.1f} MiB; {SENDERS:,} ARP senders")
    for problem in problems:
        print(f"floods: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as problem:
        print(f"floods: {problem}", file=sys.stderr)
        sys.exit(1)
