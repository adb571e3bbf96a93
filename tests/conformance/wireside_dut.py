"""The device under test: `wireside agent` on a TAP whose other end is the test itself.

    dut.listen(port)        -> Socket in LISTEN        socket.accept(), .send(), .recv(), .close(), .status() ...
    dut.start("connect", …) -> Call; .result() waits for the answer, so that the test can play the peer meanwhile

An operation that is refused raises DutError, whose .error is the errno name ("ECONNREFUSED").
docs/agent.md describes the protocol below this.
"""
import itertools
import json
import os
import subprocess
import threading
import time

from wireside_lab import make_tap, remove_tap, wireside_binary
from wireside_wire import DUT_IP, Wire

TIME_FACTOR = float(os.environ.get("WIRESIDE_TIME_FACTOR", "1"))  # for slow machines and sanitizer builds


class DutError(Exception):
    """An answer with "ok": false."""

    def __init__(self, answer):
        super().__init__(f"{answer.get('error')}: {answer.get('message')}")
        self.answer = answer
        self.error = answer.get("error")


class Call:
    """An operation under way."""

    def __init__(self, dut, request):
        self.dut, self.request = dut, request
        self.answer = None
        self._done = threading.Event()

    def finish(self, answer):
        self.answer = answer
        self._done.set()

    def done(self):
        return self._done.is_set()

    def result(self, within=10.0):
        if not self._done.wait(within * TIME_FACTOR):
            raise AssertionError(f"no answer within {within} s to {self.request}\n{self.dut.wire.transcript()}")
        if not self.answer.get("ok"):
            raise DutError(self.answer)
        return self.answer


class Socket:
    """A socket of the device under test, by its number in the agent."""

    def __init__(self, dut, number, local=None, peer=None):
        self.dut, self.number, self.local, self.peer = dut, number, local, peer

    @property
    def port(self):
        return int(self.local.rsplit(":", 1)[1])

    def start(self, op, **fields):
        return self.dut.start(op, socket=self.number, **fields)

    def call(self, op, **fields):
        return self.start(op, **fields).result()

    def bind(self, port=0, address="0.0.0.0"):
        self.local = self.call("bind", address=address, port=port).get("local")
        return self

    def listen(self, backlog=128):
        self.local = self.call("listen", backlog=backlog).get("local", self.local)
        return self

    def accept(self, timeout_ms=3000):
        answer = self.call("accept", timeout_ms=timeout_ms)
        return Socket(self.dut, answer["socket"], answer.get("local"), answer.get("peer"))

    def connect(self, port, address=None, timeout_ms=5000):
        """Starts an active open; the result is there when the handshake is over."""
        return self.start("connect", address=address or self.dut.wire.ip, port=port, timeout_ms=timeout_ms)

    def send(self, data, timeout_ms=5000):
        """`data`: bytes, or a number of octets of the pattern (see wireside_wire.pattern)."""
        octets = {"pattern": data} if isinstance(data, int) else {"hex": data.hex()}
        return self.call("send", timeout_ms=timeout_ms, **octets)["sent"]

    def start_send(self, data, **fields):
        octets = {"pattern": data} if isinstance(data, int) else {"hex": data.hex()}
        return self.start("send", **octets, **fields)

    def recv(self, timeout_ms=3000, **fields):
        """Octets; b"" at the end of the stream."""
        return bytes.fromhex(self.call("recv", **{"as": "hex"}, timeout_ms=timeout_ms, **fields)["hex"])

    def sendto(self, data, address, port):
        return self.call("sendto", hex=data.hex(), address=address, port=port)["sent"]

    def recvfrom(self, timeout_ms=3000, **fields):
        answer = self.call("recvfrom", **{"as": "hex"}, timeout_ms=timeout_ms, **fields)
        answer["data"] = bytes.fromhex(answer["hex"])
        return answer

    def recverr(self, timeout_ms=1000):
        """The oldest entry of the error queue (set the option report_errors first); None when there is none."""
        try:
            return self.call("recverr", timeout_ms=timeout_ms)
        except DutError as refused:
            if refused.error != "EAGAIN":
                raise
            return None

    def shutdown(self, how="send"):
        self.call("shutdown", how=how)

    def close(self):
        """The socket is no more then; dut.state_of(peer) tells what becomes of the connection."""
        self.call("close")

    def abort(self):
        self.call("abort")

    def option(self, **options):
        for name, value in options.items():
            self.call("set_option", name=name, value=value)
        return self

    def status(self):
        return self.call("status")

    @property
    def state(self):
        return self.status()["state"]

    def wait_state(self, *states, within=2.0):
        """Waits for one of the states (RFC names)."""
        end = time.monotonic() + within * TIME_FACTOR
        while True:
            now = self.state
            if now in states:
                return now
            assert time.monotonic() < end, f"state is {now}, not {' or '.join(states)}\n{self.dut.wire.transcript()}"
            time.sleep(0.002)

    def wait_status(self, condition, within=2.0):
        """Waits until condition(status) holds; gives that status."""
        end = time.monotonic() + within * TIME_FACTOR
        while True:
            status = self.status()
            if condition(status):
                return status
            assert time.monotonic() < end, f"still not so: {status}\n{self.dut.wire.transcript()}"
            time.sleep(0.002)

    def wait(self, what, timeout_ms=3000):
        return self.call("wait", **{"for": what}, timeout_ms=timeout_ms)


