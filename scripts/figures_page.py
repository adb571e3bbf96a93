"""docs/tcp_figures.md and its charts from what was simulated and measured. Only numbers make the text differ."""
from figures_chart import Axis, Series, bar_chart, line_chart
from figures_simulations import (ACCIDENTS, ALGORITHMS, BLOAT_DELAY, BLOAT_RATE, BLOAT_SECONDS, FAIR_PATHS, FAIR_SECONDS,
                                 FAIR_SEEDS, LOSSES, PAIRS, QUEUES, RECOVERY_ROUND_TRIP, RECOVERY_SEGMENTS, ROUND_TRIPS,
                                 WHY_EVERY, WHY_HOW, WHY_LOSSES, WHY_ROUND_TRIP, cubic_model, cubic_response, mathis,
                                 rfc5348)

NAMES = {"newreno": "NewReno", "cubic": "CUBIC"}


def rate(value):
    return f"{value:.2f}" if value < 100 else f"{value:.1f}"


def row(*cells):
    return "| " + " | ".join(str(c) for c in cells) + " |"


def head(*cells):
    return [row(*cells), "|" + "---|" * len(cells)]


# --- goodput against loss ----------------------------------------------------------------------------------------

def loss_chart(results, algorithm):
    x = Axis("loss of data segments", 0.00008, 0.13, log=True,
             ticks=tuple((p, f"{100 * p:g} %") for p in LOSSES))
    y = Axis("goodput, Mbit/s", 0.03, 300, log=True)
    fine = [10 ** (-4 + i / 20) for i in range(61)]
    series = []
    for i, r in enumerate(ROUND_TRIPS):
        model = mathis if algorithm == "newreno" else cubic_model
        series.append(Series(f"{r} ms, simulated", [(p, results[(algorithm, r, p)]["mbit_per_s"]) for p in LOSSES],
                             colour=i, marks=True, line=False))
        series.append(Series(f"{r} ms, {'Mathis' if algorithm == 'newreno' else 'RFC 9438'}",
                             [(p, model(p, r / 1000)) for p in fine], colour=i))
        if algorithm == "newreno":
            series.append(Series(f"{r} ms, RFC 5348", [(p, rfc5348(p, r / 1000)) for p in fine], colour=i, dash="5,4"))
    return line_chart(f"{NAMES[algorithm]}: goodput against random loss", x, y, series)


def loss_section(results):
    out = ["## Goodput against loss",
           "One flow, no bottleneck, random loss of what it sends, round trips of 10, 50 and 200 ms. About 300 losses per "
           "point (100 at 0.01 %). Segments carry 1,448 octets.", "",
           "- **Mathis**: MSS/RTT · √(3/2) / √p = 1.22 MSS / (RTT √p). Growth is counted in octets (RFC 3465), so delayed "
           "ACKs do not slow it: b = 1. It knows no timeouts and no smallest window.",
           "- **RFC 5348** section 3.1 (Padhye) does, with b = 1 and t_RTO = max(200 ms, RTT); its sender is one without "
           "SACK.",
           "- **RFC 9438** section 5.1: 1.054 (RTT/p)^¾ segments per round trip (C = 0.4, β = 0.7), or Mathis where that "
           "is more: the Reno-friendly region (section 4.3), whose bound is marked * in the table.", "",
           "![NewReno](figures/loss_newreno.svg)", "", "![CUBIC](figures/loss_cubic.svg)", ""]
    out += head("RTT", "loss", "NewReno Mbit/s", "/ Mathis", "/ RFC 5348", "timeouts", "CUBIC Mbit/s", "/ RFC 9438",
                "timeouts")
    for r in ROUND_TRIPS:
        for p in LOSSES:
            reno, cubic = (results[(a, r, p)] for a in ALGORITHMS)
            friendly = "*" if mathis(p, r / 1000) > cubic_response(p, r / 1000) else ""
            out.append(row(f"{r} ms", f"{100 * p:g} %", rate(reno["mbit_per_s"]),
                           f"{reno['mbit_per_s'] / mathis(p, r / 1000):.2f}",
                           f"{reno['mbit_per_s'] / rfc5348(p, r / 1000):.2f}", reno["timeouts"],
                           rate(cubic["mbit_per_s"]),
                           f"{cubic['mbit_per_s'] / cubic_model(p, r / 1000):.2f}{friendly}", cubic["timeouts"]))
    out += ["", "CUBIC beats Mathis in its Reno-friendly region, probably since it grows by a whole segment per round trip, "
            "not by α, once it has passed its former window (RFC 9438 section 4.3).", ""]
    return out


