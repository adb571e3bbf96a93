"""Builds wireside in every way that counts and runs all of its tests, stage by stage.

A failing stage does not stop the later ones. The last line is "N passed, N failed": all test cases together, where a
build or a check counts as one. The exit status is 0 if none failed.
"""

import argparse
import concurrent.futures
import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(TOP, "build")
RESULTS = os.path.join(BUILD, "results")
COLOUR = sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def paint(code, text):
    return f"\033[{code}m{text}\033[0m" if COLOUR else text


class Tally:
    """What passed and failed, over all stages."""

    def __init__(self):
        self.passed = 0
        self.skipped = []
        self.failures = []

    def record(self, name, good):
        if good:
            self.passed += 1
        else:
            self.failures.append(name)

    def add_junit(self, path, prefix):
        """Adds every test case of a GoogleTest or pytest XML file; returns how many there were, None if unreadable."""
        try:
            root = ElementTree.parse(path).getroot()
        except (OSError, ElementTree.ParseError):
            return None
        cases = list(root.iter("testcase"))
        for case in cases:
            name = f"{prefix}: {case.get('classname', '')}.{case.get('name')}"
            skipped = case.find("skipped")
            if case.find("failure") is not None or case.find("error") is not None:
                self.failures.append(name)
            elif skipped is not None or case.get("status") == "notrun" or case.get("result") == "skipped":
                self.skipped.append(f"{name} ({(skipped.get('message') if skipped is not None else '') or 'disabled'})")
            else:
                self.passed += 1
        return len(cases)


def run(command, timeout, env=None):
    """Runs a command in the tree with its output shown; True if it ended well in time. Its children end with it."""
    print(paint(2, "$ " + " ".join(command)), flush=True)
    with subprocess.Popen(command, cwd=TOP, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL,
                          start_new_session=True) as process:
        try:
            return process.wait(timeout=timeout) == 0
        except subprocess.TimeoutExpired:
            print(f"stopped after {timeout} s", flush=True)
            return False
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


