#!/usr/bin/env python3
"""Encrypted media beside rtpengine and libsrtp2: CPU a packet relayed between SRTP and
RTP and between SRTP and SRTP, the cost of SRTP alone, DTLS handshakes and ICE checks a
core, and what a leg with ICE takes that only keeps its consent, beside libnice's agents.

The relays stand in the same two namespaces as in the benchmark `relay`; they are loaded in turn, with packets that were
encrypted before. Parts by themselves are measured in one thread.
"""
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT / "benchmarks/relay")]
import lab  # noqa: E402
from calls import Key  # noqa: E402
from relays import Rtpengine, Vas  # noqa: E402
from report import Report, flags  # noqa: E402

SUITES = ("AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM")
SHARE_NS = 700  # of SRTP itself: the target
ENCRYPTED_TRUNK = {"id": 2, "name": "encrypted", "prefixes": ["77"], "mediaEncryption": "required"}


class Calls:
    """Calls of one kind through one relay, and the streams that the generator sends over them."""

    def __init__(self, relay, first_index, count, suite, both):
        self.relay, self.next_number = relay, 0
        lines = [[], []]
        for index in range(first_index, first_index + count):
            keys = (Key(suite), Key(suite) if both else None)
            more = {"destination": "7712" if both else "999"} if isinstance(relay, Vas) else {}
            caller, caller_to, callee, callee_to = relay.calls.make(index, keys, **more)
            for side, (source, to, key) in enumerate(((caller, caller_to, keys[0]), (callee, callee_to, keys[1]))):
                sealed = f" {suite} {key.master.hex()}" if key else ""
                lines[side].append(f"{source[0]} {source[1]} {to[0]} {to[1]}{sealed}")
        self.legs = [None] * count
        self.streams = relay.folder / f"streams{first_index}"
        self.streams.write_text("\n".join(lines[0] + lines[1]) + "\n")

    def load(self, rate, seconds):
        relay = self.relay
        relay.legs, relay.streams, relay.next_number = self.legs, self.streams, self.next_number
        figures = relay.load(rate, seconds)
        self.next_number = relay.next_number
        return figures


def relayed(report, sizes, pairs, seconds):
    with lab.Lab() as here:
        lab.enter(lab.LOAD)
        relays = [Rtpengine(here, 3), Vas(here, 0, "uring", ("--srtp-keys-over-plain-sip", "true"), (ENCRYPTED_TRUNK,))]
        relays[0].recover = lambda: None  # it would make plain calls
        try:
            first = 0
            for count, rate in sizes:
                for both in (False, True):
                    for suite in SUITES:
                        one_kind(
                            report,
                            [Calls(relay, first, count, suite, both) for relay in relays],
                            count,
                            rate,
                            f"{'SRTP-SRTP' if both else 'SRTP-RTP'} {suite} {2 * count} streams {rate} pps",
                            pairs,
                            seconds,
                        )
                        first += count
                        for relay in relays:
                            relay.calls.hang_up()
        finally:
            for relay in relays:
                relay.stop()


def one_kind(report, calls, count, rate, name, pairs, seconds):
    cpu, loss = {}, {}
    for each in calls:
        each.load(rate, 0.5)
    for _ in range(pairs):
        for each in calls:
            figures = each.load(rate, seconds)
            cpu.setdefault(each.relay.name, []).append(figures["cpu_us"])
            loss.setdefault(each.relay.name, []).append(figures["loss"])
    report.row(f"{name} cpu vs rtpengine", cpu["uring"], cpu["rtpengine"], "µs a packet", more_is_better=False)
    print(
        "    lost: " + ", ".join(f"{relay} {100 * statistics.median(values):.2f} %" for relay, values in loss.items()),
        flush=True,
    )


def alone(report, repetitions, seconds):
    done = subprocess.run(
        [
            ROOT / "build/release/bin/srtp-crypto",
            "--benchmark_format=json",
            f"--benchmark_repetitions={repetitions}",
            f"--benchmark_min_time={seconds}",
            "--benchmark_enable_random_interleaving=true",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    times = {}
    for run in json.loads(done.stdout)["benchmarks"]:
        if run["run_type"] == "iteration":
            if run.get("error_occurred"):
                sys.exit(f"srtp: {run['name']}: {run['error_message']}")
            times.setdefault(run["run_name"], []).append(run["cpu_time"])
    for name, values in sorted(times.items()):
        parts = name.split("/")
        if len(parts) == 4 and parts[2] == "ours":
            what = f"{parts[0]} {parts[1]} {parts[3]} streams"
            report.row(
                f"{what} vs libsrtp2",
                values,
                times[f"{parts[0]}/{parts[1]}/libsrtp2/{parts[3]}"],
                "ns a packet",
                more_is_better=False,
            )
            report.row(f"{what} vs target", values, SHARE_NS, "ns a packet", more_is_better=False)
    for name, what in (("dtls_handshake", "DTLS handshakes as server"), ("ice_check", "ICE checks answered")):
        rate = [1e9 / each for each in times[name]]
        print(f"{what}: {statistics.median(rate):.0f} ({min(rate):.0f}…{max(rate):.0f}) a second and core", flush=True)


def idle_legs(report, pairs, legs, seconds):
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    memory, rate = {}, {}
    for _ in range(pairs):
        for role in ("lite", "libnice"):
            done = subprocess.run(
                [ROOT / "build/release/bin/ice-legs", role, str(legs), str(seconds)],
                capture_output=True,
                text=True,
                check=True,
            )
            figures = json.loads(done.stdout)
            memory.setdefault(role, []).append(figures["memory"] / 1024)
            rate.setdefault(role, []).append(1e6 / figures["cpu"])
    report.row(
        f"memory of an ICE leg, {legs} legs, lite vs libnice",
        memory["lite"],
        memory["libnice"],
        "KiB a leg",
        more_is_better=False,
    )
    report.row("idle ICE legs a core, lite vs libnice", rate["lite"], rate["libnice"], "legs")


def main():
    options = flags(__doc__)
    if os.geteuid() != 0 or os.cpu_count() < 2:
        sys.exit("srtp: namespaces need root, and load and relay a core each")
    report = Report()
    if options.quick:
        alone(report, 2, 0.02)
        idle_legs(report, 1, 200, 2)
        relayed(report, ((100, 50_000),), 2, 1)
    else:
        alone(report, 15, 0.05)
        idle_legs(report, 5, 1000, 10)
        relayed(report, ((1, 1_000), (200, 50_000), (500, 50_000)), 5, 1)
    report.finish(options.json)


if __name__ == "__main__":
    main()