def small_window_section(results):
    out = ["### Why less than Mathis from 1 % on?",
           f"NewReno, {WHY_ROUND_TRIP} ms round trip, {WHY_LOSSES} losses. *Every nth* loses data frames by their number, "
           "so a retransmission, which soon follows, is not lost: exactly what Mathis assumes. *ACKs at once* has delayed "
           "ACKs of 1 ms at the receiver instead of 40 ms.", ""]
    out += head("loss", "how", "/ Mathis", "recoveries", "sent again", "timeouts", "time in recovery")
    for every in WHY_EVERY:
        for how in WHY_HOW:
            r = results[(every, how)]
            out.append(row(f"1 in {every}", how, f"{r['share']:.2f}", r["recoveries"], r["again"], r["timeouts"],
                           f"{100 * r['in_recovery']:.0f} %"))
    out += ["", "Up to 3 % it is not retransmissions that are lost again: without any the goodput is no better. Waiting for "
            "delayed ACKs costs a little where only a few segments are under way. The rest is, we suppose, that windows are "
            "whole segments and halved downwards, and that a window does not grow in the round trip in which a loss is "
            "repaired: Mathis counts neither, and both weigh more the smaller the window is. At 10 % random "
            "losses bring timeouts on top, and one seed says little.", ""]
    return out


# --- fairness ----------------------------------------------------------------------------------------------------

def fairness_section(results):
    out = ["## Two flows at one bottleneck",
           f"Equal round trips, a queue of one bandwidth-delay product, tail drop; the second flow starts 5 s after the "
           f"first; {FAIR_SECONDS} s, mean of {len(FAIR_SEEDS)} seeds. Jain's index of what both delivered while both "
           "ran: 1 is equal, 0.5 is one alone. The bar is more than 0.95 for two of the same kind.", "",
           "![Fairness](figures/fairness.svg)", ""]
    out += head("flows", "bottleneck", "RTT", "queue", "first Mbit/s", "second Mbit/s", "Jain, mean", "least", "used")
    for pair in PAIRS:
        for path in FAIR_PATHS:
            r = results[(*pair, *path)]
            out.append(row(f"{NAMES[pair[0]]} / {NAMES[pair[1]]}", f"{path[0]} Mbit/s", f"{path[1]} ms",
                           f"{r['queue']:.0f}", rate(r["first"]), rate(r["second"]), f"{r['jain']:.3f}",
                           f"{r['jain_least']:.3f}", f"{100 * r['used']:.1f} %"))
    out += ["", "Where bandwidth and round trip are large, CUBIC takes more than NewReno, as it is meant to (RFC 9438 "
            "section 5.2); where they are small it is in its Reno-friendly region and both get about the same.", ""]
    return out


def fairness_chart(results):
    groups = [(f"{rate_} Mbit/s, {rtt} ms", [results[(*pair, rate_, rtt)]["jain"] for pair in PAIRS])
              for rate_, rtt in FAIR_PATHS]
    names = [f"{NAMES[a]} / {NAMES[b]}" for a, b in PAIRS]
    return bar_chart("Jain's index of two flows", "rate of the bottleneck, round-trip time", Axis("Jain's index", 0, 1.1, ticks=tuple(
        (v / 10, f"{v / 10:g}") for v in range(0, 11, 2))), groups, names, digits=2)


# --- queues ------------------------------------------------------------------------------------------------------

def thinned(points, step):
    """One point for each `step` of x, the largest: enough for a chart."""
    best = {}
    for x, y in points:
        key = int(x / step)
        if key not in best or y > best[key][1]:
            best[key] = (x, y)
    return [best[k] for k in sorted(best)]


def queue_charts(results):
    ticks = tuple((v, f"{v:g}") for v in (20, 50, 100, 200, 500))
    y = Axis("round-trip time, ms", 15, 1000, log=True, ticks=ticks)
    out = {}
    for algorithm in ALGORITHMS:
        series = [Series(name, thinned(results[(name, algorithm)]["rtts"], 0.1), colour=i)
                  for i, name in enumerate(QUEUES)]
        out[f"queue_{algorithm}"] = line_chart(f"{NAMES[algorithm]}: round-trip time over {BLOAT_SECONDS} s",
                                               Axis("seconds", 0, BLOAT_SECONDS), y, series)
    deep = next(iter(QUEUES))
    start = [Series(f"{NAMES[a]}: window", [(t, w) for t, w, _ in results[(deep, a)]["windows"] if t < 2],
                    colour=i) for i, a in enumerate(ALGORITHMS)]
    out["slow_start"] = line_chart("Slow start into a deep queue: with HyStart++ (CUBIC) and without (NewReno)",
                                   Axis("seconds", 0, 2), Axis("congestion window, segments", 8, 2000, log=True,
                                   ticks=tuple((v, f"{v:,}") for v in (10, 35, 100, 300, 1000))), start)
    return out


