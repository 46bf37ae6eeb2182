#!/usr/bin/env python3
"""The API: sessions made a second with durability, and long polls that wait.

No other server makes sessions like these. Beside "sessions made" stands what bare SQLite commits of the same rows in
the same batches, in one thread and without any HTTP, in runs that alternate with ours: the limit that the store sets.
Beside the other rows stand the targets.
"""
import asyncio
import json
import pathlib
import random
import resource
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
from report import TRUNK_UNLIMITED, UNLIMITED, Report, flags  # noqa: E402

HTTP, SIP, TRUNK = 18480, 15460, "127.0.0.9"
DOMAIN, MSISDN, KEY = "bench.example", "15550001", "XIbench"
DIRECTORY = {
    "tenants": [{"id": 1, "name": "bench", "limits": UNLIMITED}],
    "domains": [
        {
            "id": 3,
            "tenantId": 1,
            "name": DOMAIN,
            "profile": {
                **UNLIMITED,
                "api-requests-per-second": 1000000,
                "session-ttl": 3600,
                "registration-free-control-endpoint": "http://127.0.0.1:18481/incoming",
            },
        }
    ],
    "subscribers": [{"id": 11, "domainId": 3, "msisdn": MSISDN}],
    "trunks": [{"id": 1, "domainId": 3, "name": "carrier", **TRUNK_UNLIMITED, "sources": [TRUNK]}],
    "apiKeys": [{"id": 1, "key": KEY, "scope": "system"}],
}


class Vas:
    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="vas-bench-", dir=ROOT / "build"))
        (self.folder / "directory.json").write_text(json.dumps(DIRECTORY))
        self.log = open(self.folder / "log", "wb")
        self.process = subprocess.Popen(
            [
                ROOT / "build/release/bin/vas",
                "--data-dir",
                self.folder / "data",
                "--directory",
                self.folder / "directory.json",
                "--log-level",
                "warn",
                "--http-listen",
                f"127.0.0.1:{HTTP}",
                "--sip-listen",
                f"127.0.0.1:{SIP}",
                "--webhook-allow",
                "127.0.0.0/8",
                # Descriptors are for the polls.
                "--sip-connections",
                "256",
                "--media-port-max",
                "20999",
                "--webhook-connections",
                "64",
                "--peer-allow",
                "127.0.0.0/8",
            ],
            stdout=self.log,
            stderr=self.log,
        )
        time.sleep(1)
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def resident_kb(self):
        return int(
            next(line.split()[1] for line in open(f"/proc/{self.process.pid}/status") if line.startswith("VmRSS"))
        )


