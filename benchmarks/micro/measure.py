#!/usr/bin/env python3
"""The parts of the packet path by themselves, beside what one core has for a packet at 200,000 packets a second."""
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
from report import Report, flags  # noqa: E402

BUDGET_NS = 5000


def main():
    options = flags(__doc__)
    report = Report()
    done = subprocess.run(
        [
            ROOT / "build/release/bin/packet-path",
            "--benchmark_format=json",
            f"--benchmark_repetitions={3 if options.quick else 15}",
            "--benchmark_min_time=0.1",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    times = {}
    for run in json.loads(done.stdout)["benchmarks"]:
        if run["run_type"] == "iteration":
            times.setdefault(run["name"], []).append(
                1e9 / run["items_per_second"] if "items_per_second" in run else run["cpu_time"]
            )
    for name, values in times.items():
        report.row(
            name.replace("_", " "),
            values,
            BUDGET_NS,
            "ns, of a core's budget at 200,000 packets/s",
            more_is_better=False,
        )
    report.finish(options.json)


if __name__ == "__main__":
    main()
