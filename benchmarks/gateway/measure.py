#!/usr/bin/env python3
"""The gateway and the call path behind it, under load and under attack.

Everything that makes load stands on one core, the server on the other. Beside the whole call path stands Kamailio as a
stateful proxy on the same SIPp load, on the same core: it has one dialog where we have two with their records, and
neither does media here. Beside the other rows stand the targets.
"""
import multiprocessing
import os
import pathlib
import socket
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from calls import (  # noqa: E402
    LOAD_CORE,
    PEER,
    SIP,
    Carrier,
    Kamailio,
    Vas,
    call,
    process_seconds,
    resident_kb,
    thread_seconds,
)
from report import Report, flags  # noqa: E402


def is_clean(result, rate, seconds):
    return result.failed == 0 and result.answered >= 0.999 * rate * seconds and result.p99() < 500


def cpu_per_call(report, rate, seconds, rounds):
    ours, theirs, gateway, signaling = [], [], [], []
    for _ in range(rounds):
        with Carrier(), Vas() as vas:
            tokens = vas.tokens(int(rate * seconds))
            before, whole = {
                name: thread_seconds(vas.process.pid, name) for name in ("vas-gateway", "vas-sip")
            }, process_seconds(vas.process.pid)
            messages = vas.metric("vas_sip_messages_total")
            result = call(SIP, rate, seconds, tokens)
            assert is_clean(result, rate, seconds), (result.good, result.failed, result.p99())
            calls = rate * seconds
            ours.append((process_seconds(vas.process.pid) - whole) / calls * 1e6)
            signaling.append((thread_seconds(vas.process.pid, "vas-sip") - before["vas-sip"]) / calls * 1e6)
            # What came from the network; about as many went out to it, and all pass the loopback besides.
            received = vas.metric("vas_sip_messages_total") - messages
            gateway.append(
                (thread_seconds(vas.process.pid, "vas-gateway") - before["vas-gateway"]) / (2 * received) * 1e6
            )
        with Carrier(), Kamailio() as kamailio:
            before = kamailio.seconds()
            result = call(PEER, rate, seconds, ["x" * 32] * int(rate * seconds))
            assert is_clean(result, rate, seconds), (result.good, result.failed, result.p99())
            theirs.append((kamailio.seconds() - before) / (rate * seconds) * 1e6)
    report.row(
        f"CPU a call, whole server, {rate} calls/s vs Kamailio (stateful proxy)",
        ours,
        theirs,
        "µs",
        more_is_better=False,
    )
    report.row(
        "CPU a call, signaling thread vs Kamailio (stateful proxy)", signaling, theirs, "µs", more_is_better=False
    )
    report.row("CPU a message, gateway thread vs the prototype's 15 µs", gateway, 15, "µs", more_is_better=False)


def idle(report, seconds, rounds):
    """What a server takes that nobody calls."""
    ours, theirs = [], []
    for _ in range(rounds):
        with Vas() as vas, Kamailio() as kamailio:
            time.sleep(2)
            before = process_seconds(vas.process.pid), kamailio.seconds()
            time.sleep(seconds)
            ours.append((process_seconds(vas.process.pid) - before[0]) / seconds * 1e3)
            theirs.append((kamailio.seconds() - before[1]) / seconds * 1e3)
    report.row("CPU a second of an idle server vs Kamailio", ours, theirs, "ms", more_is_better=False)


def highest(make, port, rates, seconds):
    """The highest rate at which every call is set up with p99 below 500 ms, and the memory behind it."""
    best, memory, p99 = 0, 0, 0
    for rate in rates:
        with Carrier(), make() as server:
            tokens = server.tokens(int(rate * seconds)) if isinstance(server, Vas) else ["x" * 32] * int(rate * seconds)
            result = call(port, rate, seconds, tokens)
            if not is_clean(result, rate, seconds):
                break
            pids = [server.process.pid] if isinstance(server, Vas) else server.pids()
            best, memory, p99 = rate, sum(resident_kb(pid) for pid in pids) / 1024, result.p99()
    return best, memory, p99


def capacity(report, rates, seconds):
    one = highest(lambda: Vas("--sip-threads", "1"), SIP, rates, seconds)
    two = highest(lambda: Vas("--sip-threads", "2", cores="0,1"), SIP, rates, seconds)
    peer = highest(Kamailio, PEER, rates, seconds)
    report.row("calls a second, clean, one core vs Kamailio (stateful proxy)", one[0], peer[0], "calls/s")
    report.row(
        "calls a second, clean, 2 signaling threads on both cores, the load beside them, vs Kamailio",
        two[0],
        peer[0],
        "calls/s",
    )
    report.row("resident memory at that rate vs Kamailio", one[1], peer[1], "MiB", more_is_better=False)
    report.row("p99 of set-up at that rate vs Kamailio", one[2], peer[2], "ms", more_is_better=False)
    return one[0]