def make_sessions(seconds):
    """Sessions a second, p50 and p99 in ms, at 64 connections; every answer a 200 that is on disk."""
    done = subprocess.run(
        [
            "wrk",
            "-t1",
            "-c64",
            f"-d{seconds}s",
            "-s",
            ROOT / "benchmarks/api/create.lua",
            f"http://127.0.0.1:{HTTP}/calls/{DOMAIN}/outgoing/{MSISDN}",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    rate, p50, p99, wrong = next(line.split()[1:] for line in done.stdout.splitlines() if line.startswith("RESULT"))
    assert wrong == "0", f"{wrong} requests failed:\n{done.stdout}"
    return float(rate), float(p50), float(p99)


def bare_sqlite(seconds):
    """The same rows through Python's sqlite3, 64 a commit: what 64 waiting clients allow."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="vas-bench-", dir=ROOT / "build"))
    database = sqlite3.connect(folder / "s.sqlite", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute(
        "CREATE TABLE sessions (id INTEGER PRIMARY KEY, domain_id INTEGER NOT NULL, token TEXT NOT NULL, body TEXT NOT NULL)"
    )
    database.execute("CREATE INDEX sessions_of_domain ON sessions (domain_id, id)")
    body, rows, begun = "x" * 650, 0, time.monotonic()
    while time.monotonic() - begun < seconds:
        database.execute("BEGIN")
        database.executemany(
            "INSERT INTO sessions VALUES (?, 3, ?, ?)",
            ((rows + i, random.randbytes(16).hex(), body) for i in range(64)),
        )
        database.execute("COMMIT")
        rows += 64
    rate = rows / (time.monotonic() - begun)
    database.close()
    shutil.rmtree(folder, ignore_errors=True)
    return rate


# ---- long polls ----


async def request(reader, writer, method, path, body=None):
    content = b"" if body is None else json.dumps(body).encode()
    writer.write(
        f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n\r\n".encode() + content
    )
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")), 0
    )
    return int(head.split()[1]), await reader.readexactly(length)


async def many(count, make):
    """Runs make(connection, number) for each number over 64 connections."""
    numbers = iter(range(count))

    async def worker():
        reader, writer = await asyncio.open_connection("127.0.0.1", HTTP)
        for number in numbers:
            await make((reader, writer), number)
        writer.close()

    await asyncio.gather(*(worker() for _ in range(64)))


class Polls:
    """`count` polls, each on a session of its own."""

    def __init__(self, count):
        self.tokens, self.readers, self.writers = [None] * count, [None] * count, [None] * count

    async def make_sessions(self):
        async def make(connection, number):
            status, body = await request(
                *connection, "POST", f"/calls/{DOMAIN}/incoming/{MSISDN}", {"origination": "1"}
            )
            assert status == 200, body
            self.tokens[number] = json.loads(body)["token"]

        await many(len(self.tokens), make)

    async def park(self):
        gate = asyncio.Semaphore(200)

        async def one(number):
            async with gate:
                self.readers[number], self.writers[number] = await asyncio.open_connection(
                    "127.0.0.1", HTTP, limit=4096, local_addr=(f"127.0.0.{2 + number // 20_000}", 0)
                )  # ports of one address would not do
                self.writers[number].write(
                    f"GET /calls/{DOMAIN}/ringing/{MSISDN}/{self.tokens[number]} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
                )

        await asyncio.gather(*(one(number) for number in range(len(self.tokens))))

    async def wait_until_parked(self):
        reader, writer = await asyncio.open_connection("127.0.0.1", HTTP)
        while True:
            _, text = await request(reader, writer, "GET", "/metrics")
            waiting = int(
                next(line.split()[1] for line in text.decode().splitlines() if line.startswith("vas_ringing_polls "))
            )
            if waiting == len(self.tokens):
                return writer.close()
            await asyncio.sleep(0.1)

    async def end_all(self):
        """DELETE of every session; from its sending to the answer of its poll, in ms, and the whole in seconds."""
        sent, took = {}, [None] * len(self.tokens)

        async def answered(number):
            head = await self.readers[number].readuntil(b"\r\n\r\n")
            took[number] = (time.monotonic() - sent[number]) * 1000
            assert b" 205 " in head.split(b"\r\n")[0], head
            self.writers[number].close()

        waiting = [asyncio.create_task(answered(number)) for number in range(len(self.tokens))]
        begun = time.monotonic()

        async def end(connection, number):
            sent[number] = time.monotonic()
            status, _ = await request(*connection, "DELETE", f"/calls/{DOMAIN}/sessions/{self.tokens[number]}")
            assert status == 204

        await many(len(self.tokens), end)
        await asyncio.gather(*waiting)
        return took, time.monotonic() - begun


async def backend(notified):
    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
        )
        body = json.loads(await reader.readexactly(length))
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()
        notified.put_nowait(body["session"])

    return await asyncio.start_server(serve, "127.0.0.1", 18481)


async def pick_ups(count):
    """Real calls that are picked up while all others wait: from the app's 200 OK to its poll's answer, in ms."""
    notified, took = asyncio.Queue(), []
    server = await backend(notified)
    caller = str(ROOT / "build/release/bin/vas-caller")
    quiet = {"stdout": asyncio.subprocess.DEVNULL, "stderr": asyncio.subprocess.DEVNULL}
    for _ in range(count):
        trunk = await asyncio.create_subprocess_exec(
            caller, "--listen", f"{TRUNK}:0", "--dial", f"sip:{MSISDN}@127.0.0.1:{SIP}", "--seconds", "0", **quiet
        )
        token = await notified.get()
        reader, writer = await asyncio.open_connection("127.0.0.1", HTTP)
        writer.write(f"GET /calls/{DOMAIN}/ringing/{MSISDN}/{token} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await asyncio.sleep(0.1)
        begun = time.monotonic()
        app = await asyncio.create_subprocess_exec(
            caller,
            "--dial",
            f"sip:any@127.0.0.1:{SIP}",
            "--token",
            token,
            "--domain",
            DOMAIN,
            "--seconds",
            "0.3",
            **quiet,
        )
        head = await reader.readuntil(b"\r\n\r\n")
        took.append((time.monotonic() - begun) * 1000)  # the app's own start is in it
        assert b" 200 " in head.split(b"\r\n")[0], head
        writer.close()
        await app.wait()
        await trunk.wait()
    server.close()
    return took


def main():
    arguments = flags(__doc__)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    polls = 50_000 if hard >= 120_000 else min(15_000, hard - 4500)
    report = Report()
    runs, seconds = (3, 3) if arguments.quick else (7, 10)
    ours, limit = [], []
    for _ in range(runs):
        with Vas():
            ours.append(make_sessions(seconds))
        limit.append(bare_sqlite(seconds))
    rates, p99s = [each[0] for each in ours], [each[2] for each in ours]
    report.row("sessions made durably at 64 connections vs bare SQLite commits of the same rows", rates, limit, "1/s")
    report.row("sessions made durably at 64 connections vs the target", rates, 10_000, "1/s")
    report.row("p99 of making a session at 64 connections vs the target", p99s, 50, "ms", more_is_better=False)

    with Vas() as vas:

        async def run():
            warm = Polls(200)
            await warm.make_sessions()
            await warm.park()
            await warm.wait_until_parked()
            await warm.end_all()
            waiting = Polls(polls)
            await waiting.make_sessions()
            before = vas.resident_kb()
            await waiting.park()
            await waiting.wait_until_parked()
            each_kb = (vas.resident_kb() - before) / polls
            picked = await pick_ups(5 if arguments.quick else 20)
            took, whole = await waiting.end_all()
            return each_kb, picked, took, whole

        each_kb, picked, took, whole = asyncio.run(run())
    report.row(
        f"resident memory of a waiting poll, {polls} waiting, vs the target", each_kb, 6, "KiB", more_is_better=False
    )
    report.row(
        f"pick-up to its poll's answer, {polls} others waiting, worst, vs the target",
        max(picked),
        1000,
        "ms",
        more_is_better=False,
    )
    report.row(
        f"end of a session to its poll's answer, {polls} ended at once, p99, vs the target",
        statistics.quantiles(took, n=100)[98],
        1000,
        "ms",
        more_is_better=False,
    )
    report.row(
        f"end of a session to its poll's answer, {polls} ended at once, worst, vs the target",
        max(took),
        1000,
        "ms",
        more_is_better=False,
    )
    print(f"all {polls} ended and answered in {whole:.2f} s")
    report.finish(arguments.json)


if __name__ == "__main__":
    main()
