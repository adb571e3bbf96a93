"""Takes the measurements: round after round, row after row, one contender after the other."""
import time

import measure
from surroundings import Failure


class Results:
    """{row: {contender: {metric: [values]}}}, with what could not be measured and why."""

    def __init__(self):
        self.values, self.missing, self.failures = {}, {}, []

    def add(self, row, contender, metrics):
        place = self.values.setdefault(row, {}).setdefault(contender, {})
        for metric, value in metrics.items():
            place.setdefault(metric, []).append(value)

    def miss(self, row, contender, why):
        self.missing.setdefault(row, {})[contender] = why

    def fail(self, row, contender, why):
        self.failures.append({"row": row, "contender": contender, "what": why})


class Progress:
    """A line on the terminal that says what is being measured; plain lines, one a row, elsewhere."""

    def __init__(self, out):
        self.out, self.live, self.begun, self.last = out, out.isatty(), time.monotonic(), None

    def say(self, text, key):
        if self.live:
            self.out.write(f"\r\033[K{time.monotonic() - self.begun:4.0f} s  {text}")
        elif key != self.last:
            self.out.write(f"{time.monotonic() - self.begun:4.0f} s  {text}\n")
        self.last = key
        self.out.flush()

    def note(self, text):
        self.out.write(f"\r\033[K{text}\n" if self.live else f"{text}\n")
        self.out.flush()

    def end(self):
        if self.live:
            self.out.write("\r\033[K")
            self.out.flush()


def take(contender, peers, seconds):
    if not contender.peer:
        return contender.take(None, seconds)
    with peers[contender.peer] as peer:
        return contender.take(peer, seconds)


def run_rows(rows, peers, rounds, seconds, results, progress):
    """Each failure is told of and kept; the rest goes on."""
    for number in range(rounds):
        for row in rows:
            # Every other round the other way about, so that nobody is always first.
            contenders = row.contenders if number % 2 == 0 else tuple(reversed(row.contenders))
            for contender in contenders:
                why_not = peers[contender.peer].why_not if contender.peer else None
                if why_not:
                    results.miss(row.key, contender.key, why_not)
                    continue
                progress.say(f"round {number + 1}/{rounds}  {row.title}: {contender.name}", (number, row.key))
                try:
                    results.add(row.key, contender.key, take(contender, peers, row.seconds or seconds))
                except Failure as problem:
                    results.fail(row.key, contender.key, str(problem))
                    progress.note(f"{row.title}: {contender.name}: {problem}")


# lwIP's lists are searched from one end to the other; the kernel's server has a file for each connection.
CURVE_LIMIT = {"lwip": 1000, "kernel": measure.files_at_once()}
CURVE_PEERS = ("wireside", "kernel", "lwip")


def run_curve(counts, peers, seconds, results, progress):
    for count in counts:
        for key in CURVE_PEERS:
            if peers[key].why_not or count > CURVE_LIMIT.get(key, count):
                continue
            progress.say(f"{count:,} connections: {peers[key].name}", ("curve", count))
            try:
                with peers[key] as peer:
                    results.add("curve", f"{key}/{count}", measure.crowd(peer, seconds, count))
            except Failure as problem:
                results.fail("curve", f"{key}/{count}", str(problem))
                progress.note(f"{count:,} connections: {peers[key].name}: {problem}")
