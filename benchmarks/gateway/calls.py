"""The server under measure, its peer, and SIPp on both sides of them."""
import asyncio
import csv
import ctypes
import dataclasses
import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import tempfile
import time

from report import TRUNK_UNLIMITED, UNLIMITED

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
HTTP, SIP, PEER, CARRIER, CARRIER_PORT = 18490, 15460, 15461, "127.0.0.9", 15490
DOMAIN, MSISDN, KEY = "bench.example", "15550001", "XIbench"
LOAD_CORE, SERVER_CORE = 0, 1


@dataclasses.dataclass
class Place:
    """Where the server and its load are: on loopback, or on
    hosts of their own (`..._within` starts a program there)."""

    address: str = "127.0.0.1"
    carrier: str = CARRIER
    server_within: list = dataclasses.field(default_factory=list)
    load_within: list = dataclasses.field(default_factory=list)
    keys: list = dataclasses.field(default_factory=list)  # beside the system's
    requests_per_second: int = 0  # of one address; 0: no limit

    def directory(self):
        return {
            "tenants": [{"id": 1, "name": "bench", "limits": UNLIMITED}],
            "domains": [
                {
                    "id": 3,
                    "tenantId": 1,
                    "name": DOMAIN,
                    "profile": {**UNLIMITED, "api-requests-per-second": 1000000, "session-ttl": 3600},
                }
            ],
            "subscribers": [{"id": 11, "domainId": 3, "msisdn": MSISDN}],
            "trunks": [
                {
                    "id": 1,
                    "domainId": 3,
                    "name": "carrier",
                    **TRUNK_UNLIMITED,
                    "sources": [self.carrier],
                    "targets": [f"{self.carrier}:{CARRIER_PORT}"],
                }
            ],
            "apiKeys": [{"id": 1, "key": KEY, "scope": "system"}, *self.keys],
        }


def setns(descriptor):
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, 0x40000000) != 0:  # CLONE_NEWNET
        raise OSError(ctypes.get_errno(), "setns")


def allow_many_descriptors():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def process_seconds(pid):
    """CPU seconds, to the nanosecond."""
    return time.clock_gettime_ns((~pid << 3) | 2) / 1e9


def thread_seconds(pid, name):
    """CPU seconds of the process's threads of that name, to the tick of 10 ms."""
    ticks = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        stat = (task / "stat").read_text()
        if stat[stat.index("(") + 1 : stat.rindex(")")] == name:
            ticks += sum(map(int, stat[stat.rindex(")") + 2 :].split()[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def resident_kb(pid):
    return int(next(line.split()[1] for line in open(f"/proc/{pid}/status") if line.startswith("VmRSS")))


class Vas:
    """On a core of its own, or on both."""

    def __init__(self, *flags, cores=str(SERVER_CORE), place=Place()):
        self.flags, self.cores, self.place = flags, cores, place

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="vas-bench-", dir=ROOT / "build"))
        (self.folder / "directory.json").write_text(json.dumps(self.place.directory()))
        self.log = open(self.folder / "log", "wb")
        self.process = subprocess.Popen(
            [
                "taskset",
                "-c",
                self.cores,
                *self.place.server_within,
                ROOT / "build/release/bin/vas",
                "--data-dir",
                self.folder / "data",
                "--directory",
                self.folder / "directory.json",
                "--log-level",
                "error",
                "--http-listen",
                f"{self.place.address}:{HTTP}",
                "--sip-listen",
                f"{self.place.address}:{SIP}",
                "--media-bind",
                self.place.address,
                "--sip-requests-per-second",
                str(self.place.requests_per_second),
                "--peer-allow",
                f"{self.place.address}/8",
                "--media-kernel",
                "off",
                "--media-workers",
                "1",
                "--media-port-max",
                "60000",
                *self.flags,
            ],
            stdout=self.log,
            stderr=self.log,
        )
        time.sleep(1.5)
        assert self.process.poll() is None, (self.folder / "log").read_text()
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def tokens(self, count):
        return asyncio.run(make_tokens(self.place.address, count))

    def metric(self, name):
        async def get():
            reader, writer = await asyncio.open_connection(self.place.address, HTTP)
            text = await ask(reader, writer, "GET", "/metrics")
            writer.close()
            return text

        return float(next(line.split()[-1] for line in asyncio.run(get()).splitlines() if line.startswith(name + " ")))


async def ask(reader, writer, method, path, body=None):
    content = b"" if body is None else json.dumps(body).encode()
    writer.write(
        f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n\r\n".encode() + content
    )
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
    )
    return (await reader.readexactly(length)).decode()


