#!/usr/bin/python3
"""A transfer from wireside to the kernel and one from the kernel to wireside over a bad network, beside the same between
two kernels in the same impairment (`wireside bridge`), there and back. By default a GiB with 1 % loss both ways,
reordering, 10 ms of delay each way (20 ms round trip) and an MTU of 1500, without offloads.

All four run at the same time, each in network namespaces of its own: each is slow by nature, and none needs much CPU.
Contents are compared by SHA-256. A wrong octet ends it with status 1, never a speed.

The kernel's side uses CUBIC where the kernel lets us choose it, else Reno; the output says which. Needs root.
"""
import argparse
import contextlib
import ctypes
import dataclasses
import hashlib
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

from bench_support import BINARY, Failure, scratch_place
from wireside_lab import enter_namespace, run

WIRESIDE, KERNEL, OTHER_KERNEL, PORT = "10.0.0.2", "10.0.0.1", "10.0.0.2", 7000
MIB = 1 << 20
CHUNK = 1 << 18
SAMPLE = 0.05  # seconds between looks at the sender's variables
CLONE_NEWNET = 0x40000000
OPTIONS = {
    "cubic": ("cubic", "reno"),
    "reno": ("reno",),
}


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wireside", default=BINARY, help="the program to measure")
    parser.add_argument("--mib", type=int, default=1024, help="how much each transfer moves (default 1024)")
    parser.add_argument("--impair", default="loss=1%,reorder=1%,delay=10ms",
                        help="of each direction, as in docs/impairment.md (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the impairment, the same for all (default 1)")
    parser.add_argument("--kernel-congestion", choices=sorted(OPTIONS), default="cubic",
                        help="what the kernel shall use (default %(default)s; Reno where that is refused)")
    parser.add_argument("--only", action="append", choices=sorted(TRANSFERS), help="only this transfer (repeatable)")
    parser.add_argument("--pcap", metavar="DIR", help="write wireside's captures there")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON too")
    return parser.parse_args()


# --- namespaces ---------------------------------------------------------------------------------------------------

def _libc(call, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, call)(*arguments) != 0:
        errno = ctypes.get_errno()
        raise OSError(errno, f"{call}: {os.strerror(errno)}")


class Namespace:
    """A network namespace, held by a descriptor. Sockets made inside, and programs started there, stay in it."""

    def __init__(self):
        self.descriptor = -1

        def make():
            _libc("unshare", CLONE_NEWNET)  # of this thread alone
            for name, value in {"ipv6/conf/all/disable_ipv6": "1", "ipv6/conf/default/disable_ipv6": "1",
                                "ipv4/tcp_congestion_control": "reno"}.items():
                with contextlib.suppress(OSError):
                    pathlib.Path("/proc/sys/net", name).write_text(value)
            run("ip", "link", "set", "lo", "up")
            self.descriptor = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

        self._elsewhere(make)

    def inside(self, function, *arguments, **options):
        """Calls `function` in the namespace and returns what it gives."""
        return self._elsewhere(lambda: (_libc("setns", self.descriptor, CLONE_NEWNET),
                                        function(*arguments, **options))[1])

    def run(self, *command, **options):
        return self.inside(run, *command, **options)

    def adopt(self, tap, address):
        """An interface of the calling thread's namespace moves in and gets its address."""
        run("ip", "link", "set", tap, "netns", f"/proc/{os.getpid()}/fd/{self.descriptor}")
        self.run("ip", "address", "add", f"{address}/24", "dev", tap)
        self.run("ip", "link", "set", tap, "up")

    def close(self):
        os.close(self.descriptor)

    @staticmethod
    def _elsewhere(function):
        result = []

        def body():
            try:
                result.append((function(), None))
            except BaseException as problem:  # handed to the caller
                result.append((None, problem))

        thread = threading.Thread(target=body)
        thread.start()
        thread.join()
        value, problem = result[0]
        if problem is not None:
            raise problem
        return value


# --- what is known of a sender ------------------------------------------------------------------------------------

@dataclasses.dataclass
class Sender:
    """Samples of one connection's variables over time, and their last values."""
    cwnd_segments: list = dataclasses.field(default_factory=list)
    last: dict = dataclasses.field(default_factory=dict)

    def take(self, cwnd, **values):
        self.cwnd_segments.append(cwnd)
        self.last = values

    def figures(self):
        samples = self.cwnd_segments
        return {"cwnd_mean_segments": round(sum(samples) / len(samples), 2) if samples else None, **self.last}


