"""Writes docs/conformance.md: every requirement with its result and the tests that prove it.

The requirements are the rows of docs/requirements/*.tsv. A test proves those whose ids it cites: a GoogleTest in its
body or in the comment right above it, a pytest by its `requirement` marker. What no test cites has its reason in
docs/requirements/reasons.tsv. Results come from the reports that scripts/test leaves in build/results.

The page holds no time and no date: the same tests with the same results give the same page.
"""

import argparse
import ast
import collections
import csv
import difflib
import glob
import os
import re
import sys
import xml.etree.ElementTree as ElementTree

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PAGE = "docs/conformance.md"
TABLES = ("docs/requirements/rfc9293.tsv", "docs/requirements/other.tsv")
REASONS = "docs/requirements/reasons.tsv"
CXX_FOLDERS, PYTHON_FOLDERS = ("unit", "sim"), ("conformance", "e2e")
TEST_MACRO = re.compile(r"^(?:[A-Z]+_)?(?:TEST|TEST_F|TEST_P|TYPED_TEST|RC_GTEST_(?:FIXTURE_)?PROP)\(\s*(\w+),\s*(\w+)",
                        re.MULTILINE)
ID = re.compile(r"\b([A-Z]+)-([0-9]+)\b")
RANGE = re.compile(r"\b([A-Z]+)-([0-9]+) (?:to|through) (?:\1-)?([0-9]+)\b")

Requirement = collections.namedtuple("Requirement", "id rfc level text")
Test = collections.namedtuple("Test", "kind name")  # kind: the folder under tests/


