"""kill -9 at many random points under load: what was acknowledged is there afterwards, once.

VAS_KILLS sets how often (200 in ./test); VAS_SEED repeats a run.
"""
import collections
import http.client
import json
import os
import random
import signal
import threading
import time
import unittest

from api_harness import KEYS, MSISDN, ApiTest
from harness import Phone, wait_until

KILLS = int(os.environ.get("VAS_KILLS", "200"))
SEED = int(os.environ.get("VAS_SEED", random.SystemRandom().randrange(1 << 30)))
NO_ROUTE = {"routes": []}  # a call that ends at once, with 404


class Ledger:
    """What the server has acknowledged, as its clients saw it."""

    def __init__(self):
        self.lock = threading.Lock()
        self.alive = {}  # token -> the session as it was answered last
        self.unsure = set()  # a change was sent and not answered: either way is right
        self.ended = set()
        self.limits = collections.defaultdict(list)  # token -> timeLimits whose PATCH was answered
        self.dialled = set()  # tokens whose INVITE got a final answer of its call
        self.tried = set()  # tokens that were ever dialled
        self.faults = []  # wrong answers


class Worker(threading.Thread):
    """A backend that makes, changes and ends sessions until its server dies."""

    def __init__(self, test, ledger, seed):
        super().__init__(daemon=True)
        self.test, self.ledger, self.random = test, ledger, random.Random(seed)
        self.start()

    def run(self):
        self.connection = http.client.HTTPConnection("127.0.0.1", self.test.vas.http_port, timeout=10)
        try:
            while True:
                self.step()
        except (OSError, http.client.HTTPException):
            return  # the server is gone; what was under way stays unsure
        except AssertionError as fault:
            self.ledger.faults.append(str(fault))
        finally:
            self.connection.close()

    def request(self, method, path, body=None):
        self.connection.request(
            method,
            path,
            None if body is None else json.dumps(body),
            {"Authorization": "Bearer " + KEYS["system"], "Content-Type": "application/json"},
        )
        response = self.connection.getresponse()
        text = response.read()
        return response.status, json.loads(text) if text else None

    def step(self):
        ledger = self.ledger
        with ledger.lock:
            mine = [token for token in ledger.alive if token not in ledger.unsure and token not in ledger.tried]
        action = self.random.random()
        if action < 0.5 or not mine:
            status, session = self.request(
                "POST",
                f"/calls/example.com/outgoing/{MSISDN}",
                {"destination": "1", "routing": NO_ROUTE, "callback": self.test.backend.url + "/status"},
            )
            assert status == 200, session
            with ledger.lock:
                ledger.alive[session["token"]] = session
            return
        token = self.random.choice(mine)
        path = f"/calls/example.com/sessions/{token}"
        with ledger.lock:
            if token in ledger.unsure or token in ledger.tried or token not in ledger.alive:
                return  # another worker was quicker
            ledger.unsure.add(token)
        if action < 0.75:
            limit = self.random.randrange(1, 86400)
            status, session = self.request("PATCH", path, {"timeLimit": limit})
            assert status == 200, session
            with ledger.lock:
                ledger.limits[token].append(limit)
                ledger.alive[token] = session
                ledger.unsure.discard(token)
        elif action < 0.9:
            status, _ = self.request("DELETE", path)
            assert status == 204, status
            with ledger.lock:
                ledger.alive.pop(token)
                ledger.unsure.discard(token)
                ledger.ended.add(token)
        else:
            self.dial(token)

    def dial(self, token):
        """Its route refuses at once: the call has its record when the caller has its answer."""
        ledger = self.ledger
        with ledger.lock:
            ledger.tried.add(token)
        phone = Phone("127.0.0.1", self.test.vas.sip, rtp_port=0)
        try:
            phone.invite(headers=[f"X-Cloudonix-Session: {token}", "X-Cloudonix-Domain: example.com"])
            answer = phone.final(0.3)  # quick, so that a kill does not hold up the test
            phone.ack(answer)
        except OSError:
            return
        finally:
            phone.close()
        assert answer.status not in (200, 403), f"the call of a token that lives got {answer.status}"
        with ledger.lock:
            ledger.dialled.add(token)


