"""The built server."""
import json
import pathlib
import signal
import subprocess

from .addresses import in_uri
from .api import ApiClient
from .ports import free_ports
from .processes import die_with_parent
from .settings import ALICE, BIN, BOB, DOMAIN, IDLE, KEY, LOOSE_TRUNK, PEER_ALLOW, TRUNK
from .waiting import wait_until


class Vas(ApiClient):
    """One running server with its own data folder."""

    def __init__(self, folder, backend_url="http://127.0.0.1:9", profile=None, trunk_port=None, flags=()):
        self.folder = pathlib.Path(folder)
        self.sip_port, self.http_port = free_ports(), free_ports()
        self.trunk_port = trunk_port or free_ports()
        self.flags = list(flags)
        self.allows_loopback = True  # for callbacks: the tests' backends are there
        self.peer_allow = PEER_ALLOW  # for SIP and media: the tests' phones are there
        self.directory = {
            "tenants": [{"id": 1, "name": "e2e"}],
            "domains": [
                {
                    "id": 3,
                    "tenantId": 1,
                    "name": DOMAIN,
                    "profile": {
                        "registration-free-control-endpoint": backend_url + "/incoming",
                        "call-timeout": 20,
                        "session-ttl": 30,
                        **(profile or {}),
                    },
                }
            ],
            "subscribers": [
                {"id": 11, "domainId": 3, "msisdn": ALICE},
                {"id": 12, "domainId": 3, "msisdn": BOB},
                {"id": 13, "domainId": 3, "msisdn": IDLE, "active": False},
            ],
            "trunks": [
                {
                    "id": 7,
                    "domainId": 3,
                    "name": "carrier",
                    "sources": [TRUNK],
                    "targets": [f"{TRUNK}:{self.trunk_port}"],
                },
                {"id": 8, "domainId": 3, "name": "loose", "sources": [LOOSE_TRUNK], "latchesToAnyone": True},
            ],
            "apiKeys": [{"id": 1, "key": KEY, "scope": "system"}],
        }
        self.process = None
        self.address, self.wrapper = "127.0.0.1", ()  # where it listens; what it is started by

    def start(self):
        self.launch()
        wait_until(self.is_ready, 20, "the server's start")
        return self

    def launch(self):
        """Starts the process and does not wait for it."""
        directory = ()
        if self.directory is not None:  # None: an empty store makes its own first key
            (self.folder / "directory.json").write_text(json.dumps(self.directory))
            directory = ("--directory", self.folder / "directory.json")
        self.log = open(self.folder / "vas.log", "ab")
        self.process = subprocess.Popen(
            [
                *self.wrapper,
                BIN / "vas",
                "--data-dir",
                self.folder / "data",
                *directory,
                "--sip-listen",
                self.sip,
                "--http-listen",
                f"{in_uri(self.address)}:{self.http_port}",
                *(("--webhook-allow", "127.0.0.0/8") if self.allows_loopback else ()),
                *(flag for block in self.peer_allow for flag in ("--peer-allow", block)),
                *self.flags,
            ],
            stdout=self.log,
            stderr=self.log,
            preexec_fn=die_with_parent,
        )

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"vas ended with {self.process.returncode}:\n{self.log_text()}")
        try:
            return self.request("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def log_text(self):
        return (self.folder / "vas.log").read_text(errors="replace")

    def stop(self, how=signal.SIGTERM):
        if self.process is None:
            return None
        self.process.send_signal(how)
        code = self.process.wait(timeout=30)
        self.process = None
        self.log.close()
        return code

    def records(self):
        path = self.folder / "data/records.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def record_of(self, token, seconds=10):
        def found():
            mine = [record for record in self.records() if record["session"] == token]
            assert len(mine) <= 1, f"{len(mine)} records of one call"
            return mine and mine[0]

        return wait_until(found, seconds, "the call's record")

    @property
    def sip(self):
        return f"{in_uri(self.address)}:{self.sip_port}"