class Dut:
    """One agent process on a TAP of its own, with the wire to it."""

    call_type = Call

    def __init__(self, *arguments, mtu=1500, offload=False, address=f"{DUT_IP}/24", binary=None, acd=False):
        self.tap = make_tap(mtu)
        self.wire = Wire(self.tap)
        command = [binary or wireside_binary(), "agent", "--tap", self.tap, "--ip", address, "--gateway", "10.9.0.254"]
        if not offload:
            command.append("--no-offload")
        if not acd:  # the address is used at once
            command.append("--no-acd")
        self.process = subprocess.Popen([*command, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, bufsize=0)
        self.events = []
        self.stderr = []
        self.strays = []  # answers that belong to no Call
        self._ids = itertools.count(1)
        self._calls = {}
        self._lock = threading.Lock()
        self.start_readers()
        try:
            self.config = self.call("config")
            self.wire.dut_mac = self.config["mac"]
            self.wire.introduce()
        except BaseException:
            self.process.kill()
            self.close(check=False)
            raise

    def start_readers(self):
        self._readers = [threading.Thread(target=f, daemon=True) for f in (self._read_answers, self._read_errors)]
        for reader in self._readers:
            reader.start()

    def _read_answers(self):
        for line in self.process.stdout:
            answer = json.loads(line)
            if "event" in answer:
                self.events.append(answer)
                continue
            with self._lock:
                call = self._calls.pop(answer.get("id"), None)
            if call:
                call.finish(answer)
            else:
                self.strays.append(answer)
        with self._lock:
            left, self._calls = self._calls, {}
        for call in left.values():
            call.finish({"ok": False, "error": "EPIPE", "message": f"the agent ended: {''.join(self.stderr)[-2000:]}"})

    def _read_errors(self):
        for line in self.process.stderr:
            self.stderr.append(line.decode(errors="replace"))

    def send_line(self, line):
        self.process.stdin.write(line if isinstance(line, bytes) else line.encode() + b"\n")

    def start(self, op, **fields):
        request = {"id": next(self._ids), "op": op, **fields}
        call = self.call_type(self, request)
        with self._lock:
            self._calls[request["id"]] = call
        try:
            self.send_line(json.dumps(request))
        except BrokenPipeError:
            raise AssertionError(f"the agent is gone: {''.join(self.stderr)[-4000:]}") from None
        return call

    def call(self, op, **fields):
        return self.start(op, **fields).result()

    def open(self, kind="stream"):
        return Socket(self, self.call("open", kind=kind)["socket"])

    def listen(self, port, backlog=128, **options):
        return self.open().option(**options).bind(port).listen(backlog)

    def udp(self, port=0):
        return self.open("datagram").bind(port)

    def state_of(self, peer):
        """State of the connection with that Peer, None when the stack knows none; also after the socket was closed."""
        for connection in self.call("list")["connections"]:
            if connection["peer"].endswith(f":{peer.port}") and connection["local"].endswith(f":{peer.dut_port}"):
                return connection["state"]
        return None

    def wait_state(self, peer, state, within=2.0):
        """Waits until state_of(peer) is that (RFC names, or None)."""
        end = time.monotonic() + within * TIME_FACTOR
        while (now := self.state_of(peer)) != state:
            assert time.monotonic() < end, f"state is {now}, not {state}\n{self.wire.transcript()}"
            time.sleep(0.002)

    def listen_to_events(self, *kinds, frames=False):
        self.events.clear()
        self.call("events", on=True, frames=frames, **({"kinds": list(kinds)} if kinds else {}))

    def wait_event(self, kind, within=2.0, **fields):
        """The first event of that kind with those fields; it and all before it are taken off the list."""
        end = time.monotonic() + within * TIME_FACTOR
        while True:
            for i, event in enumerate(list(self.events)):
                if event["event"] == kind and all(event.get(k) == v for k, v in fields.items()):
                    del self.events[:i + 1]
                    return event
            assert time.monotonic() < end, f"no {kind} event with {fields}; there were {self.events[-20:]}"
            time.sleep(0.002)

    def reset(self):
        """Aborts every socket: the next test starts with none."""
        for socket in self.call("list")["sockets"]:
            self.call("abort", socket=socket["socket"])
        self.call("events", on=False)
        self.events.clear()

    def alive(self):
        return self.process.poll() is None

    def close(self, check=True):
        """Ends the agent and removes the TAP. With `check`, a bad end (crash, sanitizer report) is an error."""
        try:
            if self.alive():
                self.start("quit")
            self.process.stdin.close()
            status = self.process.wait(10)
        except (subprocess.TimeoutExpired, AssertionError, OSError) as problem:
            self.process.kill()
            self.process.wait()
            status = f"killed: {problem!r}"
        for reader in self._readers:
            reader.join(2)
        self.wire.close()
        remove_tap(self.tap)
        if check:
            assert status == 0, f"the agent ended with {status}:\n{''.join(self.stderr)[-8000:]}"
