#!/usr/bin/python3
"""Measures wireside against the TAP's own limit, the kernel over a veth pair, lwIP and nginx: in one run, alternating.

Everything happens in network namespaces of its own and ends with this program. Without options it takes about twenty
minutes and writes docs/benchmarks; with --quick or --rows it only prints.
"""
import argparse
import json
import os
import pathlib
import shutil
import signal
import sys
import tempfile

import micro
import page
import report
import surroundings
from peers import known_peers
from rows import CURVE, MICRO, all_rows
from run_rows import Progress, Results, run_curve, run_rows
from surroundings import TOP, Failure, program

WIRESIDE = TOP / "build/release/apps/wireside"
LIBRARY = TOP / "build/release/stack/libwireside_stack.a"
LWIP_LIBRARY = TOP / "build/release/tests/bench/tools/libbench_lwip.a"
CURVE_COUNTS = (1, 10, 100, 1000, 10000, 100000)
QUICK_COUNTS = (1, 1000)


def row_names():
    return [*(row.key for row in all_rows("", "", "")), CURVE, MICRO]


def options(arguments=None):
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="rows: " + " ".join(row_names()) + "\nNO_COLOR=1 turns colours off.")
    parser.add_argument("--quick", action="store_true", help="under a minute: one short round, fewer rows and points")
    parser.add_argument("--rows", nargs="+", metavar="NAME", default=[], help="only these, such as receive-offload http-16")
    parser.add_argument("--rounds", type=int, help="how often each is measured (default 5; with --quick 1)")
    parser.add_argument("--seconds", type=float, help="how long each measurement takes (default 1.5; with --quick 0.3)")
    parser.add_argument("--json", metavar="FILE", help="write everything as JSON, too")
    parser.add_argument("--docs", metavar="FOLDER", help="write the page and its charts there (default: docs/benchmarks, "
                        "when everything was measured)")
    parser.add_argument("--from", dest="source", metavar="FILE", help="measure nothing: show what --json wrote")
    parser.add_argument("--check-arguments", action="store_true", help=argparse.SUPPRESS)
    out = parser.parse_args(arguments)
    unknown = [name for name in out.rows if name not in row_names()]
    if unknown:
        parser.error(f"--rows: there is no row {', '.join(unknown)}. There are: {' '.join(row_names())}")
    for name, most in (("rounds", 100), ("seconds", 60)):
        value = getattr(out, name)
        if value is not None and not 0 < value <= most:
            parser.error(f"--{name} {value:g}: give a number above 0, up to {most}")
    if out.source and not os.path.isfile(out.source):
        parser.error(f"--from {out.source}: there is no such file")
    if out.json and not os.path.isdir(os.path.dirname(os.path.abspath(out.json))):
        parser.error(f"--json {out.json}: its folder is not there")
    return out


def chosen_rows(args):
    rows = all_rows(str(LIBRARY), str(LWIP_LIBRARY), str(WIRESIDE))
    if args.rows:
        return [row for row in rows if row.key in args.rows]
    return [row for row in rows if row.key not in ("http-1", "http-256", "both-frames")] if args.quick else rows


def check_programs():
    for path in (WIRESIDE, pathlib.Path(program("bench_load"))):
        if not os.access(path, os.X_OK):
            raise Failure(f"{path} is not there: run scripts/bench, which builds it")
    for tool in ("ip", "nsenter", "unshare", "ping", "wrk", "ab"):
        if not shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
            raise Failure(f"{tool} is not installed: run scripts/install-deps bench")


def measure_all(args, folder, results, progress):
    """Returns the rows and what is to be said about the run."""
    rounds, seconds = args.rounds or (1 if args.quick else 5), args.seconds or (0.3 if args.quick else 1.5)
    about = {"machine": surroundings.machine(), "rounds": rounds, "seconds": seconds, "quick": args.quick}
    about["machine"]["priority"] = surroundings.PRIORITY if surroundings.be_first() else 0
    rows = chosen_rows(args)
    try:
        peers = known_peers(folder, str(WIRESIDE), os.access(program("lwip_server"), os.X_OK), bool(shutil.which("nginx")))
        if not args.rows or MICRO in args.rows:
            about["micro_note"] = micro.run_micro(results, progress, args.quick)
        if not args.rows or CURVE in args.rows:
            run_curve(QUICK_COUNTS if args.quick else CURVE_COUNTS, peers, seconds, results, progress)
        run_rows(rows, peers, rounds, seconds, results, progress)
    except KeyboardInterrupt:
        results.fail("", "", "interrupted")
    progress.end()
    return rows, about


def measured(args):
    """The document of a new run."""
    check_programs()
    if os.geteuid() != 0:
        raise Failure("measuring needs network namespaces and priorities: run it as root, or with sudo")
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    results, progress = Results(), Progress(sys.stderr)
    surroundings.enter()
    if surroundings.congestion_control() != "reno":
        progress.note("the kernel's senders do not use Reno here: its pacing may hide what a stack can do")
    with tempfile.TemporaryDirectory(prefix="wireside-bench-") as name:
        os.chmod(name, 0o755)
        rows, about = measure_all(args, pathlib.Path(name), results, progress)
    return report.document(rows, results, about)


def main():
    args = options()
    if args.check_arguments:
        return 0
    document = json.loads(pathlib.Path(args.source).read_text(encoding="utf-8")) if args.source else measured(args)
    paint = report.Paint(sys.stdout.isatty() and not os.environ.get("NO_COLOR"))
    report.print_table(document, sys.stdout, paint)
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    whole = not (args.quick or args.rows or args.source) and not document["failures"]
    if args.docs or whole:
        page.write(document, pathlib.Path(args.docs) if args.docs else TOP / "docs/benchmarks")
    for failure in document["failures"]:
        where = "/".join(filter(None, (failure["row"], failure["contender"])))
        print(f"bench: {where + ': ' if where else ''}{failure['what']}", file=sys.stderr)
    return 1 if document["failures"] else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as problem:
        print(f"bench: {problem}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        sys.exit(1)