def spray_junk(per_second, seconds, started):
    """Broken, refused and meaningless messages from 200 addresses."""
    os.sched_setaffinity(0, {LOAD_CORE})
    sockets = []
    for i in range(200):
        each = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        each.bind((f"127.0.3.{i + 1}", 0))
        sockets.append(each)
    head = (
        "Via: SIP/2.0/UDP 127.0.3.1;branch=z9hG4bK{0};rport\r\nFrom: <sip:x@y>;tag={0}\r\nTo: <sip:a@b>\r\n"
        "Call-ID: {0}\r\nCSeq: 1 {1}\r\nContact: <sip:x@y>\r\n"
    )
    started.value = 1
    sent, begun = 0, time.monotonic()
    while time.monotonic() - begun < seconds:
        due = int((time.monotonic() - begun) * per_second)
        for number in range(sent, due):
            kind = number % 4
            if kind == 0:
                text = (
                    f"INVITE sip:a@b SIP/2.0\r\n{head.format(number, 'INVITE')}X-Cloudonix-Session: {number:032x}\r\n"
                    f"X-Cloudonix-Domain: d\r\nContent-Length: 0\r\n\r\n"
                )
            elif kind == 1:
                text = f"OPTIONS sip:a@b SIP/2.0\r\n{head.format(number, 'OPTIONS')}Content-Length: 9999\r\n\r\n"
            elif kind == 2:
                text = f"REGISTER sip:a@b SIP/2.0\r\n{head.format(number, 'REGISTER')}Content-Length: 0\r\n\r\n"
            else:
                text = "\x00\x01 not SIP at all " * 20
            try:
                sockets[number % 200].sendto(text.encode(), ("127.0.0.1", SIP))
            except OSError:
                pass
        sent = due
        time.sleep(0.001)
    started.value = sent / (time.monotonic() - begun)


def junk(report, seconds, before_it):
    """`before_it` seconds of real calls alone fill what fills by
    itself: the trace's ring, transactions that linger for 32 s."""
    with Carrier(), Vas() as vas:
        tokens = vas.tokens(200 * (before_it + seconds))
        call(SIP, 200, before_it, tokens[: 200 * before_it])
        before = resident_kb(vas.process.pid)
        started = multiprocessing.Value("d", 0)
        sprayer = multiprocessing.Process(target=spray_junk, args=(20_000, seconds, started))
        sprayer.start()
        while not started.value:
            time.sleep(0.05)
        result = call(SIP, 200, seconds - 2, tokens[200 * before_it :])
        sprayer.join()
        after = resident_kb(vas.process.pid)
    report.row(
        f"real calls that succeed beside {started.value:.0f} junk messages/s vs 99.9 %",
        100 * result.answered / (200 * (seconds - 2)),
        99.9,
        "%",
    )
    report.row("memory under junk, of what it was, vs + 10 %", after / before, 1.1, "×", more_is_better=False)


def slow_connections(report, count, seconds):
    with Carrier(), Vas(
        "--sip-connections", "16384", "--sip-handshakes-per-second", "0", "--ws-listen", "127.0.0.1:15464"
    ) as vas:
        rate = 100
        tokens = vas.tokens(2 * rate * seconds)
        quiet = call(SIP, rate, seconds, tokens[: rate * seconds]).p99()
        process = multiprocessing.Process(target=hold_slow, args=(count,))
        process.start()
        while vas.metric("vas_sip_connections") < count * 0.95:
            time.sleep(0.2)
        begun, gone = time.monotonic(), []

        def watch():
            while vas.metric("vas_sip_connections") > count * 0.01:
                time.sleep(0.2)
            gone.append(time.monotonic() - begun)

        watcher = threading.Thread(target=watch)
        watcher.start()
        busy = call(SIP, rate, seconds, tokens[rate * seconds :]).p99()
        watcher.join()
        evicted = gone[0]
        process.terminate()
        process.join()
    report.row(f"{count} slow connections are gone after, vs 10 s", evicted, 10, "s", more_is_better=False)
    report.row("p99 of set-up beside them vs the quiet one's", busy, quiet, "ms", more_is_better=False)


def hold_slow(count):
    """Half a request on each, half of them at the WebSocket port; 200 an address."""
    os.sched_setaffinity(0, {LOAD_CORE})
    held = []
    for i in range(count):
        each = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        each.bind((f"127.0.4.{1 + i // 200}", 0))
        try:
            each.connect(("127.0.0.1", SIP if i % 2 else 15464))
            each.sendall(b"OPTIONS sip:x SIP/2.0\r\nVia: " if i % 2 else b"GET / HTTP/1.1\r\nHost: ")
        except OSError:
            pass
        held.append(each)
    time.sleep(60)


def overload(report, peak, seconds):
    """Three times what it can: the calls that are set up all the same."""
    with Carrier(), Vas() as vas:
        rate = 3 * peak
        tokens = vas.tokens(rate * seconds)
        result = call(SIP, rate, seconds, tokens)
    goodput = result.answered / max(seconds, result.offering_seconds)
    report.row(f"calls set up a second with {rate}/s offered vs the peak", goodput, peak, "calls/s")


def main():
    options = flags(__doc__)
    report = Report()
    if (os.cpu_count() or 1) < 2:
        sys.exit("gateway: one core for the load and one for the server are needed")
    idle(report, *((3, 1) if options.quick else (10, 5)))
    if options.quick:
        cpu_per_call(report, 200, 6, 1)
        junk(report, 8, 12)
    else:
        cpu_per_call(report, 300, 10, 5)
        peak = capacity(report, range(200, 3001, 100), 10)
        junk(report, 20, 45)
        slow_connections(report, 10_000, 12)
        overload(report, peak, 60)
    report.finish(options.json)


if __name__ == "__main__":
    main()
