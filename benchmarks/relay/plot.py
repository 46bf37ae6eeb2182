#!/usr/bin/env python3
"""Draws benchmarks/relay/relay.svg from the rows of `./benchmarks/run relay --json FILE`:  plot.py FILE"""
import json
import pathlib
import re
import sys

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plot  # noqa: E402

COLOURS = {"rtpengine": "#b0413e", "epoll": "#8a8d91", "uring": "#4a7fb5", "kernel": "#2a7f4f"}
NAMES = {"rtpengine": "rtpengine, user space", "epoll": "VAS, epoll", "uring": "VAS, io_uring", "kernel": "VAS, kernel"}


def main():
    rows = json.loads(pathlib.Path(sys.argv[1]).read_text())
    figure, axes = plot.subplots(1, 3, figsize=(13, 4))
    cpu, p99, highest = {}, {}, {}
    for row in rows:
        found = re.fullmatch(r"(\w+) (\d+) legs (?:(\d+) pps )?(cpu|p99|max-rate) vs rtpengine", row["what"])
        if not found:
            continue
        means, legs, rate, what = found.groups()
        if what == "max-rate":
            highest.setdefault(means, {})[int(legs)] = row["ours"]
            highest.setdefault("rtpengine", {})[int(legs)] = row["peer"]
        elif legs == "1000":
            series = cpu if what == "cpu" else p99
            series.setdefault(means, {})[int(rate)] = row["ours"]
            series.setdefault("rtpengine", {})[int(rate)] = row["peer"]
    for axis, series, title, unit in (
        (axes[0], cpu, "CPU a relayed packet, 1,000 legs", "µs"),
        (axes[1], p99, "Delay p99, 1,000 legs", "µs"),
    ):
        for means in COLOURS:
            points = sorted(series.get(means, {}).items())
            axis.plot(
                [rate / 1000 for rate, _ in points],
                [value for _, value in points],
                marker="o",
                color=COLOURS[means],
                label=NAMES[means],
            )
        axis.set_title(title)
        axis.set_xlabel("thousand packets/s")
        axis.set_ylabel(unit)
        axis.set_ylim(bottom=0)
    axes[1].set_yscale("log")
    axes[1].set_ylim(10, None)
    legs = sorted(highest.get("rtpengine", {}))
    for place, means in enumerate(COLOURS):
        axes[2].bar(
            [i + 0.2 * place for i in range(len(legs))],
            [highest.get(means, {}).get(each, 0) / 1000 for each in legs],
            0.2,
            color=COLOURS[means],
        )
    axes[2].set_xticks([i + 0.3 for i in range(len(legs))], [f"{each} legs" for each in legs])
    axes[2].set_title("Highest rate, < 0.1 % lost, p99 < 20 ms")
    axes[2].set_ylabel("thousand packets/s, one core")
    axes[0].legend(frameon=False)
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(pathlib.Path(__file__).with_name("relay.svg"))


if __name__ == "__main__":
    main()
