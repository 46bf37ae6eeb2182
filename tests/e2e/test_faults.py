"""Faults of what a node stands on: a database that is frozen, a disk that is full, a journal with another byte. What
was acknowledged stays, nobody waits for ever, the node says what is wrong, and it mends by itself."""
import os
import signal
import subprocess
import time
import unittest

from harness import ALICE, DOMAIN, SLOW, TRUNK, E2eTest, Phone, Vas, wait_until
from postgres_lab import Postgres


def part(vas, name):
    """The state of a part, as /healthz tells it."""
    status, body = vas.request("GET", "/healthz")
    assert status == 200, body
    return {each["part"]: each["state"] for each in body["parts"]}[name]


def post(vas, timeout=20):
    """The status of a new session, and how long it took."""
    began = time.monotonic()
    status, _ = vas.request("POST", f"/calls/{DOMAIN}/outgoing/{ALICE}", {"destination": "1"}, timeout=timeout * SLOW)
    return status, time.monotonic() - began


class Call:
    """Two parties, connected."""

    def __init__(self, vas):
        self.carrier, self.alice = Phone(TRUNK, vas.sip), Phone("127.0.0.1", vas.sip)
        route = {"termination_ip": f"{TRUNK}:{self.carrier.port}", "termination_number": "9"}
        self.token = vas.make_outgoing(routing={"routes": [route]})["token"]
        self.alice.invite(self.token)
        invite = self.carrier.receive()
        self.carrier.answer(invite, 200, "OK", self.carrier.sdp())
        self.alice.ack(self.alice.final())
        wait_until(lambda: vas.session(self.token)[1]["status"] == "connected", 5, "the connection")

    def close(self):
        self.alice.close()
        self.carrier.close()


class FrozenDatabase(E2eTest):
    """Every process of the PostgreSQL server is stopped; its kernel goes on acknowledging."""

    @classmethod
    def setUpClass(cls):
        cls.postgres = Postgres()
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        try:
            super().tearDownClass()
        finally:
            cls.postgres.remove()

    @classmethod
    def place_server(cls, vas):
        vas.flags += ["--store", cls.postgres.url, "--node", "n1"]

    def freeze(self):
        postmaster = self.postgres.process.pid
        children = subprocess.run(["pgrep", "-P", str(postmaster)], capture_output=True, text=True).stdout.split()
        processes = [postmaster, *map(int, children)]
        for each in processes:
            os.kill(each, signal.SIGSTOP)
        return processes

    def test_nobody_waits_for_ever_and_the_node_says_so(self):
        vas = self.vas
        self.assertEqual(post(vas)[0], 200)
        processes = self.freeze()
        try:
            frozen_at = time.monotonic()
            wait_until(lambda: vas.request("GET", "/readyz")[0] == 503, 5, "that the node is not ready")
            self.assertLess(time.monotonic() - frozen_at, 2.5 * SLOW)
            wait_until(lambda: part(vas, "store") in ("stuck", "failing"), 2, "that the store is seen")
            self.assertIn("store (", vas.request("GET", "/readyz")[1]["detail"])
            self.assertEqual(part(vas, "control"), "well")
            for _ in range(2):
                status, seconds = post(vas)
                self.assertEqual(status, 503)
                self.assertLess(seconds, 5 * SLOW)
            began = time.monotonic()
            self.assertEqual(vas.request("GET", f"/calls/{DOMAIN}/sessions", timeout=20 * SLOW)[0], 503)
            self.assertLess(time.monotonic() - began, 5 * SLOW)
        finally:
            for each in processes:
                os.kill(each, signal.SIGCONT)
        wait_until(lambda: vas.request("GET", "/readyz")[0] == 200, 15, "that the node is ready again")
        self.assertEqual(post(vas)[0], 200)
        self.assertIn('vas_part_well{part="store"} 1', vas.text("/metrics"))


class FullDisk(E2eTest):
    def test_a_full_disk_is_not_ready_and_loses_no_record(self):
        folder = self.folder / "small"
        folder.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "none", folder], capture_output=True).returncode:
            self.skipTest("mounting a small disk needs root")
        vas = Vas(folder, self.backend.url)
        try:
            vas.start()
            call = Call(vas)
            ballast = folder / "ballast"
            try:
                with open(ballast, "wb", buffering=0) as out:
                    while out.write(b"x" * 4096) == 4096:
                        pass
            except OSError:
                pass
            full_at = time.monotonic()
            wait_until(lambda: vas.request("GET", "/readyz")[0] == 503, 5, "that the node is not ready")
            self.assertLess(time.monotonic() - full_at, 2.5 * SLOW)
            wait_until(lambda: part(vas, "journal") == "failing", 2, "that the journal is seen")
            self.assertEqual(call.alice.bye().status, 200)
            ballast.unlink()
            wait_until(lambda: vas.request("GET", "/readyz")[0] == 200, 10, "that the node is ready again")
            self.assertEqual(vas.record_of(call.token)["disposition"], "ANSWERED")
            self.assertEqual(post(vas)[0], 200)
            call.close()
        finally:
            self.assertEqual(vas.stop(), 0)
            subprocess.run(["umount", "-l", folder], check=True)


class DamagedJournal(E2eTest):
    def test_a_flipped_byte_costs_no_record(self):
        folder = self.folder / "flipped"
        folder.mkdir()
        vas = Vas(folder, self.backend.url).start()
        tokens = []
        for _ in range(3):
            call = Call(vas)
            tokens.append(call.token)
            call.close()
        vas.stop(signal.SIGKILL)
        journal = folder / "data/calls.journal"
        damaged = bytearray(journal.read_bytes())
        damaged[len(damaged) // 2] ^= 0xFF
        damaged[0] ^= 0xFF
        journal.write_bytes(damaged)
        vas.start()
        for token in tokens:
            self.assertEqual(vas.record_of(token)["termination_reason"], "node-failure")
            self.assertEqual(vas.session(token)[0], 404)
        self.assertIn("damaged in 2 places", vas.log_text())
        self.assertTrue((folder / "data/calls.journal.damaged").exists())
        self.assertEqual(vas.stop(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