async def make_tokens(address, count):
    tokens, numbers = [], iter(range(count))

    async def worker():
        reader, writer = await asyncio.open_connection(address, HTTP)
        for _ in numbers:
            tokens.append(
                json.loads(
                    await ask(reader, writer, "POST", f"/calls/{DOMAIN}/outgoing/{MSISDN}", {"destination": "999"})
                )["token"]
            )
        writer.close()

    await asyncio.gather(*(worker() for _ in range(64)))
    return tokens


class Kamailio:
    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="vas-bench-", dir=ROOT / "build"))
        self.process = subprocess.Popen(
            [
                "taskset",
                "-c",
                str(SERVER_CORE),
                "kamailio",
                "-f",
                HERE / "kamailio.cfg",
                "-DD",
                "-E",
                "-m",
                "512",
                "-M",
                "64",
                "-P",
                self.folder / "pid",
                "-Y",
                self.folder,
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(1.5)
        assert self.process.poll() is None, "kamailio did not start"
        return self

    def pids(self):
        children = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True).stdout.split()
        return [self.process.pid, *map(int, children)]

    def seconds(self):
        return sum(process_seconds(pid) for pid in self.pids())

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)


class Carrier:
    """SIPp answering at once."""

    def __init__(self, place=Place()):
        self.place = place

    def __enter__(self):
        self.process = subprocess.Popen(
            [
                "taskset",
                "-c",
                str(LOAD_CORE),
                *self.place.load_within,
                "sipp",
                "-sf",
                HERE / "uas.xml",
                "-i",
                self.place.carrier,
                "-p",
                str(CARRIER_PORT),
                "-nostdin",
                "-bg",
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.pid = int(self.process.communicate()[0].split("[")[1].split("]")[0])
        return self

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGKILL)
        time.sleep(0.3)


class Result:
    def __init__(self, folder, seconds):
        rows = list(csv.DictReader(open(next(folder.glob("uac_*_.csv"))), delimiter=";"))
        last = rows[-1]
        self.good, self.failed = int(last["SuccessfulCall(C)"]), int(last["FailedCall(C)"])
        self.seconds = seconds
        # Until the last call began: behind that only stragglers are waited for.
        begun = max(int(row["TotalCallCreated"]) for row in rows)
        # SIPp leaves the microseconds away where there are none.
        hours, minutes, rest, *micros = next(
            row["ElapsedTime(C)"] for row in rows if int(row["TotalCallCreated"]) == begun
        ).split(":")
        self.offering_seconds = int(hours) * 3600 + int(minutes) * 60 + int(rest) + sum(map(int, micros)) / 1e6
        self.setup_ms = []
        for path in folder.glob("uac_*_rtt.csv"):
            self.setup_ms += [
                float(row.split(";")[1]) for row in path.read_text().splitlines()[1:] if row.count(";") >= 2
            ]
        self.setup_ms.sort()

    def p99(self):
        return self.setup_ms[int(len(self.setup_ms) * 0.99)] if self.setup_ms else float("inf")

    @property
    def answered(self):
        """Of those that ended well: a 503 does too, without a set-up time."""
        return len(self.setup_ms)


def call(port, rate, seconds, tokens, address="127.0.0.2", source_port=15480, server="127.0.0.1", within=()):
    """`rate` calls a second, each with a token of its own."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="vas-bench-", dir=ROOT / "build"))
    count = int(rate * seconds)
    (folder / "tokens.csv").write_text("SEQUENTIAL\n" + "\n".join(tokens[:count]) + "\n")
    shutil.copy(HERE / "uac.xml", folder / "uac.xml")
    begun = time.monotonic()
    subprocess.run(
        [
            "taskset",
            "-c",
            str(LOAD_CORE),
            *within,
            "sipp",
            f"{server}:{port}",
            "-sf",
            "uac.xml",
            "-inf",
            "tokens.csv",
            "-i",
            address,
            "-p",
            str(source_port),
            "-r",
            str(rate),
            "-m",
            str(count),
            "-d",
            "0",
            "-nostdin",
            "-trace_stat",
            "-fd",
            "1",
            "-trace_rtt",
            "-rtt_freq",
            "200" if rate > 100 else "1",
            "-recv_timeout",
            "8000",
            "-timeout",
            str(int(seconds) + 20),
            "-l",
            "100000",
            "-default_behaviors",
            "all,-bye",
        ],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    result = Result(folder, time.monotonic() - begun)
    shutil.rmtree(folder, ignore_errors=True)
    return result