class Kill9(ApiTest):
    @classmethod
    def edit_directory(cls, directory):
        super().edit_directory(directory)
        directory["domains"][0]["profile"].update({"session-ttl": 86400, "api-requests-per-second": 1000000})

    def test_nothing_acknowledged_is_lost_or_doubled(self):
        print(f"seed {SEED}, {KILLS} kills", flush=True)
        chance, ledger = random.Random(SEED), Ledger()
        self.backend.callback_answer = lambda path, body: 204 if chance.random() > 0.05 else 503
        for kill in range(KILLS):
            workers = [Worker(self, ledger, chance.random()) for _ in range(4)]
            time.sleep(chance.uniform(0.005, 0.35))
            self.vas.stop(signal.SIGKILL)
            for worker in workers:
                worker.join(15)
                self.assertFalse(worker.is_alive())
            self.assertEqual(ledger.faults, [])
            if chance.random() < 0.3:  # and once more while it recovers
                self.vas.launch()
                time.sleep(chance.uniform(0, 0.06))
                self.vas.stop(signal.SIGKILL)
            self.vas.start()
            if kill % 10 == 9:
                self.check_sessions(ledger)
        self.check_sessions(ledger)
        self.check_callbacks(ledger)
        self.check_records(ledger)
        print(
            f"{len(ledger.alive)} sessions alive, {len(ledger.ended)} ended, {sum(map(len, ledger.limits.values()))} changes, "
            f"{len(ledger.tried)} calls, {len(self.backend.callbacks)} callbacks",
            flush=True,
        )

    def stored(self):
        """All sessions of the domain, page by page; none twice."""
        path, sessions = "/calls/example.com/sessions?limit=5000", {}
        while path:
            answer = self.call("GET", path)
            self.assertEqual(answer.status, 200, answer.body)
            for session in answer.json:
                self.assertFalse(session["token"] in sessions, "listed twice")
                sessions[session["token"]] = session
            link = answer.headers["Link"]
            path = link[1 : link.index(">")] if link else None
        return sessions

    def check_sessions(self, ledger):
        stored = self.stored()
        for token, session in ledger.alive.items():
            if token in ledger.unsure or token in ledger.tried:
                continue
            self.assertTrue(token in stored, f"the acknowledged session {token} is lost")
            self.assertEqual(stored[token]["timeLimit"], session["timeLimit"], "an acknowledged change is lost")
        for token in ledger.ended | ledger.dialled:
            self.assertFalse(token in stored, f"the ended session {token} came back")

    def check_callbacks(self, ledger):
        wait_until(
            lambda: b"\nvas_callbacks_waiting 0\n" in self.call("GET", "/metrics").body,
            120,
            "the delivery of all callbacks",
        )
        events = collections.defaultdict(list)
        bodies = {}
        for body, headers in self.backend.callbacks:
            number = headers["webhook-id"]
            self.assertEqual(bodies.setdefault(number, body), body, "one webhook-id, two contents")
            events[body["token"]].append(body)
        for token, bodies_of in events.items():
            firsts = list(dict.fromkeys(int(body["eventId"].rpartition("-")[2]) for body in bodies_of))
            self.assertEqual(firsts, sorted(firsts), "out of order")
        for token, limits in ledger.limits.items():
            told = [body["timeLimit"] for body in events[token] if body["action"] == "updated"]
            self.assertLessEqual(set(limits), set(told), "an acknowledged change was never told")
        for token in ledger.ended | ledger.dialled:
            self.assertTrue(
                any(body["action"] == "deleted" for body in events[token]), "an acknowledged end was never told"
            )

    def check_records(self, ledger):
        wait_until(lambda: ledger.dialled <= {record["session"] for record in self.vas.records()}, 10, "the records")
        counts = collections.Counter(record["session"] for record in self.vas.records())
        self.assertEqual([token for token, count in counts.items() if count > 1], [], "a call with two records")
        ids = [record["id"] for record in self.vas.records()]
        self.assertEqual(len(ids), len(set(ids)))
        self.assertLessEqual(set(counts), ledger.tried)


if __name__ == "__main__":
    unittest.main(verbosity=2)
