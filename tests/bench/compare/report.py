"""Figures in, a table and JSON out."""
import datetime

from measure import summary
from rows import BARS

FORMAT = 1


class Paint:
    def __init__(self, wanted):
        self.wanted = wanted

    def __call__(self, code, text):
        return f"\033[{code}m{text}\033[0m" if self.wanted else text


def figure(document, path):
    """Median of "row/contender[/metric]"; None where there is none."""
    row, _, rest = path.partition("/")
    contenders = document["rows"].get(row, {}).get("contenders", {})
    if rest in contenders:
        contender, metric = rest, "value"
    else:
        contender, _, metric = rest.rpartition("/")
    return contenders.get(contender, {}).get("metrics", {}).get(metric, {}).get("median")


def judge(document):
    """{bar's key: {...}} with ratio and whether it is met; null where something could not be measured."""
    out = {}
    for bar in BARS:
        value = figure(document, bar.figure)
        base = figure(document, bar.against) if bar.against else 1.0
        ratio = value / base if value is not None and base else None
        met = None if ratio is None else (ratio >= bar.bound if bar.at_least else ratio <= bar.bound)
        out[bar.key] = {"text": bar.text, "figure": bar.figure, "against": bar.against, "ratio": ratio, "bound": bar.bound,
                        "at_least": bar.at_least, "met": met}
    return out


def document(rows, results, about):
    """Everything of a run as plain values."""
    out = {"format": FORMAT, "when": datetime.date.today().isoformat(), **about, "rows": {}}
    for row in rows:
        place = out["rows"][row.key] = {"title": row.title, "unit": row.unit, "more_is_better": row.more_is_better,
                                        "digits": row.digits, "extra": row.extra, "contenders": {}}
        for contender in row.contenders:
            found = results.values.get(row.key, {}).get(contender.key, {})
            entry = place["contenders"][contender.key] = {
                "name": contender.name, "own": contender.own, "metrics": {k: summary(v) for k, v in found.items()}}
            why = results.missing.get(row.key, {}).get(contender.key)
            if any(f["row"] == row.key and f["contender"] == contender.key for f in results.failures):
                why = "failed"
            if why:
                entry["missing"] = why
    for row in ("curve", "micro"):
        if row in results.values:
            out["rows"][row] = {"contenders": {key: {"metrics": {k: summary(v) for k, v in metrics.items()}}
                                               for key, metrics in results.values[row].items()}}
    out["ratios"] = ratios(out)
    out["bars"] = judge(out)
    out["failures"] = results.failures
    return out


def ratios(document):
    """wireside's median divided by each peer's: {"row/ours:theirs": ratio}."""
    out = {}
    for key, row in document["rows"].items():
        medians = {c: e["metrics"]["value"]["median"] for c, e in row["contenders"].items() if "value" in e["metrics"]}
        ours = [c for c in medians if row["contenders"][c].get("own")]
        for mine in ours:
            for theirs in medians:
                if theirs not in ours and medians[theirs]:
                    out[f"{key}/{mine}:{theirs}"] = medians[mine] / medians[theirs]
    return out


def amount(value, digits):
    return f"{value:,.{digits}f}"


def row_lines(document, key):
    """(name, median, least, most, [ratio of each of ours to it], own, missing) of each contender."""
    row = document["rows"][key]
    ours = [c for c, e in row["contenders"].items() if e["own"] and "value" in e["metrics"]]
    for contender, entry in row["contenders"].items():
        if "value" not in entry["metrics"]:
            yield entry["name"], None, None, None, [], entry["own"], entry.get("missing", "not measured")
            continue
        value, digits = entry["metrics"]["value"], row["digits"]
        against = [] if entry["own"] else [document["ratios"][f"{key}/{mine}:{contender}"] for mine in ours]
        yield (entry["name"], amount(value["median"], digits), amount(value["min"], digits), amount(value["max"], digits),
               against, entry["own"], None)