class BuildAhead:
    """Builds in the background what later stages need, while tests that mostly wait for timers run.

    It yields the processor to them. The later stage builds again, which finds everything done or shows the errors.
    """

    def __init__(self, builds):
        commands = [command for preset, targets in builds for command in (configure(preset), build(preset, targets))]
        script = "; ".join(" ".join(command) for command in commands)
        with open(os.path.join(RESULTS, "build-ahead.log"), "wb") as log:
            self.process = subprocess.Popen(["sh", "-c", script], cwd=TOP, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True, preexec_fn=self.yield_to_others)

    @staticmethod
    def yield_to_others():
        os.nice(19)
        try:
            with open("/proc/self/autogroup", "w") as file:  # with autogroups, nice counts only inside a session
                file.write("19")
        except OSError:
            pass

    def finish(self):
        try:
            self.process.wait(timeout=1800)
        except subprocess.TimeoutExpired:
            self.stop()

    def stop(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


def configure(preset):
    return ["cmake", "--preset", preset, "-DWIRESIDE_BUILD_TESTS=ON", "-DWIRESIDE_UNITY=ON", "--log-level=WARNING"]


def build(preset, targets):
    return ["cmake", "--build", "--preset", preset, "--target", *targets, "--", "-k", "0"]


class Stages:
    """The stages, in the order in which they run: methods named stage_*."""

    def __init__(self, tally, quick, chosen):
        self.tally = tally
        self.quick = quick
        self.chosen = set(chosen)
        self.built = {}
        self.ahead = None

    def build_ahead(self):
        """Begins with the builds of the chosen later stages; once."""
        later = [(preset, targets) for stage, preset, targets in LATER_BUILDS if stage in self.chosen]
        if later and not self.ahead:
            self.ahead = BuildAhead(later)

    def build(self, preset, targets):
        """Configures and builds once; one test case per set of targets."""
        if self.ahead and preset in (ahead for _, ahead, _ in LATER_BUILDS):
            self.ahead.finish()
        key = (preset, tuple(targets))
        if key not in self.built:
            good = run(configure(preset), 300) and run(build(preset, targets), 1800)
            self.tally.record(f"build {preset}: {' '.join(targets)}", good)
            self.built[key] = good
        return self.built[key]

    def programs(self, preset, names, env=None, timeout=300):
        """Builds and runs GoogleTest programs."""
        if not self.build(preset, names):
            return
        for name in names:
            report = os.path.join(RESULTS, f"{preset}-{name}.xml")
            good = run([os.path.join(BUILD, preset, "tests", name), f"--gtest_output=xml:{report}", "--gtest_brief=1"],
                       timeout, env)
            self.count(report, f"{preset} {name}", good)

    def pytest(self, folder, timeout, workers, target=None, preset="release"):
        """Tests mostly wait for timers; each worker has a network namespace of its own."""
        if not self.build(preset, ["wireside"]):
            return
        if not os.path.exists(os.path.join(TOP, folder)):
            self.tally.record(f"{folder} is missing", False)
            return
        self.build_ahead()
        name = "-".join(folder.split("/") + ([target] if target else []) + ([preset] if preset != "release" else []))
        report = os.path.join(RESULTS, name + ".xml")
        good = run(["/usr/bin/python3", "-m", "pytest", "-q", "-n", str(workers), "-p", "no:cacheprovider",
                    f"--junitxml={report}", *(["--target", target] if target else []), folder],
                   timeout, {"WIRESIDE": os.path.join(BUILD, preset, "apps", "wireside")})
        self.count(report, name, good)

    def count(self, report, name, good):
        """Takes over a report; a program that died, or failed without saying where, is a failure of its own."""
        failures = len(self.tally.failures)
        cases = self.tally.add_junit(report, name)
        if not cases:
            self.tally.record(f"{name} gave no report", False)
        elif not good and len(self.tally.failures) == failures:
            self.tally.record(f"{name} ended badly", False)

    def stage_layers(self):
        """include direction, sizes, forbidden things (scripts/check_layers)"""
        self.tally.record("check_layers --self-test", run(["scripts/check_layers", "--self-test"], 60))
        self.tally.record("check_layers", run(["scripts/check_layers"], 60))

    def stage_format(self):
        """clang-format and the shell scripts' syntax"""
        sources = [name for part in ("stack", "tap", "apps", "tests") for ending in ("cpp", "hpp")
                   for name in glob.glob(f"{part}/**/*.{ending}", root_dir=TOP, recursive=True)]
        self.tally.record("clang-format", run(["scripts/format", "--check"], 120) if sources else True)
        for script in ("run", "lab", "test", "bench", "install-deps", "lib.sh"):
            self.tally.record(f"bash -n {script}", run(["bash", "-n", f"scripts/{script}"], 10))

    def stage_build(self):
        """release build of the library and the command (g++)"""
        self.build("release", ["wireside"])

    def stage_unit(self):
        """unit tests and counts of allocations, release build"""
        self.programs("release", ["wireside_unit_tests"])
        self.programs("release", ["wireside_app_tests"])
        self.programs("release", ["wireside_memory_tests"])
        self.programs("release", ["wireside_alloc_tests"])

    def stage_sim(self):
        """simulator: two stacks, virtual clock, impaired network"""
        self.programs("release", ["wireside_sim_tests"], {"WIRESIDE_SIM_RUNS": "200"} if self.quick else None)

    def stage_conformance(self):
        """scapy scripts on the wire"""
        self.pytest("tests/conformance", 600, workers=6)

    def stage_linux(self):
        """the same scripts against this host's kernel; fails what docs/linux_differences.md lists, nothing else"""
        here = ".".join(os.uname().release.split(".")[:2])
        with open(os.path.join(TOP, "docs/linux_differences.md"), encoding="utf-8") as page:
            listed = re.search(r"made with Linux (\d+\.\d+)", page.read()).group(1)
        if here == listed:
            self.pytest("tests/conformance", 600, workers=4, target="linux")
        else:  # another kernel answers otherwise in other places
            self.tally.skipped.append(f"linux (the list was made with Linux {listed}, this is {here})")

    def stage_e2e(self):
        """the host's ping, curl and nc"""
        self.build("release", ["wireside_examples", "tap_limit", "bench_load"])
        self.pytest("tests/e2e", 600, workers=3)

    def stage_asan(self):
        """unit tests with AddressSanitizer and UndefinedBehaviorSanitizer"""
        self.programs("asan", ["wireside_unit_tests"], timeout=600)

    def stage_tsan(self):
        """what several threads share, and the command with several queues, with ThreadSanitizer"""
        self.programs("tsan", ["wireside_thread_tests"], timeout=600)
        self.pytest("tests/e2e/test_e2e_queues.py", 600, workers=1, preset="tsan")

    def stage_clang(self):
        """the core built by clang with -Werror"""
        self.build("fuzz", ["wireside_stack"])

    def stage_fuzz(self):
        """each fuzz target for some seconds (clang, sanitizers)"""
        if not self.build("fuzz", ["wireside_fuzzers"]):
            return
        names = sorted(os.path.basename(path)[:-4] for path in glob.glob(os.path.join(TOP, "tests/fuzz/fuzz_*.cpp")))
        if not names:
            self.tally.record("there are no fuzz targets", False)
        with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
            for name, good in zip(names, pool.map(self.fuzz, names)):
                self.tally.record(name, good)

    def fuzz(self, name):
        """Runs one target for some seconds, from its seeds and from what earlier runs found."""
        corpus = os.path.join(BUILD, "corpus", name)
        os.makedirs(corpus, exist_ok=True)
        seeds = os.path.join(TOP, "tests/fuzz/corpus", name)
        return run([os.path.join(BUILD, "fuzz", "tests", name), f"-max_total_time={2 if self.quick else 5}", "-timeout=5",
                    "-rss_limit_mb=2048", "-verbosity=0", "-print_funcs=0", f"-artifact_prefix={RESULTS}/{name}-", corpus,
                    *([seeds] if os.path.isdir(seeds) else [])], 120)

    def stage_page(self):
        """docs/conformance.md agrees with the tests and, where all of them ran, with their results"""
        command = ["scripts/conformance_page", "--check", "--results", RESULTS]
        if PROOFS <= self.chosen:
            command.append("--need-results")
        self.tally.record("docs/conformance.md", run(command, 60))


# Stages after the end-to-end tests, and what they build.
LATER_BUILDS = (("asan", "asan", ["wireside_unit_tests"]), ("tsan", "tsan", ["wireside_thread_tests"]),
                ("tsan", "tsan", ["wireside"]), ("clang", "fuzz", ["wireside_stack"]),
                ("fuzz", "fuzz", ["wireside_fuzzers"]))
PROOFS = {"unit", "sim", "conformance", "e2e"}
QUICK = PROOFS | {"layers", "format", "build", "page"}


def arguments(stages):
    listing = "\n".join(f"  {name:12} {text}" for name, text in stages.items())
    parser = argparse.ArgumentParser(prog="scripts/test", description=__doc__, epilog=f"stages:\n{listing}",
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="without the asan, tsan, clang and fuzz stages; fewer simulations")
    parser.add_argument("--stage", action="append", metavar="NAME", choices=stages, help="only this stage (repeatable)")
    return parser.parse_args()


def summary(tally, times):
    print()
    for name, seconds in times.items():
        print(f"  {name:12} {seconds:7.1f} s")
    for name in tally.skipped:
        print(f"{paint('33', 'skipped')} {name}")
    for name in tally.failures:
        print(f"{paint('31', 'failed')}  {name}")
    print(f"{tally.passed} passed, {len(tally.failures)} failed", flush=True)


def interrupt(*_):
    raise KeyboardInterrupt


def main():
    stages = {name[len("stage_"):]: member.__doc__ for name, member in vars(Stages).items() if name.startswith("stage_")}
    options = arguments(stages)
    chosen = options.stage or [name for name in stages if not options.quick or name in QUICK]
    shutil.rmtree(RESULTS, ignore_errors=True)
    os.makedirs(RESULTS)
    # One compiler cache serves every checkout of the tree.
    os.environ.setdefault("CCACHE_BASEDIR", TOP)
    os.environ.setdefault("CCACHE_NOHASHDIR", "1")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # end what runs, then say how far it came
        signal.signal(number, interrupt)
    tally, times = Tally(), {}
    runner = Stages(tally, options.quick, chosen)
    try:
        for number, name in enumerate(chosen, 1):
            print(paint("1", f"\n== [{number}/{len(chosen)}] {name}: {stages[name]}"), flush=True)
            start = time.monotonic()
            getattr(runner, f"stage_{name}")()
            times[name] = time.monotonic() - start
    except KeyboardInterrupt:
        tally.record("interrupted", False)
    finally:
        if runner.ahead:
            runner.ahead.stop()
    summary(tally, times)
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
