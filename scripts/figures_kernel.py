"""The kernel's recovery times beside the simulations: two kernels, `wireside bridge` between them, in real time."""
import contextlib
import pathlib
import re
import signal
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time

from figures_simulations import ACCIDENTS, MSS, RECOVERY_ROUND_TRIP, RECOVERY_SEGMENTS

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / "tests" / part) for part in ("bench", "conformance")]

from lossy_transfer import KERNEL, OTHER_KERNEL, PORT, Namespace, choose_congestion, kernel_variables, timeouts_of  # noqa: E402,E501
from wireside_lab import enter_namespace  # noqa: E402

ROUNDS = 5
ETH_P_ALL = 3


class Watcher(threading.Thread):
    """Frames with TCP payload that leave through an interface: their sequence numbers in order."""

    def __init__(self, namespace, interface):
        super().__init__(daemon=True)
        self.sequence_numbers, self.stopped = [], False
        self.socket = namespace.inside(socket.socket, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.socket.bind((interface, ETH_P_ALL))
        self.socket.settimeout(0.1)

    def run(self):
        while not self.stopped:
            with contextlib.suppress(TimeoutError):
                frame, (_, _, kind, *_rest) = self.socket.recvfrom(2048)
                if kind == socket.PACKET_OUTGOING and frame[12:14] == b"\x08\x00" and frame[23] == socket.IPPROTO_TCP:
                    header, length = 14 + 4 * (frame[14] & 15), struct.unpack_from("!H", frame, 16)[0]
                    payload = 14 + length - header - 4 * (frame[header + 12] >> 4)
                    if payload > 0:
                        self.sequence_numbers.append(struct.unpack_from("!I", frame, header + 4)[0])
        self.socket.close()

    def first_repeated(self):
        """The how many-th of them was the first that had been sent before; 0: none."""
        seen = set()
        for i, number in enumerate(self.sequence_numbers):
            if number in seen:
                return i + 1
            seen.add(number)
        return 0


def one_transfer(binary, drops):
    """Seconds from connect() to the last octet, the number of the first repeated frame, and the kernel's counts."""
    delay = f"delay={RECOVERY_ROUND_TRIP / 2:g}ms"
    lost = "".join(f"drop={d}," for d in drops)
    with contextlib.ExitStack() as stack:
        middle, left, right = (Namespace() for _ in range(3))
        for namespace in (middle, left, right):
            stack.callback(namespace.close)
        bridge = middle.inside(subprocess.Popen, [binary, "bridge", "wsl", "wsr", "--mtu", "1500", "--impair-forth",
                                                  lost + delay, "--impair-back", delay], stdout=subprocess.PIPE,
                               text=True)

        def end():
            bridge.send_signal(signal.SIGINT)
            bridge.communicate(timeout=10)

        stack.callback(end)
        if "bridging" not in bridge.stdout.readline():
            raise RuntimeError("wireside bridge did not start")
        middle.inside(left.adopt, "wsl", KERNEL)
        middle.inside(right.adopt, "wsr", OTHER_KERNEL)
        left.run("ping", "-n", "-c", "2", "-i", "0.3", "-W", "3", OTHER_KERNEL)  # ARP is done before
        listener = right.inside(socket.create_server, (OTHER_KERNEL, PORT))
        stack.callback(listener.close)
        listener.settimeout(10)
        sender = left.inside(socket.socket)
        stack.callback(sender.close)
        congestion = choose_congestion(sender, "cubic")
        watcher = Watcher(left, "wsl")
        watcher.start()
        begun = time.monotonic()
        sender.connect((OTHER_KERNEL, PORT))
        sender.sendall(bytes(RECOVERY_SEGMENTS * MSS))
        # No FIN before the end: one of its own would be a further segment behind the last data.
        receiver, _ = listener.accept()
        receiver.settimeout(30)
        got = last = 0
        while got < RECOVERY_SEGMENTS * MSS and (octets := receiver.recv(1 << 16)):
            got, last = got + len(octets), time.monotonic()
        variables = kernel_variables(sender)
        receiver.close()
        watcher.stopped = True
        watcher.join()
        if got != RECOVERY_SEGMENTS * MSS:
            raise RuntimeError(f"{got} octets came")
        return {"seconds": last - begun, "repeated": watcher.first_repeated(), "again": variables["retransmitted"],
                "timeouts": timeouts_of(left), "congestion": congestion}


def measure(binary):
    """{"release", "congestion", "accidents": {name: {"extra": round trips, "again", "timeouts"}}}; medians."""
    enter_namespace()

    def rounds(drops):
        runs = [one_transfer(binary, drops) for _ in range(ROUNDS)]
        return {key: statistics.median(r[key] for r in runs) for key in ("seconds", "again", "timeouts", "repeated")}, \
            runs[0]["congestion"]

    clean, congestion = rounds([])
    out = {}
    for name, drop in ACCIDENTS.items():
        if drop is None:
            first, _ = rounds(["data:15"])
            drop = f"data:15/{first['repeated']:.0f}"
        run, _ = rounds([drop])
        print(f"kernel, {name} ({drop}): {run['seconds']:.3f} s, {clean['seconds']:.3f} s without", file=sys.stderr)
        out[name] = {"extra": round((run["seconds"] - clean["seconds"]) * 1000 / RECOVERY_ROUND_TRIP, 2),
                     "again": int(run["again"]), "timeouts": int(run["timeouts"])}
    release = pathlib.Path("/proc/sys/kernel/osrelease").read_text(encoding="utf-8")
    return {"release": re.match(r"\d+\.\d+", release).group(0), "congestion": congestion, "accidents": out}
