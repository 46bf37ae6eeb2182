#!/usr/bin/env python3
"""Calls held with real RTP for ten minutes: 2,000 in the kernel, 500
in user space. What VAS lost, what memory did, what was returned.

--quick: half a minute of it with a tenth of the calls. Loss before VAS (a full interface queue in the lab) is shown,
and is not VAS's: its own is what it received and did not send, and what its sockets had no room for.
"""
import json
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "relay")]
import lab  # noqa: E402
from relays import SETTLE, Vas  # noqa: E402
from report import Report, flags  # noqa: E402

PACKETS_PER_SECOND = 50  # of a leg


def descriptors(relay):
    return len(list(pathlib.Path(f"/proc/{relay.process.pid}/fd").iterdir()))


def wait_until(condition, seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not condition():
        time.sleep(0.2)
    return condition()


def soak(report, means, calls, slices, seconds):
    with lab.Lab() as here:
        lab.enter(lab.LOAD)
        relay = Vas(here, 0, means)
        try:
            relay.make_calls(1)  # so that what is opened once is open: connections of the API, files
            relay.calls.hang_up()
            wait_until(lambda: relay.metric("vas_calls") == 0, 60)
            before = descriptors(relay)
            relay.make_calls(calls)
            relay.load(*SETTLE)
            rate, memory, outside = 2 * calls * PACKETS_PER_SECOND, [], 0
            for index in range(slices):
                figures = relay.load(rate, seconds)
                memory.append(relay.resident_kb())
                outside += figures["sent"] - figures["received"]
                print(
                    f"  {means}: {(index + 1) * seconds} s, {figures['rate']:.0f} packets/s, p99 {figures['p99_us']:.0f} µs, by the kernel "
                    f"{100 * figures['kernel_share']:.2f} %, {memory[-1]} KiB",
                    flush=True,
                )
            relay.calls.hang_up()
            has_ended = wait_until(lambda: relay.metric("vas_calls") == 0, 60)
            time.sleep(1)
            records = [json.loads(line) for line in (relay.folder / "data/records.jsonl").read_text().splitlines()]
            legs = [leg for record in records for leg in record["legs"]]
            taken, sent = (sum(leg[way]["packets"] for leg in legs) for way in ("received", "sent"))
            lost = taken - sent + sum(leg["received"]["overrun"] for leg in legs)
            name = f"{means} {calls} calls {slices * seconds} s"
            report.row(f"{name}: packets that VAS took and did not send", lost, 0, f"of {taken}", more_is_better=False)
            report.row(
                f"{name}: memory at the end over that after the first slice",
                memory[-1] / memory[0],
                1,
                "times",
                more_is_better=False,
            )
            report.row(f"{name}: descriptors left over", descriptors(relay) - before, 0, "", more_is_better=False)
            report.row(
                f"{name}: legs left in the kernel", relay.metric("vas_media_kernel_legs"), 0, "", more_is_better=False
            )
            print(
                f"  {outside} of the generator's packets were missing at the far end; {len(records)} records; all calls ended: {has_ended}"
            )
        finally:
            relay.stop()


def main():
    options = flags(__doc__)
    report = Report()
    share, slices, seconds = (10, 3, 5) if options.quick else (1, 10, 60)
    soak(report, "kernel", 2000 // share, slices, seconds)
    soak(report, "uring", 500 // share, slices, seconds)
    report.finish(options.json)


if __name__ == "__main__":
    main()