def extra_text(document, key, contender_name):
    row = document["rows"][key]
    entry = next(e for e in row["contenders"].values() if e["name"] == contender_name)
    parts = []
    for metric, (title, unit) in row["extra"].items():
        if metric in entry["metrics"]:
            value = entry["metrics"][metric]["median"]
            parts.append(f"{title} {value:.3g}{' ' + unit if unit else ''}")
    return ", ".join(parts)


def print_table(document, out, paint):
    for key, row in document["rows"].items():
        if key in ("curve", "micro"):
            continue
        sense = "more is better" if row["more_is_better"] else "less is better"
        note = "wireside / this" if any(line[4] for line in row_lines(document, key)) else ""
        head = f"{row['unit']}, {sense}"
        out.write(f"\n{paint('1', row['title'])}  {paint('2', head)}{' ' * max(2, 72 - len(row['title'] + head))}{note}\n")
        for name, median, least, most, against, own, missing in row_lines(document, key):
            label = paint("36", f"{name:36}") if own else f"{name:36}"
            if missing:
                out.write(f"  {label}{paint('33', missing)}\n")
                continue
            ratio = "".join(f"{r:8.2f}" for r in against)
            extra = extra_text(document, key, name)
            out.write(f"  {label}{median:>10}{paint('2', f'{least:>10} to {most:<10}')}{ratio:18}{paint('2', extra)}".rstrip() + "\n")
    print_curve(document, out, paint)
    print_micro(document, out, paint)
    print_bars(document, out, paint)


def curve_points(document):
    """{peer: [(count, {metric: median})]}"""
    out = {}
    for key, entry in document["rows"].get("curve", {}).get("contenders", {}).items():
        peer, count = key.split("/")
        out.setdefault(peer, []).append((int(count), {k: v["median"] for k, v in entry["metrics"].items()}))
    return {peer: sorted(points, key=lambda p: p[0]) for peer, points in out.items()}


def print_curve(document, out, paint):
    points = curve_points(document)
    if not points:
        return
    out.write(f"\n{paint('1', 'Open connections')}  {paint('2', 'one bulk transfer beside them, and echoes on all of them')}\n")
    out.write(f"  {'':12}{'':12}{'Gbit/s':>10}{'us CPU/echo':>13}{'octets each':>13}{'opened/s':>11}\n")
    for peer, series in points.items():
        for count, m in series:
            each = f"{m['memory']:,.0f}" if count >= 100 and peer != "kernel" else "-"
            out.write(f"  {peer:12}{count:>12,}{m['value']:>10.1f}{m['echo_both']:>13.1f}{each:>13}{m['opened']:>11,.0f}\n")


def print_micro(document, out, paint):
    entries = document["rows"].get("micro", {}).get("contenders", {})
    if not entries:
        return
    out.write(f"\n{paint('1', 'Parts of the core')}  {paint('2', document.get('micro_note', ''))}\n")
    for name, entry in entries.items():
        m = entry["metrics"]
        counted = f"{m['instructions']['median']:>14,.0f} instructions" if "instructions" in m else ""
        out.write(f"  {name:44}{m['ns']['median']:>12,.1f} ns{counted}\n")


def bar_text(bar):
    if bar["ratio"] is None:
        return "not measured", "33"
    return ("met", "32") if bar["met"] else ("not met", "31")


def print_bars(document, out, paint):
    measured = [bar for bar in document["bars"].values() if bar["ratio"] is not None]
    if not measured:
        return
    out.write(f"\n{paint('1', 'Bars')}\n")
    for bar in measured:
        state, colour = bar_text(bar)
        value = "-" if bar["ratio"] is None else f"{bar['ratio']:,.2f}"
        out.write(f"  {bar['text']:66}{value:>10}  {'>=' if bar['at_least'] else '<='} {bar['bound']:<8g}"
                  f"{paint(colour, state)}\n")
