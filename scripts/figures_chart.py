"""Charts as SVG, written by hand so that the same numbers give the same octets on every machine."""
import dataclasses
import html
import math

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9")  # told apart by the colour-blind, too
WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 40, 52
FONT = "font-family=\"sans-serif\" font-size=\"12\""


@dataclasses.dataclass
class Series:
    name: str
    points: list             # of (x, y)
    colour: int = 0          # index into COLOURS
    marks: bool = False      # points as circles
    line: bool = True
    dash: str = ""           # as in stroke-dasharray


@dataclasses.dataclass
class Axis:
    name: str
    low: float
    high: float
    log: bool = False
    ticks: tuple = ()        # of (value, text); chosen when empty

    def position(self, value):
        """0 at the low end, 1 at the high one."""
        if self.log:
            return (math.log10(value) - math.log10(self.low)) / (math.log10(self.high) - math.log10(self.low))
        return (value - self.low) / (self.high - self.low)

    def marks(self):
        if self.ticks:
            return self.ticks
        if self.log:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            return tuple((10.0 ** e, f"{10.0 ** e:g}") for e in range(first, last + 1))
        step = nice_step((self.high - self.low) / 8)
        count = int((self.high - self.low) / step + 1e-9)
        return tuple((self.low + i * step, f"{self.low + i * step:g}") for i in range(count + 1))


def nice_step(rough):
    scale = 10 ** math.floor(math.log10(rough))
    return next(m * scale for m in (1, 2, 5, 10) if m * scale >= rough - 1e-12)


def number(value):
    return f"{value:.1f}"


def _frame(out, title, x, y):
    out.append(f'<text x="{LEFT}" y="22" font-family="sans-serif" font-size="14" font-weight="bold">'
               f'{html.escape(title)}</text>')
    for value, text in x.marks():
        at = number(LEFT + x.position(value) * (WIDTH - LEFT - RIGHT))
        out.append(f'<line x1="{at}" y1="{TOP}" x2="{at}" y2="{HEIGHT - BOTTOM}" stroke="#e2e2e2"/>')
        out.append(f'<text x="{at}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle" {FONT}>{html.escape(text)}</text>')
    for value, text in y.marks():
        at = number(HEIGHT - BOTTOM - y.position(value) * (HEIGHT - TOP - BOTTOM))
        out.append(f'<line x1="{LEFT}" y1="{at}" x2="{WIDTH - RIGHT}" y2="{at}" stroke="#e2e2e2"/>')
        out.append(f'<text x="{LEFT - 8}" y="{at}" dy="4" text-anchor="end" {FONT}>{html.escape(text)}</text>')
    out.append(f'<rect x="{LEFT}" y="{TOP}" width="{WIDTH - LEFT - RIGHT}" height="{HEIGHT - TOP - BOTTOM}" '
               'fill="none" stroke="#555"/>')
    out.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 14}" text-anchor="middle" {FONT}>'
               f'{html.escape(x.name)}</text>')
    middle = (TOP + HEIGHT - BOTTOM) / 2
    out.append(f'<text x="18" y="{middle:.0f}" text-anchor="middle" transform="rotate(-90 18 {middle:.0f})" {FONT}>'
               f'{html.escape(y.name)}</text>')


def _series(out, series, x, y):
    colour = COLOURS[series.colour % len(COLOURS)]
    place = [(LEFT + x.position(px) * (WIDTH - LEFT - RIGHT),
              HEIGHT - BOTTOM - min(1.0, max(0.0, y.position(py))) * (HEIGHT - TOP - BOTTOM))
             for px, py in series.points]
    if series.line and len(place) > 1:
        path = " ".join(f"{number(a)},{number(b)}" for a, b in place)
        dash = f' stroke-dasharray="{series.dash}"' if series.dash else ""
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.6"{dash}/>')
    if series.marks:
        out += [f'<circle cx="{number(a)}" cy="{number(b)}" r="4" fill="{colour}"/>' for a, b in place]


def _legend(out, all_series):
    """Below the chart, where it hides nothing. Returns its height."""
    width = 46 + max(len(s.name) for s in all_series) * 7
    fitting = max(1, min(len(all_series), (WIDTH - LEFT - RIGHT) // width))
    columns = max(n for n in range(1, fitting + 1) if len(all_series) % n == 0)
    rows = math.ceil(len(all_series) / columns)
    for i, s in enumerate(all_series):
        left, base, colour = LEFT + i % columns * width, HEIGHT + 10 + 18 * (i // columns), COLOURS[s.colour % len(COLOURS)]
        if s.line:
            dash = f' stroke-dasharray="{s.dash}"' if s.dash else ""
            out.append(f'<line x1="{left}" y1="{base - 4}" x2="{left + 24}" y2="{base - 4}" stroke="{colour}" '
                       f'stroke-width="1.6"{dash}/>')
        if s.marks:
            out.append(f'<circle cx="{left + 12}" cy="{base - 4}" r="4" fill="{colour}"/>')
        out.append(f'<text x="{left + 32}" y="{base}" {FONT}>{html.escape(s.name)}</text>')
    return 18 * rows + 6


def _document(body, title, height):
    # The background is drawn, so that the black text can be read on a dark page, too.
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
                      f'aria-label="{html.escape(title, quote=True)}">',
                      f'<rect width="{WIDTH}" height="{height}" fill="white"/>', *body, "</svg>", ""])


def line_chart(title, x, y, all_series):
    out = []
    _frame(out, title, x, y)
    for series in all_series:
        _series(out, series, x, y)
    return _document(out, title, HEIGHT + _legend(out, all_series))


def bar_chart(title, x_name, y, groups, names, digits=1):
    """`groups` is a list of (text, [a value or None of each name])."""
    x = Axis(x_name, 0, len(groups), ticks=tuple((i + 0.5, text) for i, (text, _) in enumerate(groups)))
    out = []
    _frame(out, title, x, y)
    slot = (WIDTH - LEFT - RIGHT) / len(groups)
    wide = slot * 0.8 / len(names)
    for i, (_text, values) in enumerate(groups):
        for k, value in enumerate(values):
            if value is None:
                continue
            high = min(1.0, max(0.0, y.position(value))) * (HEIGHT - TOP - BOTTOM)
            left = LEFT + i * slot + slot * 0.1 + k * wide
            out.append(f'<rect x="{number(left)}" y="{number(HEIGHT - BOTTOM - high)}" width="{number(wide - 2)}" '
                       f'height="{number(high)}" fill="{COLOURS[k % len(COLOURS)]}"/>')
            out.append(f'<text x="{number(left + wide / 2 - 1)}" y="{number(HEIGHT - BOTTOM - high - 4)}" '
                       f'text-anchor="middle" font-family="sans-serif" font-size="10">{value:.{digits}f}</text>')
    legend = [Series(name, [], colour=k, marks=True, line=False) for k, name in enumerate(names)]
    return _document(out, title, HEIGHT + _legend(out, legend))
