"""tshark as an independent judge of captures: a clean transfer shows nothing to complain of, and in a lossy one tshark
sees the same retransmissions and duplicate ACKs that the stack says it sent."""
import pathlib
import subprocess
import time

import pytest

from e2e_support import DUT, sha256
from wireside_lab import run, wireside_binary

# Expert items that a clean capture may have. Chats and comments are no complaints; neither are these:
LEGITIMATE = {
    "window_full",       # the sender used the whole window that the receiver granted: flow control at work
    "zero_window",       # the application reads more slowly than the sender sends
    "window_update",     # and has read again
    "zero_window_probe", "zero_window_probe_ack",  # while it had not
}
# The host acknowledges again when its application has read: where the larger window rounds to the same field, that looks
# like a duplicate.
LEGITIMATE_OF_THE_HOST = {"duplicate_ack"}
FIELDS = ["frame.number", "ip.src", "tcp.stream", "tcp.len", "tcp.seq_raw", "tcp.ack_raw", "tcp.window_size_value",
          "tcp.analysis.duplicate_ack_num", "tcp.flags", "frame.comment"]
FLAGS = ["retransmission", "fast_retransmission", "spurious_retransmission", "out_of_order", "duplicate_ack",
         "lost_segment", "ack_lost_segment", "reused_ports", "keep_alive", "keep_alive_ack", "rto_frame", *LEGITIMATE]
SENT_AGAIN = ("fast retransmit", "RTO retransmit", "path-MTU retransmit", "closed-window retransmit", "tail loss probe")
# Reasons of ACKs for data out of order, or that came again (RFC 5681 section 4.2, RFC 9293 section 3.10.7.4).
DATA_CAME_BADLY = ("duplicate ACK", "ACK at once: a gap was filled", "ACK of a duplicate segment",
                   "ACK of an unacceptable segment")


class Frame:
    """A TCP frame of a capture: the fields, tshark's analysis flags, and the stack's own words about it."""

    def __init__(self, columns):
        values = dict(zip([*FIELDS, *FLAGS], columns))
        self.number = int(values["frame.number"])
        self.ours = values["ip.src"] == DUT
        self.stream = values["tcp.stream"]
        self.length, self.seq, self.ack = (int(values[name]) for name in ("tcp.len", "tcp.seq_raw", "tcp.ack_raw"))
        self.window = int(values["tcp.window_size_value"])
        self.flags = {name for name in FLAGS if values[name]}
        self.control = int(values["tcp.flags"], 16) & 0x07  # FIN, SYN, RST
        line = values["frame.comment"].split("\\n")[0]  # the first of a comment of several
        self.reason = line.removeprefix("sent: ") if line.startswith("sent: ") else ""

    def __repr__(self):
        return f"frame {self.number} seq {self.seq}+{self.length} ack {self.ack} {self.reason} {sorted(self.flags)}"


def tshark(capture, *arguments):
    return subprocess.run(["tshark", "-r", str(capture), "-o", "tcp.relative_sequence_numbers:false", *arguments],
                          capture_output=True, text=True, check=True, timeout=120).stdout


def read(capture):
    names = [*FIELDS, *(f"tcp.analysis.{flag}" for flag in FLAGS)]
    out = tshark(capture, "-Y", "tcp", "-T", "fields", "-E", "separator=|", "-E", "aggregator=;",
                 *(part for name in names for part in ("-e", name)))
    # A comment may hold the separator: it is the last of FIELDS, so what is too much belongs to it.
    frames = []
    for line in out.splitlines():
        columns = line.split("|")
        extra = len(columns) - len(names)
        at = len(FIELDS) - 1
        frames.append(Frame([*columns[:at], "|".join(columns[at:at + extra + 1]), *columns[at + extra + 1:]]))
    return frames


def transfer(wireside, make_file, tmp_path, octets, options):
    """A download and an upload with curl; gives the capture."""
    source, root, capture = make_file(octets), tmp_path / "root", tmp_path / "capture.pcapng"
    root.mkdir()
    (root / "down").write_bytes(source.read_bytes())
    server = wireside("serve", "--root", str(root), options=["--pcap", str(capture), *options]).wait_until_up()
    run("curl", "-sS", "-m", "100", "-o", str(tmp_path / "got"), f"http://{DUT}/down", timeout=120)
    run("curl", "-sS", "-m", "100", "-T", str(source), f"http://{DUT}/up", timeout=120)
    time.sleep(0.3)  # the last FIN
    status, _, err = server.end()
    assert status == 0, err
    assert sha256(tmp_path / "got") == sha256(root / "up") == sha256(source)
    return capture