def queue_section(results):
    out = ["## Queues", f"One flow over {BLOAT_RATE} Mbit/s, {BLOAT_DELAY} ms round trip, {BLOAT_SECONDS} s. A "
           "bandwidth-delay product is 35 frames of 1,514 octets.", "", "![NewReno](figures/queue_newreno.svg)", "",
           "![CUBIC](figures/queue_cubic.svg)", ""]
    out += head("queue", "flow", "Mbit/s", "link used", "RTT median ms", "most ms", "lost in the queue", "sent again",
                "marked CE")
    for name in QUEUES:
        for a in ALGORITHMS:
            r = results[(name, a)]
            rtts = sorted(v for _, v in r["rtts"])
            out.append(row(name, NAMES[a], rate(r["mbit_per_s"]), f"{100 * r['used']:.1f} %",
                           f"{rtts[len(rtts) // 2]:.1f}", f"{rtts[-1]:.1f}", r["queue_lost"], r["again"], r["marked"]))
    deep = next(iter(QUEUES))
    peak = {a: max(w for t, w, _ in results[(deep, a)]["windows"]) for a in ALGORITHMS}
    first = {a: next((w for t, w, reason in results[(deep, a)]["windows"]
                      if reason == "congestion avoidance" or reason == "fast retransmit"), 0) for a in ALGORITHMS}
    out += ["", "![Slow start](figures/slow_start.svg)", "",
            f"NewReno's slow start ends by loss, with a window of {first['newreno']:,.0f} segments; HyStart++ (RFC 9406) "
            f"sees the round trip grow and leaves slow start at {first['cubic']:,.0f}. Greatest windows: "
            f"{peak['newreno']:,.0f} and {peak['cubic']:,.0f} segments. ECN keeps the queue at its mark without a loss.",
            ""]
    return out


# --- recovery ----------------------------------------------------------------------------------------------------

def recovery_chart(results, kernel):
    groups = []
    for name in ACCIDENTS:
        groups.append((name.replace("tail: the ", "").replace("lost retransmission", "lost retrans."),
                       [results[("rack", name)]["extra"], results[("rfc6675", name)]["extra"],
                        kernel["accidents"][name]["extra"]]))
    most = max(v for _, values in groups for v in values)
    return bar_chart("Round trips that a loss costs", "what was lost",
                     Axis("round trips more than without loss", 0, max(4, int(most) + 2)), groups,
                     ["wireside", "wireside, RFC 6675 without RACK-TLP", f"Linux {kernel['release']}"])


def recovery_section(results, kernel):
    out = ["## Recovery time",
           f"{RECOVERY_SEGMENTS} segments over a round trip of {RECOVERY_ROUND_TRIP} ms, with CUBIC: 10, 20 and 10 of them "
           "per round trip. What is lost is chosen (`drop=data:15`); the table says how much later the last octet "
           "arrived than without loss, in round trips. wireside is simulated; the kernel's figures are medians of real "
           f"transfers between two kernels (Linux {kernel['release']}, {NAMES.get(kernel['congestion'], kernel['congestion'])}) "
           "through `wireside bridge` in the same impairment (`scripts/figures --kernel` measures them anew).", "",
           "![Recovery](figures/recovery.svg)", ""]
    out += head("lost", "wireside", "sent again", "timeouts", "without RACK-TLP", "timeouts", "Linux", "sent again",
                "timeouts")
    for name, drop in ACCIDENTS.items():
        rack, old, linux = results[("rack", name)], results[("rfc6675", name)], kernel["accidents"][name]
        what = f"{name} (`{drop}`)" if drop else f"{name} (`data:15` and the frame that repeats it)"
        out.append(row(what, f"{rack['extra']:.2f}", rack["again"], rack["timeouts"], f"{old['extra']:.2f}",
                       old["timeouts"], f"{linux['extra']:.2f}", linux["again"], linux["timeouts"]))
    return [*out, ""]


def build(loss, why, fair, queue, recovered, kernel):
    """{file name below docs: text}."""
    files = {"figures/loss_newreno.svg": loss_chart(loss, "newreno"), "figures/loss_cubic.svg": loss_chart(loss, "cubic"),
             "figures/fairness.svg": fairness_chart(fair),
             "figures/recovery.svg": recovery_chart(recovered, kernel)}
    files |= {f"figures/{name}.svg": chart for name, chart in queue_charts(queue).items()}
    page = ["# TCP in figures", "Written by `scripts/figures`, from simulations (`wireside sim`, [sim.md](sim.md)) that give "
            "the same numbers each time; `scripts/figures --check` runs them again and compares.", "",
            *loss_section(loss), *small_window_section(why), *fairness_section(fair), *queue_section(queue),
            *recovery_section(recovered, kernel)]
    files["tcp_figures.md"] = "\n".join(page).rstrip() + "\n"
    return files
