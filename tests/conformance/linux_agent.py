"""The protocol of `wireside agent` (docs/agent.md) over sockets of the kernel, so that the same tests can drive it.

Requests are JSON lines on standard input, answers JSON lines on standard output. What a kernel socket cannot do or tell
is answered with ENOSYS and a message that begins with "needs the agent's".
"""
import errno
import fcntl
import itertools
import json
import math
import queue
import select
import socket
import struct
import sys
import threading
import time

from linux_options import TCP_CONGESTION, set_option
from linux_sockets import (ERRORS_BY_ORIGIN, IP_RECVERR, Refused, connections, missing, sequence_numbers, tcp_status)

SIOCOUTQ, FIONREAD = 0x5411, 0x541B
MSG_ERRQUEUE = 0x2000
IP_PKTINFO, IP_RECVTOS, IP_RECVTTL, IP_RECVOPTS = 8, 13, 12, 6
SO_SNDBUFFORCE, SEND_BUFFER = 32, 4 << 20  # as large as the agent's
SLICE = 0.01  # seconds between looks at whether an operation was cancelled


def name_of(address):
    return f"{address[0]}:{address[1]}"


def octets_to_send(request):
    if "hex" in request:
        return bytes.fromhex(request["hex"])
    if "pattern" in request:
        start = request.get("offset", 0)
        return bytes((start + i) % 251 for i in range(request["pattern"]))
    if "zeros" in request:
        return bytes(request["zeros"])
    return request.get("data", "").encode()


class Deadline:
    """When an operation gives up, and whether it was cancelled or its socket closed."""

    def __init__(self, request, record):
        timeout = request.get("timeout_ms")
        self.end = math.inf if timeout is None else time.monotonic() + timeout / 1000
        self.record = record
        self.cancelled = False

    def wait(self, events):
        """True when the socket is ready, False when time ran out."""
        poll = select.poll()
        poll.register(self.record.fd, events)
        while True:
            if self.cancelled or self.record.closed:
                raise Refused("ECANCELED", "cancelled")
            if poll.poll(max(0, min(SLICE, self.end - time.monotonic())) * 1000):
                return True
            if time.monotonic() >= self.end:
                return False


class Record:
    """A socket of the agent."""

    congestion = b"cubic"  # of new connections
    max_syn_queue = 65535  # the kernel bounds the connections that open by the backlog

    def __init__(self, kind, kernel_socket=None):
        types = {"stream": (socket.SOCK_STREAM, 0), "datagram": (socket.SOCK_DGRAM, 0),
                 "echo": (socket.SOCK_DGRAM, socket.IPPROTO_ICMP)}
        self.kind = kind
        self.socket = kernel_socket or socket.socket(socket.AF_INET, *types[kind])
        self.socket.setblocking(False)
        self.fd = self.socket.fileno()
        self.closed = False
        self.failure = None   # the errno name with which the connection ended
        self.untold = None    # an error that a status call found first: the next call gets it
        self.ends = None
        self.connecting = False
        self.echo_sequence = 0
        self.listening = False
        if not kernel_socket and kind == "stream":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.setsockopt(socket.IPPROTO_TCP, TCP_CONGESTION, self.congestion)
        if kind == "stream":
            self.socket.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER)
        if kind != "stream":
            for option in (IP_PKTINFO, IP_RECVTOS, IP_RECVTTL, IP_RECVOPTS):
                self.socket.setsockopt(socket.IPPROTO_IP, option, 1)

    def local(self):
        return name_of(self.socket.getsockname())

    def raise_untold(self):
        if self.untold:
            number, self.untold = self.untold, None
            raise OSError(number, "pending")

    def look_for_failure(self):
        """The failure, if there is one. The kernel tells it once, so it is kept for the next call."""
        number = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            self.untold = number
            self.fail(OSError(number, "pending"))
        return self.failure

    def fail(self, error):
        self.failure = self.failure or errno.errorcode[error.errno]