@pytest.fixture
def patient_host():
    """The host's own tail loss probes are off: on a busy machine one comes before our ACK has left."""
    setting = pathlib.Path("/proc/sys/net/ipv4/tcp_early_retrans")
    before = setting.read_text()
    setting.write_text("0")
    yield
    setting.write_text(before)


@pytest.mark.usefixtures("patient_host")
@pytest.mark.parametrize("octets, allowed", [(40_000, set()), (8 << 20, LEGITIMATE)], ids=["small", "large"])
def test_a_clean_capture_has_no_complaints(wireside, make_file, tmp_path, octets, allowed):
    capture = transfer(wireside, make_file, tmp_path, octets, ["--no-offload"])
    frames = read(capture)
    assert sum(f.length for f in frames if f.ours) >= octets and sum(f.length for f in frames if not f.ours) >= octets
    # A busy machine may let a probe timeout or the minimum RTO pass: what the stack says it sent again is no surprise.
    allowed_by = {True: allowed | {"window_update"}, False: allowed | {"window_update"} | LEGITIMATE_OF_THE_HOST}
    assert not [f for f in frames if f.flags - allowed_by[f.ours] and not f.reason.startswith(SENT_AGAIN)]
    # Of the host's frames, one in 65,536 has the checksum 0xffff where tshark would have 0 (RFC 1624); ours are judged.
    severe = tshark(capture, "-Y", f"ip.src == {DUT} && (_ws.expert.severity == error || _ws.malformed || "
                    "tcp.checksum.status == 0)", "-o", "tcp.check_checksum:TRUE")
    assert severe == ""


@pytest.fixture
def lossy():
    """Options of a lossy network; skips where the command has none."""
    if "--impair" not in run(wireside_binary(), "serve", "--help").stdout:
        pytest.skip("this build of the command has no --impair")
    return ["--impair", "loss=2%,delay=5ms", "--impair-seed", "7"]


def test_with_loss_tshark_counts_the_retransmissions_that_we_sent(wireside, make_file, tmp_path, lossy):
    frames = [f for f in read(transfer(wireside, make_file, tmp_path, 3 << 20, lossy)) if f.ours and f.length]
    first, highest, ours = {}, {}, set()
    for frame in frames:
        start = (frame.seq - first.setdefault(frame.stream, frame.seq)) % 2**32
        if frame.reason.startswith(SENT_AGAIN) and start < highest[frame.stream]:  # a tail loss probe may send new data
            ours.add(frame.number)
        highest[frame.stream] = max(highest.get(frame.stream, 0), start + frame.length)
    # The capture is taken where we send, and we send new data in order: what seems out of order was sent again.
    theirs = {f.number for f in frames if f.flags & {"retransmission", "fast_retransmission", "spurious_retransmission",
                                                     "out_of_order"}}
    assert len(ours) > 10, "the losses must show"
    assert ours == theirs, [f for f in frames if f.number in ours ^ theirs]


def test_with_loss_tshark_counts_the_duplicate_acks_that_we_sent(wireside, make_file, tmp_path, lossy):
    frames = read(transfer(wireside, make_file, tmp_path, 3 << 20, lossy))
    latest, ours, theirs = {}, set(), set()
    for frame in frames:
        if not frame.ours or frame.control:
            continue
        same = latest.get(frame.stream) == (frame.seq, frame.ack, frame.window)
        latest[frame.stream] = (frame.seq + frame.length, frame.ack, frame.window)
        # One whose window differs is no duplicate (RFC 5681 section 2), though it was sent for the same reason.
        if frame.length == 0 and same and frame.reason.startswith(DATA_CAME_BADLY):
            ours.add(frame.number)
        if "duplicate_ack" in frame.flags:
            theirs.add(frame.number)
    assert len(ours) > 30, "the losses must show"
    assert ours == theirs, [f for f in frames if f.number in ours ^ theirs]
