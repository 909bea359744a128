#!/usr/bin/env python3
"""Draws the figures of docs/performance.md as SVG.

  perf/pictures.py RESULTS.json... [STAGES.json...] --out FOLDER

throughput.svg: Mpps against calls; latency.svg: microseconds against load; stages.svg: cycles by stage, one bar for each
stages file. Nothing but the standard library."""
import argparse
import json
import math
import pathlib
import re
from xml.sax.saxutils import escape

COLOURS = ("#1f6f8b", "#d1495b", "#66a182", "#edae49", "#5b5f97", "#8d6a9f", "#3d405b", "#b5838d", "#777777")
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 380, 70, 240, 40, 50


class Picture:
    def __init__(self, title, height=HEIGHT):
        self.height = height
        self.parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">',
                      f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>']
        self.text(LEFT, 22, title, size=15)

    def text(self, x, y, text, anchor="start", size=12, colour="#222222"):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}">{escape(text)}</text>')

    def line(self, x1, y1, x2, y2, colour="#dddddd", width=1.0):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"/>')

    def path(self, points, colour):
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for x, y in points:
            self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>')

    def bar(self, x, y, width, height, colour):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{height}" fill="{colour}"/>')

    def finish(self):
        return "\n".join(self.parts + ["</svg>"]) + "\n"


def nice_top(value):
    """The next round number."""
    if value <= 0:
        return 1.0
    power = 10 ** math.floor(math.log10(value))
    return next(round(step * power, 9) for step in (1, 2, 3, 5, 10) if step * power >= value)


def short(name):
    """A result's name for a legend."""
    return name.replace("aes_cm_128_hmac_sha1_80", "AES_CM").replace("aead_aes_128_gcm", "GCM").replace("/workers:1", "")


def chart(title, series, x_label, y_label, log_x=False, log_y=False):
    """series: {name: [(x, y)]}"""
    picture = Picture(title)
    xs = [x for points in series.values() for x, _ in points] or [1]
    ys = [y for points in series.values() for _, y in points if y > 0] or [1]
    top = nice_top(max(ys))
    bottom = 10 ** math.floor(math.log10(min(ys)))
    decades = max(1, math.ceil(math.log10(max(ys) / bottom)))
    position = (lambda x: math.log10(max(x, 1))) if log_x else (lambda x: x)
    low, high = (position(min(xs)), position(max(xs))) if log_x else (0, nice_top(max(xs)))
    to_x = lambda x: LEFT + (position(x) - low) / ((high - low) or 1) * (WIDTH - LEFT - RIGHT)
    share = (lambda y: math.log10(max(y, bottom) / bottom) / decades) if log_y else (lambda y: y / top)
    to_y = lambda y: HEIGHT - BOTTOM - share(y) * (HEIGHT - TOP - BOTTOM)
    for y in [bottom * 10 ** n for n in range(decades + 1)] if log_y else [top * n / 5 for n in range(6)]:
        picture.line(LEFT, to_y(y), WIDTH - RIGHT, to_y(y))
        picture.text(LEFT - 8, to_y(y) + 4, f"{y:g}", "end")
    for x in sorted(set(xs)) if log_x else [high * n / 5 for n in range(6)]:
        picture.text(to_x(x), HEIGHT - BOTTOM + 18, f"{x:g}", "middle")
    picture.text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, x_label, "middle")
    picture.text(LEFT, TOP - 4, y_label)
    for number, (name, points) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        picture.path([(to_x(x), to_y(y)) for x, y in sorted(points)], colour)
        picture.text(WIDTH - RIGHT + 14, TOP + 16 + 18 * number, short(name), colour=colour)
    return picture.finish()


def throughput(document):
    series = {}
    for result in document["results"]:
        match = re.fullmatch(r"(.+)/calls:(\d+)/workers:1", result["name"])
        if match and result["mpps"] > 0:
            series.setdefault(match.group(1), []).append((int(match.group(2)), result["mpps"]))
    several = {name: points for name, points in series.items() if len(points) > 1}
    return chart("Throughput against calls, one worker core", several or series, "calls", "Mpps", log_x=True)


def latency(document):
    series = {}
    for result in document["results"]:
        curve = [(point["mpps"], point["p99_us"]) for point in result.get("curve", []) if point["p99_us"] > 0]
        if "/calls:4096/workers:1" in result["name"] and len(curve) > 1:
            series.setdefault(result["name"].split("/calls:")[0], curve)
    return chart("Latency (p99) against load, 4,096 calls", series, "Mpps", "us", log_y=True)


def stages(files):
    names = []
    for document in files.values():
        names += [name for name in document["stages"] if name not in names]
    height = TOP + 60 * len(files) + 22 * ((len(names) + 2) // 3) + 30
    picture = Picture("Cycles per packet by stage", height)
    longest = max([sum(document["stages"].values()) for document in files.values()] or [1])
    for row, (title, document) in enumerate(files.items()):
        x, y = LEFT, TOP + 60 * row + 16
        picture.text(LEFT, y - 4, f"{short(title)}: {sum(document['stages'].values()):.0f} cycles")
        for name in names:
            width = document["stages"].get(name, 0) / longest * (WIDTH - 2 * LEFT)
            picture.bar(x, y, width, 28, COLOURS[names.index(name) % len(COLOURS)])
            if width > 34:
                picture.text(x + width / 2, y + 18, f"{document['stages'][name]:.0f}", "middle", colour="#ffffff")
            x += width
    for number, name in enumerate(names):
        x, y = LEFT + (number % 3) * 220, TOP + 60 * len(files) + 22 * (number // 3) + 14
        picture.bar(x, y - 10, 12, 12, COLOURS[number % len(COLOURS)])
        picture.text(x + 18, y, name)
    return picture.finish()


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", help="of perf/run.sh, and of its --stages")
    parser.add_argument("--out", required=True)
    options = parser.parse_args(arguments)
    out = pathlib.Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    read = {pathlib.Path(name).stem: json.loads(pathlib.Path(name).read_text()) for name in options.files}
    # What was measured twice counts as the last file says.
    merged = {result["name"]: result for document in read.values() for result in document.get("results", [])}
    document = {"results": list(merged.values())}
    (out / "throughput.svg").write_text(throughput(document))
    (out / "latency.svg").write_text(latency(document))
    files = {name: document for name, document in read.items() if "stages" in document}
    if files:
        (out / "stages.svg").write_text(stages(files))


if __name__ == "__main__":
    main()
