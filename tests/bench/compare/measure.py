"""How one figure is taken: load against a peer that is up. Each function returns {metric: value}."""
import json
import re
import resource
import statistics
import subprocess
import time

from surroundings import ADDRESS, HOST, Failure, kernel_counter, program, run, start

DISCARD, SOURCE, LEND_DISCARD, LEND_SOURCE, HTTP, BEAST, HTTPD = 9001, 9002, 9003, 9004, 8080, 8081, 80
GIGA = 1e9


def load(kind, *arguments, seconds):
    out = run(program("bench_load"), kind, "--to", ADDRESS, *[str(a) for a in arguments], timeout=seconds * 4 + 20)
    return json.loads(out)


def bulk(peer, seconds, send_to=0, receive_from=0):
    """Gbit/s, and processor seconds per gigabyte: of the server's process, and of it and the load's together."""
    process = peer.cpu()
    moved = load("bulk", "--send-to", send_to, "--receive-from", receive_from, "--seconds", seconds, "--warm-up",
                 min(0.5, seconds / 3), seconds=seconds)
    process = peer.cpu() - process
    both = process + moved["cpu"]
    octets = moved["sent"] + moved["received"]
    if octets == 0:
        raise Failure(f"{peer.name}: nothing moved")
    out = {"value": octets * 8 / GIGA / moved["seconds"], "both_cpu": both * GIGA / moved["total"],
           "process_cpu": process * GIGA / moved["total"]}
    if send_to and receive_from:
        out |= {"in": moved["sent"] * 8 / GIGA / moved["seconds"], "out": moved["received"] * 8 / GIGA / moved["seconds"]}
    return out


def http(peer, seconds, connections, port=HTTP):
    """Requests a second with keep-alive; any error is a failure."""
    whole = max(1, round(seconds))
    out = run("wrk", "-t1", f"-c{connections}", f"-d{whole}", "-H", "Connection: keep-alive", f"http://{ADDRESS}:{port}/",
              timeout=whole + 20)
    problem = re.search(r"(Socket errors|Non-2xx).*", out)
    if problem:
        raise Failure(f"{peer.name}: wrk: {problem.group(0).strip()}")
    return {"value": float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))}