def read_table(path):
    with open(os.path.join(TOP, path), newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def requirements():
    rows = [Requirement(row["id"], row.get("rfc", "9293"), row["level"], row["paraphrase"])
            for path in TABLES for row in read_table(path)]
    twice = [name for name, count in collections.Counter(row.id for row in rows).items() if count > 1]
    if twice:
        raise SystemExit(f"ids that stand for two requirements: {', '.join(twice)}")
    return rows


# --- who cites what ---------------------------------------------------------------------------------------------------

def ids_in(text, prefixes):
    """Ids of known series that a text cites. "EV-2 to EV-4" are three."""
    found = {f"{series}-{number}" for series, number in ID.findall(text) if series in prefixes}
    for series, first, last in RANGE.findall(text):
        if series in prefixes:
            found.update(f"{series}-{n:0{len(first)}d}" for n in range(int(first), int(last) + 1))
    return found


def comment_above(text, at):
    """The comment lines that end where the test begins."""
    lines = text[:at].split("\n")[:-1]
    above = []
    while lines and lines[-1].startswith("//"):
        above.append(lines.pop())
    # A comment that opens the file speaks of the file.
    return "\n".join([*above, ""]) if lines else ""


def cxx_tests(text):
    """(suite.name, the text that may cite) of each test of a source file."""
    for match in TEST_MACRO.finditer(text):
        line_end = text.find("\n", match.start())
        line = text[match.start():line_end if line_end >= 0 else len(text)]
        end = line_end if re.search(r"\}\s*(//.*)?$", line) else text.find("\n}", match.start())
        body = text[match.start():end if end >= 0 else len(text)]
        yield f"{match.group(1)}.{match.group(2)}", comment_above(text, match.start()) + body


def marker_ids(node):
    """Ids of the requirement markers among a function's or class's decorators, or in a pytestmark."""
    calls = [call for call in ast.walk(node) if isinstance(call, ast.Call)
             and isinstance(call.func, ast.Attribute) and call.func.attr == "requirement"]
    return {argument.value for call in calls for argument in call.args if isinstance(argument, ast.Constant)}


def python_tests(text):
    """(function name, ids) of each test function of a module."""
    tree = ast.parse(text)
    common = set()
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(getattr(t, "id", "") == "pytestmark" for t in node.targets):
            common |= marker_ids(node.value)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            found = set(common)
            for decorator in node.decorator_list:
                found |= marker_ids(decorator)
            yield node.name, found


def citations(prefixes):
    """{id: tests that cite it}."""
    cited = collections.defaultdict(set)
    for kind in CXX_FOLDERS:
        for path in glob.glob(os.path.join(TOP, "tests", kind, "**", "*.cpp"), recursive=True):
            with open(path, encoding="utf-8") as file:
                for name, text in cxx_tests(file.read()):
                    for identifier in ids_in(text, prefixes):
                        cited[identifier].add(Test(kind, name))
    for kind in PYTHON_FOLDERS:
        for path in glob.glob(os.path.join(TOP, "tests", kind, "test_*.py")):
            with open(path, encoding="utf-8") as file:
                for name, found in python_tests(file.read()):
                    for identifier in found:
                        cited[identifier].add(Test(kind, f"{os.path.basename(path)[:-3]}.{name}"))
    return cited


# --- what came out ----------------------------------------------------------------------------------------------------

def outcome(case):
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    if case.find("skipped") is not None or case.get("status") == "notrun" or case.get("result") == "skipped":
        return "skipped"
    return "passed"


def test_of(kind, case):
    """The test a report's case belongs to; its parameters do not count."""
    suite, name = case.get("classname", ""), case.get("name", "")
    if kind in CXX_FOLDERS:  # Instance/Suite/0 and Name/3
        parts = [part for part in suite.split("/") if not part.isdigit()]
        return Test(kind, f"{parts[-1] if parts else ''}.{name.split('/')[0]}")
    return Test(kind, f"{suite.rsplit('.', 1)[-1]}.{name.split('[')[0]}")


def results(folder):
    """{test: its worst outcome} from the reports of a run; empty without reports."""
    reports = {"unit": "release-wireside_unit_tests.xml", "sim": "release-wireside_sim_tests.xml",
               "conformance": "tests-conformance.xml", "e2e": "tests-e2e.xml"}
    order = ("failed", "passed", "skipped")
    found = {}
    for kind, name in reports.items():
        try:
            cases = ElementTree.parse(os.path.join(folder, name)).getroot().iter("testcase")
        except (OSError, ElementTree.ParseError):
            continue
        for case in cases:
            test, came = test_of(kind, case), outcome(case)
            found[test] = min(came, found.get(test, came), key=order.index)
    return found


# --- the page ---------------------------------------------------------------------------------------------------------

class Page:
    """The page and what is wrong with what it is made from."""

    def __init__(self, result_folder, need_results):
        self.rows = requirements()
        known = {row.id for row in self.rows}
        self.cited = citations({name.rsplit("-", 1)[0] for name in known})
        self.reasons = {row["id"]: row["reason"] for row in read_table(REASONS)}
        self.results = results(result_folder) if result_folder else {}
        self.problems = [f"{name} is cited by {sorted(tests)[0].name}, but is no requirement"
                         for name, tests in sorted(self.cited.items()) if name not in known]
        self.problems += [f"{REASONS}: {name} is no requirement" for name in self.reasons if name not in known]
        for row in self.rows:
            tests, reason = self.cited.get(row.id), self.reasons.get(row.id)
            if not tests and not reason:
                self.problems.append(f"{row.id} has neither a test that cites it nor a reason in {REASONS}")
            if tests and reason:
                self.problems.append(f"{row.id} has a reason in {REASONS}, but {sorted(tests)[0].name} tests it")
        if need_results:
            every = {test for name in known for test in self.cited.get(name, ())}
            self.problems += [f"{test.kind} test {test.name} has no result in {result_folder}"
                              for test in sorted(every) if test not in self.results]

    def result(self, row):
        """passed, failed, or not done and why. A test without a result counts as passed: see need_results."""
        tests = self.cited.get(row.id)
        if not tests:
            return f"not done: {self.reasons.get(row.id, 'nobody knows why')}"
        outcomes = {self.results.get(test, "passed") for test in tests}
        if "failed" in outcomes:
            return "**failed**"
        return "passed" if "passed" in outcomes else "not done: its tests were skipped"

    def text(self):
        by_rfc = collections.defaultdict(list)
        for row in self.rows:
            by_rfc[row.rfc].append(row)
        counts = collections.Counter(self.result(row).split(":")[0].strip("*") for row in self.rows)
        lines = ["# Conformance", "",
                 "What the RFCs ask of this endpoint, row by row: the result, and the tests that prove it. Made by",
                 "`scripts/conformance_page` from [requirements](requirements/README.md), the tests, and the results of",
                 "`scripts/test`, which fails when this page and the tests disagree. Do not edit it by hand.", "",
                 "| RFC | rows | passed | failed | not done |", "| --- | ---: | ---: | ---: | ---: |"]
        for rfc, rows in by_rfc.items():
            own = collections.Counter(self.result(row).split(":")[0].strip("*") for row in rows)
            lines.append(f"| {rfc} | {len(rows)} | {own['passed']} | {own['failed']} | {own['not done']} |")
        lines.append(f"| all | {len(self.rows)} | {counts['passed']} | {counts['failed']} | {counts['not done']} |")
        lines += ["", "Tests: `unit` and `sim` are GoogleTest suites with a virtual clock, `conformance` scapy scripts"
                  " on a real", "TAP, `e2e` the host's own programs, each under [tests](../tests/README.md)."]
        for rfc, rows in by_rfc.items():
            lines += ["", f"## RFC {rfc}", "", "| id | level | requirement | result | tests |",
                      "| --- | --- | --- | --- | --- |"]
            lines += [self.line(row) for row in rows]
        return "\n".join(lines) + "\n"

    def line(self, row):
        tests = "<br>".join(f"{test.kind}: {test.name}" for test in sorted(self.cited.get(row.id, ())))
        cells = (row.id, row.level, row.text, self.result(row), tests)
        return "| " + " | ".join(cell.replace("|", "\\|").replace("<", "&lt;").replace("&lt;br>", "<br>")
                                 for cell in cells) + " |"


def main():
    parser = argparse.ArgumentParser(prog="scripts/conformance_page", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help=f"compare with {PAGE} instead of writing it")
    parser.add_argument("--results", metavar="DIR", default=os.path.join(TOP, "build", "results"),
                        help="folder of the reports (default: build/results)")
    parser.add_argument("--need-results", action="store_true", help="a test without a result is a problem")
    options = parser.parse_args()
    page = Page(options.results, options.need_results)
    for problem in page.problems:
        print(f"conformance_page: {problem}", file=sys.stderr)
    path = os.path.join(TOP, PAGE)
    if not options.check:
        with open(path, "w", encoding="utf-8") as file:
            file.write(page.text())
        return 1 if page.problems else 0
    committed = ""
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            committed = file.read()
    difference = list(difflib.unified_diff(committed.split("\n"), page.text().split("\n"), PAGE, "the tests", n=0,
                                           lineterm=""))
    if difference:
        print("\n".join(difference[:40]), file=sys.stderr)
        print(f"conformance_page: {PAGE} and the tests disagree ({len(difference)} lines)\n"
              "  try: scripts/conformance_page, and commit the page if it is right", file=sys.stderr)
    return 1 if page.problems or difference else 0


if __name__ == "__main__":
    sys.exit(main())
