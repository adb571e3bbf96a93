"""The Google Benchmark programs: times, and instruction counts by what this machine has."""
import json
import pathlib
import re
import shutil
import tempfile

from surroundings import TOP, Failure, run

PROGRAM = TOP / "build/release/tests/wireside_bench"
FEW, MANY = 1000, 3000


def perf_counts():
    """True if the processor's instruction counter can be read here (seldom in a virtual machine)."""
    if not shutil.which("perf"):
        return False
    with tempfile.NamedTemporaryFile() as out:
        run("perf", "stat", "-x,", "-o", out.name, "-e", "instructions:u", "true", check=False)
        return bool(re.search(r"^\d+,", pathlib.Path(out.name).read_text(), re.M))


def instructions_by_perf(arguments):
    with tempfile.NamedTemporaryFile() as out:
        run("perf", "stat", "-x,", "-o", out.name, "-e", "instructions:u", *arguments)
        return int(re.search(r"^(\d+),", pathlib.Path(out.name).read_text(), re.M).group(1))


def instructions_by_valgrind(arguments):
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder, "out")
        # glibc copies long runs by one instruction, which valgrind counts once for each octet.
        tunables = "GLIBC_TUNABLES=glibc.cpu.x86_rep_movsb_threshold=1000000000"
        run("env", tunables, "valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", *arguments, timeout=120)
        return int(re.search(r"^(?:totals|summary): (\d+)", out.read_text(), re.M).group(1))


def counter():
    """(function, what it is called) or (None, why there is none)."""
    if perf_counts():
        return instructions_by_perf, "instructions by the processor's counter (perf stat)"
    if shutil.which("valgrind"):
        return instructions_by_valgrind, "instructions as valgrind counts them: the processor's counter cannot be read here"
    return None, "no instruction counts: neither perf's counter nor valgrind is there"


def times(seconds):
    out = run(str(PROGRAM), "--benchmark_format=json", f"--benchmark_min_time={seconds}", timeout=300)
    scale = {"ns": 1, "us": 1e3, "ms": 1e6}
    return {b["name"]: b["cpu_time"] * scale[b["time_unit"]] for b in json.loads(out)["benchmarks"]}


def count(how, name):
    """Instructions of one iteration: what MANY iterations take beyond FEW."""
    def of(iterations):
        return how([str(PROGRAM), f"--benchmark_filter=^{name}/iterations", f"--iterations={iterations}"])
    each = (of(MANY) - of(FEW)) / (MANY - FEW)
    if each <= 0:
        raise Failure(f"{name}: no instructions were counted")
    return each


def run_micro(results, progress, quick):
    """Returns what the counts are."""
    if not PROGRAM.exists():
        results.fail("micro", "", f"{PROGRAM} is not there: run scripts/bench, which builds it")
        return ""
    how, note = (None, "no instruction counts with --quick") if quick else counter()
    for name, nanoseconds in times(0.05 if quick else 0.5).items():
        progress.say(f"parts of the core: {name}", ("micro", 0))
        results.add("micro", name, {"ns": nanoseconds})
        if how:
            try:
                results.add("micro", name, {"instructions": count(how, name)})
            except Failure as problem:
                results.fail("micro", name, str(problem))
    return note
