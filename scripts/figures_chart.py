"""Charts as SVG, written by hand so that the same numbers give the same octets on every machine."""
import dataclasses
import html
import math

COLOURS = ("#1f5fa8", "#c2410c", "#2f7d32", "#7b3fa0", "#8a6d00", "#0f7f86")
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
    hollow: bool = False


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
        fill = "white" if series.hollow else colour
        out += [f'<circle cx="{number(a)}" cy="{number(b)}" r="4" fill="{fill}" stroke="{colour}" stroke-width="1.6"/>'
                for a, b in place]


def _legend(out, all_series, at_right):
    width = 12 + max(len(s.name) for s in all_series) * 6.6 + 30
    left = WIDTH - RIGHT - width - 8 if at_right else LEFT + 8
    out.append(f'<rect x="{number(left)}" y="{TOP + 8}" width="{number(width)}" height="{len(all_series) * 17 + 8}" '
               'fill="white" fill-opacity="0.85" stroke="#bbb"/>')
    for i, s in enumerate(all_series):
        row, colour = TOP + 24 + 17 * i, COLOURS[s.colour % len(COLOURS)]
        if s.line:
            dash = f' stroke-dasharray="{s.dash}"' if s.dash else ""
            out.append(f'<line x1="{number(left + 6)}" y1="{row - 4}" x2="{number(left + 30)}" y2="{row - 4}" '
                       f'stroke="{colour}" stroke-width="1.6"{dash}/>')
        if s.marks:
            fill = "white" if s.hollow else colour
            out.append(f'<circle cx="{number(left + 18)}" cy="{row - 4}" r="4" fill="{fill}" stroke="{colour}" '
                       'stroke-width="1.6"/>')
        out.append(f'<text x="{number(left + 36)}" y="{row}" {FONT}>{html.escape(s.name)}</text>')


def _document(body, title):
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
                      f'aria-label="{html.escape(title, quote=True)}">',
                      f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>', *body, "</svg>", ""])


def line_chart(title, x, y, all_series, legend_at_right=True):
    out = []
    _frame(out, title, x, y)
    for series in all_series:
        _series(out, series, x, y)
    _legend(out, all_series, legend_at_right)
    return _document(out, title)


def bar_chart(title, y, groups, names, digits=1):
    """`groups` is a list of (text, [a value or None of each name])."""
    x = Axis("", 0, len(groups), ticks=tuple((i + 0.5, text) for i, (text, _) in enumerate(groups)))
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
    _legend(out, [Series(name, [], colour=k, marks=True, line=False) for k, name in enumerate(names)], False)
    return _document(out, title)
