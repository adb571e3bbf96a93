"""The simulations behind docs/tcp_figures.md: scenarios for `wireside sim`, and the models beside them."""
import concurrent.futures
import json
import math
import os
import pathlib
import subprocess
import tempfile

MSS = 1448  # octets of payload per segment: 1,500 - 20 - 20 - 12 of timestamps
ALGORITHMS = ("newreno", "cubic")

# --- goodput against loss
LOSSES = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)
ROUND_TRIPS = (10, 50, 200)  # ms
LOSS_EVENTS = 300            # as many losses are waited for as this, within:
SEGMENTS_LEAST, SEGMENTS_MOST = 15_000, 1_000_000

# --- what small windows cost
WHY_ROUND_TRIP, WHY_LOSSES = 50, 300  # ms
WHY_EVERY = (100, 33, 10)
WHY_HOW = {  # impairment of the data, options of the receiver
    "at random": ("loss={percent:g}%", ""),
    "every nth": ("drop=data:*{every}", ""),
    "at random, ACKs at once": ("loss={percent:g}%", "delayed-ack=1ms"),
    "every nth, ACKs at once": ("drop=data:*{every}", "delayed-ack=1ms"),
}

# --- fairness
PAIRS = (("newreno", "newreno"), ("cubic", "cubic"), ("newreno", "cubic"))
FAIR_PATHS = ((10, 20), (10, 100), (50, 20), (50, 100))  # Mbit/s, ms
FAIR_SECONDS, FAIR_SEEDS = 180, (1, 2, 3)

# --- queues
BLOAT_RATE, BLOAT_DELAY, BLOAT_SECONDS = 20, 20, 20  # Mbit/s, ms of round trip, s
BLOAT_BDP = 35                                        # frames of 1,514 octets: 20 Mbit/s * 20 ms and one more
QUEUES = {
    "deep queue (1,000 frames)": (1000, None, "off"),
    "queue of one bandwidth-delay product (35)": (BLOAT_BDP, None, "off"),
    "shallow queue (9)": (9, None, "off"),
    "deep queue that marks from 18 frames on, ECN": (1000, 18, "ask"),
}

# --- recovery
RECOVERY_ROUND_TRIP = 100  # ms
RECOVERY_SEGMENTS = 40
ACCIDENTS = {
    "one loss": "data:15",
    "burst of 4": "data:15-18",
    "every other of 8": "data:15/17/19/21",
    "tail: the last segment": "data:40",
    "tail: the last 3": "data:38-40",
    "whole last flight": "data:31-40",
    "lost retransmission": None,  # data:15 and the frame in which it is sent again
}


def simulate(binary, scenario, *arguments):
    done = subprocess.run([binary, "sim", "-j", *arguments, "-"], input=scenario, text=True, capture_output=True,
                          timeout=600)
    if done.returncode != 0:
        raise RuntimeError(f"wireside sim gave {done.returncode}: {done.stderr}\n{scenario}")
    return json.loads(done.stdout)


def in_parallel(function, jobs):
    """{job: function(*job)}, the longest jobs first."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(jobs, pool.map(lambda job: function(*job), jobs)))


# --- models: rates in Mbit/s of payload --------------------------------------------------------------------------

def mathis(p, rtt):
    """Mathis et al. 1997: MSS/RTT * sqrt(3/2)/sqrt(p). Delayed ACKs do not slow growth by octets (RFC 3465): b = 1."""
    return MSS * 8e-6 / rtt * math.sqrt(1.5 / p)


def rfc5348(p, rtt):
    """Padhye's equation as in RFC 5348 section 3.1, b = 1, with t_RTO = max(200 ms, RTT + 4 * RTTVAR of 0)."""
    t_rto = max(0.2, rtt)
    return MSS * 8e-6 / (rtt * math.sqrt(2 * p / 3) + t_rto * 3 * math.sqrt(3 * p / 8) * p * (1 + 32 * p * p))


def cubic_response(p, rtt):
    """RFC 9438 section 5.1 with C = 0.4 and beta = 0.7: 1.054 * RTT^(3/4) / p^(3/4) segments per round trip."""
    window = (0.4 * 3.7 / (4 * 0.3)) ** 0.25 * rtt ** 0.75 / p ** 0.75
    return MSS * 8e-6 / rtt * window