def kernel_variables(tcp_socket):
    """struct tcp_info of linux/tcp.h, the part of it that is of interest."""
    info = tcp_socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 232).ljust(232, b"\0")
    rtt, _, ssthresh, cwnd = struct.unpack_from("4I", info, 68)
    return {"cwnd": cwnd, "ssthresh": ssthresh, "srtt_ms": rtt / 1000,
            "min_rtt_ms": struct.unpack_from("I", info, 148)[0] / 1000,
            "retransmitted": struct.unpack_from("I", info, 100)[0],
            "segments": struct.unpack_from("I", info, 156)[0],
            "dsacks": struct.unpack_from("I", info, 216)[0],
            "reordering_seen": struct.unpack_from("I", info, 220)[0]}


def choose_congestion(tcp_socket, wanted):
    for name in OPTIONS[wanted]:
        with contextlib.suppress(OSError):
            tcp_socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, name.encode())
            break
    return tcp_socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0").decode()


def timeouts_of(namespace):
    """Retransmission timeouts of all connections in a namespace since it began."""
    out = namespace.run("nstat", "-asz", "TcpExtTCPTimeouts", check=False).stdout
    found = re.search(r"TCPTimeouts\s+(\d+)", out)
    return int(found.group(1)) if found else None


# --- the transfers ------------------------------------------------------------------------------------------------