def ended_children_cpu():
    """Processor seconds of the load tools that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def per_request(peer, seconds, take):
    """What `take` measures, what each of its requests costs the server's process in microseconds of processor time, and
    how many cores the server and the load used: a load that uses one whole is what ends the rate."""
    before, load_before, begun = peer.cpu(), ended_children_cpu(), time.monotonic()
    out = take(peer, seconds)
    used, load_used, took = peer.cpu() - before, ended_children_cpu() - load_before, time.monotonic() - begun
    out["load_cores"] = load_used / took
    if used > 0:  # nginx works in a process of its own
        out |= {"request_cpu": used * 1e6 / (out["value"] * min(took, max(1, round(seconds)))), "cores": used / took}
    return out


def connects(peer, seconds, port=HTTP):
    """Connections a second, one request each, and how many SYNs had to be sent again."""
    again = kernel_counter("TCPSynRetrans")
    whole = max(1, round(seconds))
    out = run("ab", "-q", "-r", "-c16", f"-t{whole}", "-n10000000", f"http://{ADDRESS}:{port}/", timeout=whole + 30)
    rate = re.search(r"Requests per second:\s+([\d.]+)", out)
    if not rate:
        raise Failure(f"{peer.name}: ab gave no rate")
    failed = int(re.search(r"Failed requests:\s+(\d+)", out).group(1))
    complete = int(re.search(r"Complete requests:\s+(\d+)", out).group(1))
    return {"value": float(rate.group(1)) * (complete - failed) / max(1, complete), "failed": failed,
            "syn_retransmissions": kernel_counter("TCPSynRetrans") - again}


def datagrams(_peer, seconds):
    """Echoed datagrams of 64 octets a second, 64 on the way at a time."""
    moved = load("datagrams", "--seconds", seconds, "--window", 64, seconds=seconds)
    return {"value": moved["datagrams"] / moved["seconds"], "lost": moved["lost"]}


def ping(peer, seconds):
    """Average round trip of a flood ping in microseconds; a lost one is a failure."""
    count = max(1000, int(seconds * 10000))
    out = run("ping", "-q", "-f", "-c", str(count), "-w", "20", ADDRESS, timeout=40)
    if " 0% packet loss" not in out:
        raise Failure(f"{peer.name}: {out.strip().splitlines()[-2]}")
    whole = int(re.search(r"time (\d+)ms", out).group(1))
    return {"value": float(re.search(r"= [\d.]+/([\d.]+)/", out).group(1)) * 1000, "interval": whole * 1000 / count}


def round_trips(_peer, seconds):
    """One octet there and back over TCP, one at a time: microseconds."""
    out = load("round-trips", "--seconds", seconds, seconds=seconds)
    return {"value": out["p50"], "p99": out["p99"]}


class Holders:
    """One process of the load tool that holds connections."""

    def __init__(self, count, sources):
        self.process = start([program("bench_load"), "many", "--to", ADDRESS, "--count", str(count), "--from",
                              ",".join(sources)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def ask(self, line):
        self.process.stdin.write(line.encode())
        self.process.stdin.flush()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise Failure(f"many connections: {self.process.stderr.read().decode().strip()}")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        self.process.stdout.close()
        self.process.stderr.close()


class Crowd:
    """Open connections, held by as many processes as the limit of open files asks for."""

    def __init__(self, count, sources):
        most = files_at_once()
        self.count, self.opening, self.holders = count, 0.0, []
        try:
            for first in range(0, count, most):
                self.holders.append(Holders(min(most, count - first), sources))
                self.opening += self.holders[-1].answer()["seconds"]
        except BaseException:
            self.close()
            raise

    def touch(self, count):
        """Round trips over all of them in turn: how long they took, and the load's processor seconds."""
        begun = time.monotonic()
        for holder in self.holders:
            holder.ask(f"touch {count // len(self.holders)}\n")
        answers = [holder.answer() for holder in self.holders]
        return {"seconds": time.monotonic() - begun, "cpu": sum(a["cpu"] for a in answers)}

    def close(self):
        for holder in self.holders:
            holder.close()


def files_at_once():
    """Connections that one process may have here."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 100


def source_addresses(count):
    """Each has ports for 25,000 connections to one port; they are added to our side of the link."""
    needed = -(-count // 25000)
    for n in range(1, needed):
        run("ip", "address", "replace", f"10.0.1.{n}/32", "dev", "wsb0")
    return [HOST, *(f"10.0.1.{n}" for n in range(1, needed))]


def crowd(peer, seconds, count):
    """With `count` connections open: goodput of one more beside them, processor time of an echo, memory of each."""
    before = peer.memory()
    many = Crowd(count, source_addresses(count))
    try:
        time.sleep(0.2)
        memory = (peer.memory() - before) / count
        rounds = max(2000, min(count, int(seconds * 30000)))
        cpu = peer.cpu()
        touched = many.touch(rounds)
        cpu = peer.cpu() - cpu
        beside = bulk(peer, seconds, send_to=LEND_DISCARD)
        out = beside["value"]
        return {"value": out, "memory": memory, "echo_cpu": cpu * 1e6 / rounds, "echo_both": (cpu + touched["cpu"]) * 1e6 / rounds,
                "echoes": rounds / touched["seconds"], "opened": count / many.opening}
    finally:
        many.close()


def idle_memory(peer, _seconds, count=5000):
    """Octets of the server's process for an open connection that does nothing."""
    first = Crowd(200, [HOST])  # what the first connections cost once
    first.close()
    time.sleep(0.2)
    before = peer.memory()
    many = Crowd(count, source_addresses(count))
    try:
        time.sleep(0.2)
        return {"value": (peer.memory() - before) / count}
    finally:
        many.close()


def start_up(peer, _seconds):
    """Milliseconds from exec to readiness."""
    return {"value": peer.ready_after * 1000}


def code_size(path):
    """Octets of code and initialised data, as `size` has them."""
    lines = run("size", "-t" if path.endswith(".a") else "-B", path).splitlines()
    text, data = lines[-1].split()[:2]
    return {"value": int(text) + int(data)}


def summary(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "values": values}
