"""Two nodes on one PostgreSQL: a call parked on one is picked up,
polled for and deleted through the other; and the database goes away."""
import os
import re
import shutil
import time
import unittest

from harness import (
    ALICE,
    BOB,
    DOMAIN,
    TRUNK,
    Backend,
    Phone,
    Poll,
    StreamPhone,
    Vas,
    free_ports,
    server_folder,
    wait_until,
)
from postgres_lab import Postgres


class Node(Vas):
    def __init__(self, folder, name, backend_url, database, trunk_port):
        super().__init__(folder, backend_url, trunk_port=trunk_port)
        self.flags += ["--store", database, "--node", name, "--sip-offences", "0"]


class Cluster(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = server_folder()
        cls.database = Postgres()
        cls.backend = Backend()
        cls.nodes = []
        trunk_port = free_ports()
        for name in ("one", "two"):
            (cls.folder / name).mkdir()
            if cls.nodes:  # the key that the first has made
                (cls.folder / name / "data").mkdir()
                shutil.copy(cls.folder / "one/data/store.key", cls.folder / name / "data")
            cls.nodes.append(Node(cls.folder / name, name, cls.backend.url, cls.database.url, trunk_port).start())
        cls.one, cls.two = cls.nodes

    @classmethod
    def tearDownClass(cls):
        codes = [node.stop() for node in cls.nodes]
        cls.backend.stop()
        cls.database.remove()
        logs = "".join(node.log_text() for node in cls.nodes)
        if any(code not in (0, None) for code in codes) or "Sanitizer" in logs:
            raise AssertionError(f"vas ended with {codes}:\n{logs[-6000:]}")
        shutil.rmtree(cls.folder, ignore_errors=True)

    def setUp(self):
        self.backend.answer = 204
        self.backend.notifications.clear()
        self.backend.callbacks.clear()
        self.addCleanup(self.show_logs_on_failure)

    def show_logs_on_failure(self):
        if (
            any(error for _, error in getattr(self._outcome, "errors", []) if error)
            or getattr(self._outcome.result, "failures", None)
            and self._outcome.result.failures[-1][0] is self
        ):
            for node in self.nodes:
                print(f"--- {node.folder.name}\n{node.log_text()[-2500:]}", flush=True)

    def phone(self, node, address="127.0.0.1", kind=Phone):
        phone = kind(address, node.sip)
        self.addCleanup(phone.close)
        return phone

    def park(self, node):
        """A call from the trunk that waits at `node`; its token is known at both."""
        trunk = self.phone(node, TRUNK)
        trunk.invite(user=BOB)
        token = wait_until(lambda: self.backend.notifications, 10, "the notification")[0][0]["session"]
        for each in self.nodes:
            wait_until(
                lambda: each.session(token)[0] == 200 and each.session(token)[1]["status"] == "ringing",
                10,
                "the replica",
            )
        return trunk, token

    def test_a_call_parked_on_one_is_picked_up_through_the_other(self):
        for kind in (Phone, StreamPhone):
            with self.subTest(kind=kind.__name__):
                self.backend.notifications.clear()
                trunk, token = self.park(self.one)
                poll = Poll(self.two, token)
                near = self.phone(self.two, kind=kind)
                near.invite(token)
                answer = near.final()
                self.assertEqual(answer.status, 200)
                self.assertIn("Record-Route", "\n".join(answer.lines))
                near.route = answer.header("Record-Route")
                self.ack(near, answer)
                picked_up = trunk.final()
                self.assertEqual(picked_up.status, 200)
                trunk.ack(picked_up)
                self.assertEqual(poll.wait(), (200, {"status": "connected"}))
                self.assertEqual(self.two.session(token)[1]["node"], "one")
                near.send("INFO", headers=[f"Route: {near.route}", "Content-Type: application/dtmf-relay"])
                info = trunk.receive()
                self.assertEqual(info.method, "INFO")
                trunk.answer(info, 200, "OK")
                self.assertEqual(near.final().status, 200)
                near.send("BYE", headers=[f"Route: {near.route}"])
                self.assertEqual(near.final().status, 200)
                record = self.one.record_of(token)
                self.assertEqual((record["disposition"], record["node"]), ("ANSWERED", "one"))
                wait_until(lambda: self.two.session(token)[0] == 404, 5, "the replica's end")
                leg = next(each for each in record["legs"] if each["role"] == "callee")
                self.assertEqual(leg["signaling_address"], f"127.0.0.1:{near.port}")  # the phone's, not the node's
                self.assertEqual(leg["transport"], near.via_transport.lower())

    def ack(self, near, answer):
        near.remote_to = answer.header("To")
        near.target = re.search(r"<([^>]+)>", answer.header("Contact")).group(1)
        near.send("ACK", cseq=near.cseq, headers=[f"Route: {answer.header('Record-Route')}"])

    def test_hang_up_from_the_other_side_finds_the_phone_through_its_node(self):
        trunk, token = self.park(self.one)
        near = self.phone(self.two)
        near.invite(token)
        answer = near.final()
        self.ack(near, answer)
        self.assertEqual(trunk.final().status, 200)
        self.assertEqual(
            self.two.request("DELETE", f"/calls/{DOMAIN}/sessions/{token}")[0], 204
        )  # at the node without the call
        bye = near.receive()
        self.assertEqual(bye.method, "BYE")
        near.answer(bye, 200, "OK")
        self.assertEqual(self.one.record_of(token)["ended_by"], "system")

    def test_a_repeated_post_finds_its_session_at_the_other_node(self):
        def make(node, key):
            return node.request(
                "POST", f"/calls/{DOMAIN}/outgoing/{ALICE}", {"destination": "1"}, fields={"Idempotency-Key": key}
            )

        _, session = make(self.one, "k")
        wait_until(lambda: self.two.session(session["token"])[0] == 200, 5, "the replica")
        self.assertEqual(make(self.two, "k")[1]["token"], session["token"])
        self.assertEqual(self.two.request("DELETE", f"/calls/{DOMAIN}/sessions/{session['token']}")[0], 204)
        wait_until(lambda: self.two.session(session["token"])[0] == 404, 5, "the end")
        self.assertEqual([make(node, "k")[0] for node in (self.one, self.two)], [409, 409])

    def test_delete_and_patch_at_the_other_node(self):
        trunk, token = self.park(self.one)
        change = {"timeLimit": 77, "callTimeout": 600, "callback": self.backend.url + "/status"}
        status, session = self.two.request("PATCH", f"/calls/{DOMAIN}/sessions/{token}", change)
        self.assertEqual((status, {name: session[name] for name in change}), (200, change))
        self.assertEqual({name: self.one.session(token)[1][name] for name in change}, change)
        self.assertEqual(
            self.two.request("PATCH", f"/calls/{DOMAIN}/sessions/{token}", {"callback": "ftp://a.example"})[0], 400
        )
        wait_until(lambda: [body["callTimeout"] for body, _ in self.backend.callbacks] == [600], 5, "the callback")
        change = {"callTimeout": None, "callback": None}
        status, session = self.two.request("PATCH", f"/calls/{DOMAIN}/sessions/{token}", change)
        self.assertEqual((status, session["callTimeout"], session["callback"]), (200, None, None))
        poll = Poll(self.two, token)
        time.sleep(0.3)
        self.assertEqual(self.two.request("DELETE", f"/calls/{DOMAIN}/sessions/{token}?reason=busy")[0], 204)
        self.assertEqual(trunk.final().status, 486)
        self.assertEqual(poll.wait()[0], 205)
        wait_until(lambda: self.two.session(token)[0] == 404, 5, "the end at the other node")

    def test_a_cancelled_invite_is_cancelled_where_it_went(self):
        trunk = self.phone(self.one, TRUNK)
        routes = {"routes": [{"termination_ip": f"{TRUNK}:{trunk.port}", "termination_number": "9"}]}
        token = self.one.make_outgoing(routing=routes)["token"]
        near = self.phone(self.two)
        near.invite(token)
        request = trunk.receive()
        trunk.answer(request, 180, "Ringing")
        while near.receive().status != 180:
            pass
        near.send("CANCEL", cseq=near.cseq, branch=near.branch)
        statuses = {near.final().status, near.final().status}
        self.assertEqual(statuses, {200, 487})
        cancel = trunk.receive()
        self.assertEqual(cancel.method, "CANCEL")

    def test_a_session_made_at_one_is_dialled_at_the_other_at_once(self):
        for _ in range(20):
            trunk = self.phone(self.one, TRUNK)
            routes = {"routes": [{"termination_ip": f"{TRUNK}:{trunk.port}", "termination_number": "9"}]}
            near = self.phone(self.two)
            near.invite(self.one.make_outgoing(routing=routes)["token"])
            trunk.answer(trunk.receive(), 486, "Busy Here")
            self.assertEqual(near.final().status, 486)

    def test_the_directory_is_one(self):
        status, made = self.one.request("POST", f"/domains/{DOMAIN}/subscribers", {"msisdn": "15559999"})
        self.assertEqual(status, 201, made)
        found = wait_until(
            lambda: self.two.request("POST", f"/calls/{DOMAIN}/outgoing/15559999", {"destination": "1"})[0] == 200,
            5,
            "the subscriber at the other node",
        )
        self.assertTrue(found)
        status, other = self.two.request("POST", f"/domains/{DOMAIN}/subscribers", {"msisdn": "15559998"})
        self.assertNotEqual(made["id"], other["id"])
        self.assertEqual(self.two.request("DELETE", f"/domains/{DOMAIN}/subscribers/15559999")[0], 204)
        wait_until(
            lambda: self.one.request("GET", f"/domains/{DOMAIN}/subscribers/15559999")[0] == 404, 5, "its removal"
        )

    def test_a_token_that_nobody_knows_is_refused_everywhere(self):
        for node in self.nodes:
            stranger = self.phone(node)
            stranger.invite("e" * 32)
            self.assertEqual(stranger.final().status, 403)

    def test_the_database_goes_away_and_comes_back(self):
        trunk = self.phone(self.one, TRUNK)
        routes = {"routes": [{"termination_ip": f"{TRUNK}:{trunk.port}", "termination_number": "9"}]}
        up, waiting, elsewhere = (self.one.make_outgoing(routing=routes)["token"] for _ in range(3))
        near = self.phone(self.one)
        near.invite(up)
        trunk.answer(trunk.receive(), 200, "OK", trunk.sdp())
        answer = near.final()
        near.ack(answer)
        wait_until(lambda: self.two.session(elsewhere)[0] == 200, 5, "the replica")
        self.database.stop()
        try:
            time.sleep(3)
            status, problem = self.one.request("POST", f"/calls/{DOMAIN}/outgoing/{15550001}", {"destination": "1"})
            self.assertEqual(status, 503, "what could not be stored was acknowledged")
            for token, node in ((waiting, self.one), (elsewhere, self.two)):  # admitted from memory, at either node
                caller = self.phone(node)
                caller.invite(token)
                request = trunk.receive(10)
                while request.method != "INVITE":
                    request = trunk.receive(10)
                trunk.answer(request, 486, "Busy Here")
                self.assertEqual(caller.final(15).status, 486)
            near.send("BYE")  # the call that was up
            self.assertEqual(near.final().status, 200)
            self.assertEqual(self.one.record_of(up)["disposition"], "ANSWERED")
            time.sleep(float(os.environ.get("VAS_OUTAGE_SECONDS", "3")))
        finally:
            self.database.start()
        wait_until(
            lambda: self.one.request("POST", f"/calls/{DOMAIN}/outgoing/15550001", {"destination": "1"})[0] == 200,
            20,
            "sessions being stored again",
        )
        fresh = self.one.make_outgoing()["token"]
        wait_until(lambda: self.two.session(fresh)[0] == 200, 10, "the other node hearing again")
        for token in (up, waiting, elsewhere):
            wait_until(lambda: self.two.session(token)[0] == 404, 10, "the ends that were written meanwhile")


if __name__ == "__main__":
    unittest.main(verbosity=2)
