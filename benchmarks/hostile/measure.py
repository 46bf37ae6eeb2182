#!/usr/bin/env python3
"""Real calls beside attacks: how many succeed, how long they take to set up,
what the server grows by, and what it answers for each byte that it is sent.

Calls without an attack and calls beside it take turns, each attack against a server
of its own. Beside our figures stand what an operator may ask for: 99.9 % of the
real calls, twice the quiet p99, 10 % more memory, 1.3 bytes out for each byte in.
"""
import multiprocessing
import os
import pathlib
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
for folder in (ROOT / "benchmarks", ROOT / "benchmarks/gateway", ROOT / "benchmarks/hostile"):
    sys.path.insert(0, str(folder))
import calls  # noqa: E402
import lab  # noqa: E402
from attacks import DOMAIN_KEY, TLS, all_attacks  # noqa: E402
from report import Report, flags  # noqa: E402

RATE = 50  # real calls a second
DEFAULT_LIMIT = 100  # sip-requests-per-second, as it comes
WARM_UP = 35  # seconds of calls before: until then transactions that linger fill memory by themselves
FLOOR_MS = 5  # below that a p99 is the machine's noise


def certificate(folder):
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            folder / "key.pem",
            "-out",
            folder / "cert.pem",
            "-days",
            "2",
            "-subj",
            "/CN=bench",
        ],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    return [
        "--tls-listen",
        f"{lab.SERVER_IP}:{TLS}",
        "--tls-certificate",
        folder / "cert.pem",
        "--tls-key",
        folder / "key.pem",
    ]


def enter(namespace):
    descriptor = os.open(f"/var/run/netns/{namespace}", os.O_RDONLY)
    calls.setns(descriptor)
    os.close(descriptor)


def attack_process(attack, seconds):
    """On the attacker's host; its descriptors may be many."""

    def run():
        enter(lab.ATTACK)
        os.sched_setaffinity(0, {calls.LOAD_CORE})
        calls.allow_many_descriptors()
        attack.run(seconds)

    process = multiprocessing.get_context("fork").Process(target=run, daemon=False)
    process.start()
    return process


class PeakMemory:
    """Of the server, looked at ten times a second."""

    def __init__(self, pid):
        self.pid, self.peak, self.is_over = pid, calls.resident_kb(pid), threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self):
        while not self.is_over.wait(0.1):
            self.peak = max(self.peak, calls.resident_kb(self.pid))

    def stop(self):
        self.is_over.set()
        self.thread.join()
        return self.peak


def real_calls(tokens, seconds):
    result = calls.call(
        calls.SIP, RATE, seconds, tokens, address=lab.CALLER_IP, server=lab.SERVER_IP, within=lab.inside(lab.LOAD)
    )
    return 100 * result.answered / (RATE * seconds), result.p99()


def server():
    place = calls.Place(
        address=lab.SERVER_IP,
        carrier=lab.CARRIER_IP,
        server_within=lab.inside(lab.SERVER),
        load_within=lab.inside(lab.LOAD),
        requests_per_second=DEFAULT_LIMIT,
        keys=[{"id": 2, "key": DOMAIN_KEY, "scope": "domain", "domainId": 3}],
    )
    return calls.Vas(*certificate(ROOT / "build"), place=place), calls.Carrier(place)


def measure(report, vas, attack, seconds, rounds):
    share, quiet_p99, busy_p99, growth, ratio = [], [], [], [], []
    count = RATE * seconds
    tokens = vas.tokens(2 * count * rounds)
    if attack.prepare:
        attack.prepare(vas)
    for number in range(rounds):
        mine = tokens[2 * number * count :]
        quiet, p99 = real_calls(mine, seconds)
        if quiet < 99:
            sys.exit(f"hostile: without an attack {quiet:.1f} % of the calls succeed: nothing can be measured here")
        quiet_p99.append(max(FLOOR_MS, p99))
        before = calls.resident_kb(vas.process.pid)
        memory, traffic = PeakMemory(vas.process.pid), lab.AttackersTraffic()
        process = attack_process(attack, seconds + 2)
        time.sleep(0.3)
        succeeded, p99 = real_calls(mine[count:], seconds)
        process.join()
        share.append(succeeded)
        busy_p99.append(p99)
        growth.append(memory.stop() / before)
        ratio.append(traffic.ratio())
    report.row(f"{attack.row}: real calls that succeed vs 99.9 %", share, 99.9, "%")
    report.row(
        f"{attack.row}: p99 of set-up vs twice the quiet one's",
        busy_p99,
        [2 * each for each in quiet_p99],
        "ms",
        more_is_better=False,
    )
    report.row(f"{attack.row}: memory, of what it was, vs + 10 %", growth, 1.1, "×", more_is_better=False)
    if attack.is_udp:
        report.row(f"{attack.row}: bytes out for a byte in vs 1.3", ratio, 1.3, "×", more_is_better=False)


def main():
    options = flags(__doc__)
    if os.geteuid() != 0 or (os.cpu_count() or 1) < 2:
        sys.exit("hostile: root is needed for the three hosts, one core for the load and one for the server")
    report = Report()
    with lab.Lab():
        enter(lab.LOAD)
        for attack in (each for each in all_attacks() if each.is_quick or not options.quick):
            vas, carrier = server()
            with carrier, vas:
                if not options.quick:
                    real_calls(vas.tokens(RATE * WARM_UP), WARM_UP)
                measure(report, vas, attack, *((2, 1) if options.quick else (10, 3)))
    report.finish(options.json)


if __name__ == "__main__":
    main()
