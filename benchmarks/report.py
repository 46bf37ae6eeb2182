"""What all benchmarks have in common: their flags, their rows, medians with spread."""
import argparse
import json
import platform
import statistics

# One customer has the whole server in a benchmark: in its domain's profile and its tenant's limits.
UNLIMITED = {
    "max-calls": 100000,
    "max-calls-per-second": 100000,
    "max-sessions": 1000000,
    "max-session-bytes": 10**12,
    "max-polls": 100000,
}
TRUNK_UNLIMITED = {"maxCallsPerSecond": 100000}


def flags(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="under a minute, with more spread")
    parser.add_argument("--json", metavar="FILE", help="write the rows here too")
    return parser.parse_args()


class Report:
    def __init__(self):
        self.rows = []
        cpu = next(
            (line.partition(":")[2].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")),
            platform.machine(),
        )
        cores = sum(line.startswith("processor") for line in open("/proc/cpuinfo"))
        print(f"{cores} × {cpu}, Linux {platform.release()}")

    def row(self, what, ours, peer, unit, more_is_better=True):
        """`ours` and `peer` are lists of measurements, or single figures."""
        ours, peer = ([each] if not isinstance(each, list) else each for each in (ours, peer))
        median, beside = statistics.median(ours), statistics.median(peer)
        ratio = (median / beside if more_is_better else beside / median) if median and beside else None
        self.rows.append(
            {
                "what": what,
                "ours": round(median, 4),
                "peer": round(beside, 4),
                "unit": unit,
                "ratio": round(ratio, 3) if ratio else None,
                "spread": [round(min(ours), 4), round(max(ours), 4)],
            }
        )
        spread = f" ({min(ours):.4g}…{max(ours):.4g})" if len(ours) > 1 else ""
        print(
            f"{what}: {median:.4g}{spread} against {beside:.4g} {unit}, "
            + (f"ratio {ratio:.2f}" if ratio else "no ratio"),
            flush=True,
        )

    def finish(self, path):
        if path:
            with open(path, "w") as out:
                json.dump(self.rows, out, indent=1, ensure_ascii=False)
                out.write("\n")
