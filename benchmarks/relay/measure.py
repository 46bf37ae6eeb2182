#!/usr/bin/env python3
"""Relaying plain RTP beside rtpengine: CPU a packet, delay, highest rate without loss, memory a call.

Two namespaces joined by a veth pair; the load has one core, the relay under test the other. Every relay holds the same
calls, set up through its own control path, and is loaded in turn.
"""
import os
import statistics
import sys
import pathlib

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1]), str(pathlib.Path(__file__).resolve().parent)]
import lab  # noqa: E402
from relays import SETTLE, Rtpengine, Vas, Wire  # noqa: E402
from report import Report, flags  # noqa: E402

MEANS = ("kernel", "uring", "epoll")
ADDED_P99_US = 100  # the kernel path's target
HIGHEST_RATE_PAIRS = 3
LOSSLESS, P99_US = 0.001, 20_000


def is_lossless(figures, rate):
    return figures["loss"] < LOSSLESS and figures["p99_us"] < P99_US and figures["rate"] > 0.97 * rate


def highest_rate(relay, seconds):
    """Steps of a tenth upwards from where doubling fails. Also whether it was the generator that could not go on."""
    rate, good = 20_000, 0
    while True:
        figures = relay.load(rate, seconds)
        if not is_lossless(figures, rate):
            break
        good, rate = rate, rate * 2
    low, high = max(good, 1000), rate
    while high / low > 1.1:
        middle = int((low * high) ** 0.5)
        if is_lossless(relay.load(middle, seconds), middle):
            low = middle
        else:
            high = middle
    return low


class Series:
    """One measurement's figures by relay, pair after pair."""

    def __init__(self):
        self.values = {}

    def add(self, relay, value):
        self.values.setdefault(relay.name, []).append(value)


def measure(report, legs, rates, pairs, seconds, finds_highest):
    with lab.Lab() as here:
        lab.enter(lab.LOAD)
        relays = [Rtpengine(here, 3), *(Vas(here, place, means) for place, means in enumerate(MEANS)), Wire(here, 4)]
        try:
            for relay in relays:
                relay.make_calls(legs // 2)
                relay.load(*SETTLE)
            for means in relays[1:-1]:
                report.row(
                    f"{means.name} {legs} legs memory vs rtpengine",
                    means.kb_per_call,
                    relays[0].kb_per_call,
                    "KiB a call",
                    more_is_better=False,
                )
            for rate in rates:
                one_rate(report, relays, legs, rate, pairs, seconds)
            if finds_highest:
                highest = Series()
                for _ in range(HIGHEST_RATE_PAIRS):
                    for relay in relays[:-1]:
                        highest.add(relay, highest_rate(relay, seconds))
                for means in MEANS:
                    report.row(
                        f"{means} {legs} legs max-rate vs rtpengine",
                        highest.values[means],
                        highest.values["rtpengine"],
                        "packets/s",
                    )
        finally:
            for relay in relays:
                relay.stop()


def one_rate(report, relays, legs, rate, pairs, seconds):
    cpu, p50, p99, p999, share, loss = (Series() for _ in range(6))
    for _ in range(pairs):
        for relay in relays:
            figures = relay.load(rate, seconds)
            for series, value in (
                (cpu, "cpu_us"),
                (p50, "p50_us"),
                (p99, "p99_us"),
                (p999, "p999_us"),
                (share, "kernel_share"),
                (loss, "loss"),
            ):
                series.add(relay, figures[value])
    added = [mine - bare for mine, bare in zip(p99.values["kernel"], p99.values["wire"])]
    report.row(
        f"kernel {legs} legs {rate} pps p99 added to the bare wire's vs target",
        max(statistics.median(added), 1),
        ADDED_P99_US,
        "µs",
        more_is_better=False,
    )
    print(
        f"    the bare wire: {statistics.median(cpu.values['wire']):.2f} µs of CPU a packet, p99 {statistics.median(p99.values['wire']):.0f} µs"
    )
    for means in MEANS:
        name = f"{means} {legs} legs {rate} pps"
        report.row(
            f"{name} cpu vs rtpengine", cpu.values[means], cpu.values["rtpengine"], "µs a packet", more_is_better=False
        )
        report.row(
            f"{name} cpu (best) vs rtpengine",
            min(cpu.values[means]),
            min(cpu.values["rtpengine"]),
            "µs a packet",
            more_is_better=False,
        )
        report.row(f"{name} p50 vs rtpengine", p50.values[means], p50.values["rtpengine"], "µs", more_is_better=False)
        report.row(f"{name} p99 vs rtpengine", p99.values[means], p99.values["rtpengine"], "µs", more_is_better=False)
        report.row(
            f"{name} p999 vs rtpengine", p999.values[means], p999.values["rtpengine"], "µs", more_is_better=False
        )
        lost = " ".join(
            f"{each.name} {100 * statistics.median(loss.values[each.name]):.2f} %"
            for each in relays
            if each.name in (means, "rtpengine")
        )
        print(f"    lost: {lost}; in the BPF map: {100 * statistics.median(share.values[means]):.2f} %", flush=True)


def main():
    options = flags(__doc__)
    if os.geteuid() != 0:
        sys.exit("relay: namespaces and BPF need root")
    if os.cpu_count() < 2:
        sys.exit("relay: one core for the load and one for the relay are needed")
    report = Report()
    if options.quick:
        measure(report, 1000, (100_000,), 3, 1, finds_highest=False)
    else:
        for legs in (100, 1000, 4000):
            measure(report, legs, (20_000, 50_000, 100_000, 200_000), 5, 1, finds_highest=True)
    report.finish(options.json)


if __name__ == "__main__":
    main()