def cubic_model(p, rtt):
    """The larger of both: below it lies the Reno-friendly region (RFC 9438 section 4.3)."""
    return max(mathis(p, rtt), cubic_response(p, rtt))


# --- simulations -------------------------------------------------------------------------------------------------

def one_loss_run(binary, algorithm, rtt_ms, p):
    segments = min(SEGMENTS_MOST, max(SEGMENTS_LEAST, round(LOSS_EVENTS / p)))
    scenario = f"""seed 1
stop 86400s
host a
host b
link a b forth=loss={p * 100:g}%,delay={rtt_ms / 2:g}ms back=delay={rtt_ms / 2:g}ms
flow f a b octets={segments * MSS}B congestion={algorithm}
"""
    flow = simulate(binary, scenario)["flows"][0]
    return {"mbit_per_s": flow["goodput_bps"] / 1e6, "again": flow["retransmitted_segments"],
            "recoveries": flow["recoveries"], "timeouts": flow["timeouts"], "segments": segments}


def goodput_against_loss(binary):
    jobs = [(binary, a, r, p) for p in LOSSES for r in ROUND_TRIPS for a in ALGORITHMS]
    return {job[1:]: value for job, value in in_parallel(one_loss_run, jobs).items()}


def one_small_window_run(binary, every, how):
    impairment, receiver = WHY_HOW[how]
    impairment = impairment.format(percent=100 / every, every=every)
    scenario = f"""seed 1
stop 86400s
host a
host b {receiver}
link a b forth={impairment},delay={WHY_ROUND_TRIP / 2:g}ms back=delay={WHY_ROUND_TRIP / 2:g}ms
flow f a b octets={WHY_LOSSES * every * MSS}B congestion=newreno
"""
    flow = simulate(binary, scenario)["flows"][0]
    return {"share": flow["goodput_bps"] / 1e6 / mathis(1 / every, WHY_ROUND_TRIP / 1000),
            "again": flow["retransmitted_segments"], "recoveries": flow["recoveries"], "timeouts": flow["timeouts"],
            "in_recovery": flow["in_recovery_ms"] / flow["took_ms"]}


def small_windows(binary):
    jobs = [(binary, every, how) for every in WHY_EVERY for how in WHY_HOW]
    return {job[1:]: value for job, value in in_parallel(one_small_window_run, jobs).items()}


def one_fairness_run(binary, first, second, rate, rtt_ms, seed):
    queue = max(10, round(rate * 1e6 * rtt_ms / 1000 / (1514 * 8)))
    scenario = f"""seed {seed}
host a
host b
host c
host d
router left
router right
link a left both=delay=1ms,jitter=100us,order=keep
link b left both=delay=1ms,jitter=100us,order=keep
link left right forth=rate={rate}mbit,queue={queue},delay={rtt_ms / 2 - 2:g}ms back=delay={rtt_ms / 2 - 2:g}ms
link right c both=delay=1ms
link right d both=delay=1ms
flow first a c for={FAIR_SECONDS}s congestion={first}
flow second b d for={FAIR_SECONDS - 5}s start=5s congestion={second}
"""
    summary = simulate(binary, scenario)
    one, two = (f["goodput_bps"] / 1e6 for f in summary["flows"])
    used = next(link["utilisation"] for link in summary["links"] if link["from"] == "left" and link["to"] == "right")
    return {"jain": summary["fairness"], "first": one, "second": two, "used": used, "queue": queue}


def fairness(binary):
    jobs = [(binary, *pair, *path, seed) for path in reversed(FAIR_PATHS) for pair in PAIRS for seed in FAIR_SEEDS]
    runs = in_parallel(one_fairness_run, jobs)
    out = {}
    for pair in PAIRS:
        for path in FAIR_PATHS:
            of_seeds = [runs[(binary, *pair, *path, seed)] for seed in FAIR_SEEDS]
            mean = {key: sum(r[key] for r in of_seeds) / len(of_seeds) for key in of_seeds[0]}
            out[(*pair, *path)] = {**mean, "jain_least": min(r["jain"] for r in of_seeds)}
    return out