class Agent:
    WAITING = {"accept", "connect", "send", "recv", "recvfrom", "recverr", "wait"}

    def __init__(self, interface):
        self.interface = interface
        self.records = {}
        self.numbers = itertools.count(1)
        self.queues = {}
        self.under_way = {}
        self.lock = threading.Lock()

    # --- requests and answers ---

    def answer(self, request, fields):
        with self.lock:
            sys.stdout.write(json.dumps({"id": request.get("id"), **fields}) + "\n")
            sys.stdout.flush()

    def run(self):
        for line in sys.stdin:
            request = json.loads(line)
            if request["op"] == "quit":
                return self.answer(request, {"ok": True})
            record = self.records.get(request.get("socket"))
            if record is None and "socket" in request:
                self.answer(request, {"ok": False, "error": "EBADF", "message": "no such socket"})
            elif request["op"] in self.WAITING and request.get("socket"):
                self.enqueue(request, record)
            else:
                self.perform(request, record, None)

    def enqueue(self, request, record):
        deadline = Deadline(request, record)
        self.under_way[request["id"]] = deadline
        key = (request["socket"], request["op"])
        if key not in self.queues:
            self.queues[key] = queue.Queue()
            threading.Thread(target=self.work, args=(self.queues[key],), daemon=True).start()
        self.queues[key].put((request, record, deadline))

    def work(self, requests):
        while True:
            self.perform(*requests.get())

    def perform(self, request, record, deadline):
        method = getattr(self, "op_" + request["op"], None)
        try:
            if method is None:
                raise missing(request["op"])
            fields = {"ok": True, **(method(request, record, deadline) or {})}
        except Refused as refused:
            fields = {"ok": False, "error": refused.name, "message": refused.message, **refused.fields}
        except OSError as error:
            if record is not None and error.errno in (errno.ECONNRESET, errno.ECONNREFUSED, errno.ETIMEDOUT,
                                                      errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EPIPE):
                record.fail(error)
            name = errno.errorcode.get(error.errno, "EIO")
            if record is not None and record.closed:
                name = "ECANCELED"
            fields = {"ok": False, "error": name, "message": error.strerror or str(error)}
        self.under_way.pop(request.get("id"), None)
        self.answer(request, fields)

    # --- operations ---

    def op_config(self, request, record, deadline):
        return {"interface": self.interface, "target": "linux"}

    def op_open(self, request, record, deadline):
        number = next(self.numbers)
        self.records[number] = Record(request.get("kind", "stream"))
        return {"socket": number}

    def op_bind(self, request, record, deadline):
        record.socket.bind((request.get("address", "0.0.0.0"), request.get("port", 0)))
        return {"local": record.local()}

    def op_listen(self, request, record, deadline):
        record.socket.listen(min(request.get("backlog", 128), record.max_syn_queue))
        record.listening = True
        return {"local": record.local()}

    def op_accept(self, request, record, deadline):
        if not record.listening:
            raise Refused("EINVAL", "the socket does not listen")
        if not deadline.wait(select.POLLIN):
            raise Refused("EAGAIN", "timed out")
        accepted, peer = record.socket.accept()
        number = next(self.numbers)
        self.records[number] = Record("stream", accepted)
        self.records[number].ends = (self.records[number].local(), name_of(peer))
        return {"socket": number, "local": self.records[number].local(), "peer": name_of(peer)}

    def op_connect(self, request, record, deadline):
        address = (request["address"], request["port"])
        try:
            record.socket.connect(address)
        except BlockingIOError:
            record.connecting = True
            ready = deadline.wait(select.POLLOUT)
            if not ready:
                raise Refused("EAGAIN", "timed out") from None
            record.connecting = False
            problem = record.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if problem:
                raise OSError(problem, "connect") from None
        record.ends = (record.local(), name_of(address))
        if octets_to_send(request):
            self.op_send(request, record, deadline)
        return {"local": record.local(), "peer": name_of(address)}

    def op_send(self, request, record, deadline):
        octets, sent = octets_to_send(request), 0
        flags = socket.MSG_NOSIGNAL | (socket.MSG_OOB if request.get("urgent") else 0)
        while True:
            if not deadline.wait(select.POLLOUT):
                raise Refused("EAGAIN", "timed out", sent=sent)
            try:
                record.raise_untold()
                sent += record.socket.send(octets[sent:], flags)
            except BlockingIOError:
                continue
            if sent == len(octets):
                return {"sent": sent}

    def op_recv(self, request, record, deadline):
        got, eof = b"", False
        wanted = request.get("exactly", request.get("max", 65536))
        while True:
            timed_out = not deadline.wait(select.POLLIN)
            if not timed_out:
                try:
                    record.raise_untold()
                    room = 65536 if request.get("until_eof") else wanted - len(got)
                    piece = record.socket.recv(room)
                except BlockingIOError:
                    continue
                eof = piece == b"" and room > 0
                got += piece
            fields = {"length": len(got), "eof": eof, "hex": got.hex()}
            if timed_out:
                raise Refused("EAGAIN", "timed out", **fields)
            whole = not request.get("until_eof") and ("exactly" not in request or len(got) >= wanted)
            if eof or whole:
                return fields

    def op_sendto(self, request, record, deadline):
        octets = octets_to_send(request)
        if record.kind == "echo":
            octets = struct.pack("!BBHHH", 8, 0, 0, 0, record.echo_sequence) + octets
        sent = record.socket.sendto(octets, (request["address"], request.get("port", 0)))
        return {"sent": sent - (8 if record.kind == "echo" else 0)}

    def op_recvfrom(self, request, record, deadline):
        if not deadline.wait(select.POLLIN):
            raise Refused("EAGAIN", "timed out")
        octets, ancillary, flags, source = record.socket.recvmsg(65600, 256)
        answer = {"full_length": len(octets), "from": name_of(source)}
        if record.kind == "datagram":
            answer["ip_options"] = ""
        for level, kind, data in ancillary:
            if kind == IP_RECVTTL or kind == 2:
                answer["ttl"] = struct.unpack("i", data)[0]
            elif kind == 1:
                answer["tos"] = data[0]
            elif kind == IP_RECVOPTS:
                answer["ip_options"] = data.hex()
            elif kind == IP_PKTINFO:
                answer["to"] = socket.inet_ntoa(data[8:12])
        if record.kind == "echo":
            answer["echo_sequence"] = struct.unpack("!H", octets[6:8])[0]
            octets = octets[8:]
            answer["full_length"] = len(octets)
        octets = octets[:request.get("max", 65536)]
        return {**answer, "length": len(octets), "hex": octets.hex()}

    def op_recverr(self, request, record, deadline):
        if record.kind == "stream":  # recv() and send() tell them
            raise missing("error queue of a stream socket")
        try:
            if not deadline.wait(0):
                raise Refused("EAGAIN", "timed out")
            _, ancillary, _, peer = record.socket.recvmsg(65600, 512, MSG_ERRQUEUE)
        except BlockingIOError:
            raise Refused("EAGAIN", "nothing") from None
        for _, kind, data in ancillary:
            if kind == IP_RECVERR:
                number, origin, icmp_type, code, _, info, _ = struct.unpack("IBBBBII", data[:16])
                answer = {"errno": errno.errorcode[number], "origin": ERRORS_BY_ORIGIN.get(origin, str(origin)),
                          "type": icmp_type, "code": code, "mtu": info, "local": record.local()}
                if peer:
                    answer["peer"] = name_of(peer)
                if len(data) >= 24:
                    answer["offender"] = socket.inet_ntoa(data[20:24])
                return answer
        raise Refused("EAGAIN", "nothing")

    def op_shutdown(self, request, record, deadline):
        how = {"send": socket.SHUT_WR, "receive": socket.SHUT_RD, "both": socket.SHUT_RDWR}
        record.socket.shutdown(how[request.get("how", "both")])

    def op_close(self, request, record, deadline):
        record.closed = True
        del self.records[request["socket"]]
        time.sleep(3 * SLICE if self.waits_for(record) else 0)  # those that wait see it before the number is used again
        record.socket.close()

    def op_abort(self, request, record, deadline):
        if record.kind == "stream":
            record.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.op_close(request, record, deadline)

    def waits_for(self, record):
        return any(d.record is record for d in list(self.under_way.values()))

    def op_cancel(self, request, record, deadline):
        target = self.under_way.get(request["target"])
        if target:
            target.cancelled = True
        return {"cancelled": int(target is not None)}

    def op_wait(self, request, record, deadline):
        what = request["for"]
        if what != "closed":
            if not deadline.wait({"readable": select.POLLIN}.get(what, select.POLLOUT)):
                raise Refused("EAGAIN", "timed out")
            return {}
        while tcp_status(record.socket)["state"] != "CLOSED":
            if time.monotonic() > deadline.end:
                raise Refused("EAGAIN", "timed out")
            if record.closed or deadline.cancelled:
                raise Refused("ECANCELED", "cancelled")
            time.sleep(SLICE)
        return {"failure": record.look_for_failure()}

    def op_status(self, request, record, deadline):
        if record.kind != "stream":
            raise missing(f"status of a {record.kind} socket")
        status = tcp_status(record.socket)
        if status["state"] == "CLOSED":
            record.look_for_failure()
            held = [c["state"] for c in connections() if (c["local"], c["peer"]) == record.ends]
            status["state"] = held[0] if held else "CLOSED"  # TIME-WAIT is a record of its own
        status["send_queued"] = struct.unpack("i", fcntl.ioctl(record.fd, SIOCOUTQ, b"\0" * 4))[0]
        if status["state"] != "LISTEN":
            status["receive_queued"] = struct.unpack("i", fcntl.ioctl(record.fd, FIONREAD, b"\0" * 4))[0]
        if status["state"] not in ("CLOSED", "LISTEN", "SYN-SENT", "SYN-RECEIVED", "TIME-WAIT"):
            status.update(sequence_numbers(record.socket, status["send_queued"]))
        status["receive_buffer"] = record.socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        name = record.socket.getsockopt(socket.IPPROTO_TCP, TCP_CONGESTION, 16).rstrip(b"\0").decode()
        status["congestion"] = {"reno": "newreno"}.get(name, name)
        status["failure"] = record.failure
        if record.failure:  # soft errors are not told
            status["error"] = record.failure
        return status

    def op_list(self, request, record, deadline):
        return {"sockets": [{"socket": number} for number in self.records], "connections": connections()}

    def op_events(self, request, record, deadline):
        if request.get("on", True):
            raise missing("events")

    def op_set_option(self, request, record, deadline):
        set_option(record, request["name"], request["value"])


if __name__ == "__main__":
    Record.congestion, Record.max_syn_queue = sys.argv[2].encode(), int(sys.argv[3])
    Agent(sys.argv[1]).run()