class Transfer(threading.Thread):
    """One transfer: move() does it and returns the digest of what arrived."""

    def __init__(self, args, folder):
        super().__init__(daemon=True)
        self.args, self.folder = args, folder / self.name_of()
        self.source, self.size = folder / "source", args.mib * MIB
        self.moved, self.took, self.problem = 0, None, None
        self.sender, self.done = Sender(), threading.Event()
        self.congestion, self.timeouts = None, None
        self.folder.mkdir()

    @classmethod
    def name_of(cls):
        return next(name for name, kind in TRANSFERS.items() if kind is cls)

    def run(self):
        try:
            with contextlib.ExitStack() as stack:
                self.digest = self.move(stack)
        except Exception as problem:  # a thread has no other way to tell; main() raises it
            self.problem = f"{type(problem).__name__}: {problem}"
        self.done.set()

    def start_program(self, namespace, stack, *command, ready=None):
        """Starts wireside in the namespace; it must end with status 0."""
        process = namespace.inside(subprocess.Popen, [self.args.wireside, *command], text=True,
                                   stdout=subprocess.PIPE if ready else subprocess.DEVNULL,
                                   stderr=open(self.folder / "errors", "w", encoding="utf-8"))

        def end():
            process.send_signal(signal.SIGINT)
            try:
                process.communicate(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
            if process.returncode != 0:
                raise Failure(f"wireside ended with {process.returncode}: {(self.folder / 'errors').read_text()}")

        stack.callback(end)
        if ready and ready not in process.stdout.readline():
            raise Failure(f"wireside did not start: {(self.folder / 'errors').read_text()}")
        return process

    def watch_kernel(self, tcp_socket, stop):
        while not stop.wait(SAMPLE):
            with contextlib.suppress(OSError):
                values = kernel_variables(tcp_socket)
                self.sender.take(values.pop("cwnd"), **values)

    @contextlib.contextmanager
    def watched(self, watch, *arguments):
        stop = threading.Event()
        thread = threading.Thread(target=watch, args=(*arguments, stop), daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def receive(self, source):
        """Reads `source(n)` to its end; the digest of it."""
        digest, last = hashlib.sha256(), time.monotonic()
        while True:
            octets = source(CHUNK)
            if not octets:
                break
            last = time.monotonic()
            digest.update(octets)
            self.moved += len(octets)
        self.took = last - self.begun
        return digest.hexdigest()


class WithWireside(Transfer):
    """`wireside serve` on a TAP, the kernel as its HTTP client."""

    def begin(self, stack):
        (self.folder / "www").mkdir()
        os.link(self.source, self.folder / "www/source")
        namespace = Namespace()
        stack.callback(namespace.close)
        namespace.run("ip", "tuntap", "add", "dev", "ws0", "mode", "tap", "vnet_hdr")
        namespace.run("ip", "address", "add", f"{KERNEL}/24", "dev", "ws0")
        namespace.run("ip", "link", "set", "ws0", "up")
        self.control = str(self.folder / "control")
        capture = ["--pcap", f"{self.args.pcap}/{self.name_of()}.pcapng"] if self.args.pcap else []
        self.start_program(namespace, stack, "serve", "--tap", "ws0", "--ip", f"{WIRESIDE}/24", "--root",
                           str(self.folder / "www"), "--quiet", "--no-acd", "--no-offload", "--control", self.control,
                           "--impair", self.args.impair, "--impair-seed", str(self.args.seed), *capture)
        client = http.client.HTTPConnection(WIRESIDE, timeout=300)
        end = time.monotonic() + 30
        while True:
            self.begun = time.monotonic()
            try:
                namespace.inside(client.connect)
                break
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)
        stack.callback(client.close)
        return namespace, client

    def ask(self, question):
        """A table of the control socket (docs/control.md)."""
        with socket.socket(socket.AF_UNIX) as way:
            way.settimeout(10)
            way.connect(self.control)
            way.sendall(json.dumps({"op": question}).encode() + b"\n")
            return json.loads(way.makefile().readline())[question]

    def watch_wireside(self, stop):
        while not stop.wait(SAMPLE):
            with contextlib.suppress(OSError, ValueError, KeyError):
                for entry in self.ask("ss"):
                    info = entry.get("info")
                    if info and info["octets_sent"] > MIB // 4:
                        self.congestion = info["congestion"]
                        self.sender.take(info["cwnd"] / info["mss"], ssthresh=info["ssthresh"] / info["mss"],
                                         srtt_ms=info["srtt_ms"], min_rtt_ms=info["min_rtt_ms"],
                                         retransmitted=info["total_retransmitted"],
                                         segments=info["data_segments_sent"], dsacks=info["duplicates_reported"],
                                         reordering_seen=info["reordering_seen"])


class WiresideToKernel(WithWireside):
    def move(self, stack):
        _namespace, client = self.begin(stack)
        with self.watched(self.watch_wireside):
            client.request("GET", "/source")
            answer = client.getresponse()
            if answer.status != 200:
                raise Failure(f"GET gave {answer.status}")
            return self.receive(answer.read)


class KernelToWireside(WithWireside):
    def move(self, stack):
        namespace, client = self.begin(stack)
        self.congestion = choose_congestion(client.sock, self.args.kernel_congestion)
        stored = self.folder / "www/stored"

        def chunks():
            with open(self.source, "rb") as file:
                while octets := file.read(CHUNK):
                    yield octets
                    self.moved += len(octets)  # taken by the kernel; not yet all received

        with self.watched(self.watch_kernel, client.sock):
            client.request("PUT", "/stored", body=chunks(), headers={"Content-Length": str(self.size)})
            answer = client.getresponse()
            self.took = time.monotonic() - self.begun
            answer.read()
        if answer.status not in (200, 201, 204):
            raise Failure(f"PUT gave {answer.status}")
        self.timeouts = timeouts_of(namespace)
        with open(stored, "rb") as file:
            digest = hashlib.sha256()
            while octets := file.read(CHUNK):
                digest.update(octets)
        return digest.hexdigest()


class KernelToKernel(Transfer):
    """Two kernels and the bridge between them."""
    back = False

    def move(self, stack):
        middle, left, right = (Namespace() for _ in range(3))
        for namespace in (middle, left, right):
            stack.callback(namespace.close)
        self.start_program(middle, stack, "bridge", "wsl", "wsr", "--mtu", "1500", "--impair", self.args.impair,
                           "--impair-seed", str(self.args.seed), ready="bridging")
        middle.inside(left.adopt, "wsl", KERNEL)
        middle.inside(right.adopt, "wsr", OTHER_KERNEL)
        source, target = (right, left) if self.back else (left, right)
        listener = target.inside(socket.create_server, (KERNEL if self.back else OTHER_KERNEL, PORT))
        stack.callback(listener.close)
        listener.settimeout(60)
        sender = source.inside(socket.socket)
        stack.callback(sender.close)
        self.congestion = choose_congestion(sender, self.args.kernel_congestion)
        self.begun = time.monotonic()
        sender.connect(listener.getsockname())
        receiver, _ = listener.accept()
        stack.callback(receiver.close)
        with self.watched(self.watch_kernel, sender):
            feeder = threading.Thread(target=self.feed, args=(sender,), daemon=True)
            feeder.start()
            digest = self.receive(receiver.recv)
        feeder.join(60)
        self.timeouts = timeouts_of(source)
        return digest

    def feed(self, sender):
        with open(self.source, "rb") as file, contextlib.suppress(OSError):
            while octets := file.read(CHUNK):
                sender.sendall(octets)
            sender.shutdown(socket.SHUT_WR)


class KernelToKernelBack(KernelToKernel):
    back = True


TRANSFERS = {
    "wireside-kernel": WiresideToKernel,
    "kernel-wireside": KernelToWireside,
    "kernel-kernel": KernelToKernel,
    "kernel-kernel-back": KernelToKernelBack,
}


# --- telling ------------------------------------------------------------------------------------------------------

def progress(transfers, begun):
    """Until all are done: a line a minute, or on a terminal every second."""
    terminal, next_line = sys.stderr.isatty(), 0.0
    while not all(t.done.wait(1) for t in transfers):
        passed = time.monotonic() - begun
        text = ", ".join(f"{t.name_of()} {100 * t.moved / t.size:.0f} %" for t in transfers)
        if terminal:
            print(f"\r{passed:.0f} s: {text}   ", end="", file=sys.stderr, flush=True)
        elif passed >= next_line:
            print(f"{passed:.0f} s: {text}", file=sys.stderr, flush=True)
            next_line = passed + 60
    if terminal:
        print(file=sys.stderr)


def figures(transfers):
    out = []
    kernel = [t.size * 8e-6 / t.took for t in transfers if isinstance(t, KernelToKernel)]
    for t in transfers:
        rate = t.size * 8e-6 / t.took
        out.append({"transfer": t.name_of(), "congestion": t.congestion, "mbit_per_s": round(rate, 3),
                    "took_s": round(t.took, 1),
                    "to_kernels": round(rate / (sum(kernel) / len(kernel)), 3) if kernel else None,
                    "timeouts": t.timeouts, **t.sender.figures()})
    return out


def table(rows):
    def cell(value, width, form="{}"):
        return f"{'-' if value is None else form.format(value):>{width}}"

    print(f"{'transfer':20}{'sender':>9}{'s':>9}{'Mbit/s':>9}{'ratio':>7}{'sent again':>11}{'%':>7}{'DSACKs':>8}"
          f"{'RTOs':>6}{'mean cwnd':>11}{'srtt ms':>9}")
    for r in rows:
        again, sent = r.get("retransmitted"), r.get("segments")
        share = 100 * again / sent if again is not None and sent else None
        print(f"{r['transfer']:20}{r['congestion'] or '-':>9}{r['took_s']:9.1f}{r['mbit_per_s']:9.2f}"
              f"{cell(r['to_kernels'], 7, '{:.2f}')}{cell(again, 11)}{cell(share, 7, '{:.2f}')}"
              f"{cell(r.get('dsacks'), 8)}{cell(r['timeouts'], 6)}{cell(r['cwnd_mean_segments'], 11)}"
              f"{cell(r.get('srtt_ms'), 9, '{:.1f}')}")


def make_source(path, mib):
    digest = hashlib.sha256()
    with open(path, "wb") as file:
        for _ in range(mib):
            octets = os.urandom(MIB)
            digest.update(octets)
            file.write(octets)
    return digest.hexdigest()


def main():
    args = options()
    if not os.access(args.wireside, os.X_OK):
        print(f"lossy_transfer: {args.wireside} is not there: build it first (scripts/run)", file=sys.stderr)
        return 2
    enter_namespace()
    if args.pcap:
        os.makedirs(args.pcap, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="wireside-lossy-", dir=scratch_place()) as name:
        folder = pathlib.Path(name)
        digest = make_source(folder / "source", args.mib)
        transfers = [kind(args, folder) for key, kind in TRANSFERS.items() if not args.only or key in args.only]
        begun = time.monotonic()
        for transfer in transfers:
            transfer.start()
        progress(transfers, begun)
        problems = [f"{t.name_of()}: {t.problem}" for t in transfers if t.problem]
        if problems:
            raise Failure("; ".join(problems))
        wrong = [t.name_of() for t in transfers if t.digest != digest]
        if wrong:
            raise Failure(f"other octets came than were sent: {', '.join(wrong)}")
        rows = figures(transfers)
        print(f"{args.mib} MiB each, all at once; contents equal (sha256). Each direction: {args.impair}; "
              f"seed {args.seed}; MTU 1500, no offloads.")
        table(rows)
        if args.json:
            print(json.dumps({"mib": args.mib, "impair": args.impair, "seed": args.seed, "transfers": rows}))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as problem:
        print(f"lossy_transfer: {problem}", file=sys.stderr)
        sys.exit(1)