def one_queue_run(binary, name, algorithm):
    queue, mark, ecn = QUEUES[name]
    marking = f",ecn={mark}" if mark else ""
    scenario = f"""seed 1
host a receive-buffer-max=16MiB
host b receive-buffer-max=16MiB
link a b forth=rate={BLOAT_RATE}mbit,queue={queue}{marking},delay={BLOAT_DELAY / 2:g}ms back=delay={BLOAT_DELAY / 2:g}ms
flow f a b for={BLOAT_SECONDS}s congestion={algorithm} ecn={ecn}
"""
    with tempfile.TemporaryDirectory() as folder:
        events = pathlib.Path(folder, "events")
        summary = simulate(binary, scenario, "--events", str(events))
        rtts, windows = [], []
        begin = None
        with open(events, encoding="utf-8") as lines:
            for line in lines:
                if '"rtt"' not in line and '"window"' not in line:
                    continue
                event = json.loads(line)
                if event["node"] != "a":
                    continue
                begin = event["t_ms"] if begin is None else begin
                if event["event"] == "rtt":
                    rtts.append((event["t_ms"] / 1000, event["sample_ms"]))
                elif event["event"] == "window":
                    windows.append((event["t_ms"] / 1000, event["cwnd"] / MSS, event["reason"]))
    flow, link = summary["flows"][0], summary["links"][0]
    return {"rtts": rtts, "windows": windows, "mbit_per_s": flow["goodput_bps"] / 1e6,
            "again": flow["retransmitted_segments"], "timeouts": flow["timeouts"], "used": link["utilisation"],
            "marked": link["impaired"].get("congestion experienced set", 0),
            "queue_lost": link["impaired"].get("queue full", 0)}


def queues(binary):
    jobs = [(binary, name, a) for name in QUEUES for a in ALGORITHMS]
    return {job[1:]: value for job, value in in_parallel(one_queue_run, jobs).items()}


# --- recovery ----------------------------------------------------------------------------------------------------

def recovery_scenario(drop, options=""):
    delay = RECOVERY_ROUND_TRIP / 2
    lost = "".join(f"drop={d}," for d in drop)
    return f"""seed 1
host a {options}
host b
link a b forth={lost}delay={delay:g}ms back=delay={delay:g}ms
flow f a b octets={RECOVERY_SEGMENTS * MSS}B congestion=cubic
"""


def one_recovery_run(binary, drop, options=""):
    """Time to the last octet in round trips, and what had to be done."""
    flow = simulate(binary, recovery_scenario(drop, options))["flows"][0]
    return {"round_trips": flow["took_ms"] / RECOVERY_ROUND_TRIP, "again": flow["retransmitted_segments"],
            "timeouts": flow["timeouts"]}


def retransmission_number(binary, lost, options=""):
    """The how many-th frame with data is the first retransmission, when frame `lost` is dropped?"""
    with tempfile.TemporaryDirectory() as folder:
        events = pathlib.Path(folder, "events")
        simulate(binary, recovery_scenario([f"data:{lost}"], options), "--events", str(events))
        number = 0
        for line in events.read_text(encoding="utf-8").splitlines():
            event = json.loads(line)
            if event["event"] != "sent" or event["node"] != "a":
                continue
            again = event["reason"] in ("fast retransmit", "RTO retransmit", "path-MTU retransmit",
                                        "closed-window retransmit", "tail loss probe")
            number += 1 if again or event["reason"] == "data" else 0
            if again:
                return number
    raise RuntimeError("nothing was sent again")


def recovery(binary):
    """For each accident: what wireside needed beyond the transfer without one, in round trips."""
    out = {}
    for name, options in (("rack", ""), ("rfc6675", "loss-detection=rfc6675 tail-loss-probe=off")):
        clean = one_recovery_run(binary, [], options)
        for accident, drop in ACCIDENTS.items():
            if drop is None:
                drop = f"data:15/{retransmission_number(binary, 15, options)}"
            run = one_recovery_run(binary, [drop], options)
            out[(name, accident)] = {**run, "extra": run["round_trips"] - clean["round_trips"]}
    return out
