"""docs/examples/backend.py as a newcomer would run it: an outgoing call, an incoming one, and one that is rejected."""
import http.client
import json
import os
import re
import shutil
import subprocess
import unittest

from harness import ALICE, BOB, DOMAIN, HERE, KEY, TRUNK, E2eTest, Poll, Vas, dialling, die_with_parent, free_ports, server_folder, wait_until


class ExampleBackend(E2eTest):
    @classmethod
    def edit_directory(cls, directory):
        cls.port = free_ports()
        directory["domains"][0]["profile"]["registration-free-control-endpoint"] = f"http://127.0.0.1:{cls.port}/incoming"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.example = subprocess.Popen(
            ["/usr/bin/python3", HERE.parents[1] / "docs/examples/backend.py", str(cls.port)], stderr=subprocess.DEVNULL, preexec_fn=die_with_parent,
            env={**os.environ, "VAS": f"http://127.0.0.1:{cls.vas.http_port}", "VAS_KEY": KEY, "VAS_DOMAIN": DOMAIN})

        def listens():
            try:
                http.client.HTTPConnection("127.0.0.1", cls.port, timeout=1).connect()
                return True
            except OSError:
                return False
        wait_until(listens, 10, "the example's start")

    @classmethod
    def tearDownClass(cls):
        cls.example.kill()
        cls.example.wait()
        super().tearDownClass()

    def app(self, method, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request(method, path, headers={"Content-Length": "0"})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        self.assertIn(answer.status, (200, 204))
        return json.loads(text) if text else None

    def test_an_outgoing_call(self):
        carrier = self.carrier("--tone", 440, "--seconds", 0)
        token = self.app("POST", f"/dial/{ALICE}/63121233333")["token"]
        alice = self.caller("alice", *dialling(self.vas, token, "--tone", 1000, "--seconds", 2))
        self.assertEqual((alice.result()["outcome"], carrier.result()["outcome"]), ("answered", "answered"))
        self.assert_heard(alice.wav, 440, 1000)
        record = self.vas.record_of(token)
        self.assertEqual((record["to"], record["disposition"]), ("63121233333", "ANSWERED"))

    def test_an_incoming_call_is_picked_up(self):
        caller = self.caller("trunk", "--listen", f"{TRUNK}:0", "--from", "+15155558484", "--dial", f"sip:{BOB}@{self.vas.sip}", "--tone", 440, "--seconds", 0)
        call = self.app("GET", f"/wait/{BOB}")
        self.assertEqual(call["caller"], "+15155558484")
        poll = Poll(self.vas, call["token"])
        wait_until(lambda: self.vas.session(call["token"])[1]["status"] == "ringing", 5, "the ringing")
        bob = self.caller("bob", *dialling(self.vas, call["token"], "--tone", 1000, "--seconds", 2))
        self.assertEqual((bob.result()["outcome"], caller.result()["outcome"]), ("answered", "answered"))
        self.assertEqual(poll.wait(), (200, {"status": "connected"}))
        self.assert_heard(caller.wav, 1000, 440)

    def test_an_incoming_call_is_rejected(self):
        caller = self.caller("trunk", "--listen", f"{TRUNK}:0", "--dial", f"sip:{BOB}@{self.vas.sip}")
        call = self.app("GET", f"/wait/{BOB}")
        self.app("POST", f"/reject/{call['token']}")
        self.assertEqual(caller.result()["status"], 486)


class Walkthrough(unittest.TestCase):
    """The curl commands of docs/api.md, in their order, on a node that nobody has set up."""

    def test_each_command_does_what_the_page_says(self):
        folder = server_folder()
        vas = Vas(folder)
        vas.directory = None
        vas.start()
        try:
            key_file = folder / "data/system.key"
            self.assertEqual(key_file.stat().st_mode & 0o777, 0o600)
            commands = "".join(re.findall(r"```\n(curl.*?)```", (HERE.parents[1] / "docs/api.md").read_text(), re.S))
            self.assertEqual(commands.count("curl "), 6)
            done = subprocess.run(["bash", "-ec", commands.replace("curl ", "curl -w '\\n%{http_code}\\n' ")], capture_output=True, text=True,
                                  env={**os.environ, "KEY": key_file.read_text().strip(), "VAS": f"http://127.0.0.1:{vas.http_port}"})
            self.assertEqual(done.returncode, 0, done.stderr)
            lines = done.stdout.splitlines()
            self.assertEqual(lines[1::2], ["201"] * 5 + ["200"], done.stdout)
            session = json.loads(lines[-2])
            self.assertEqual((session["destination"], session["subscriberId"]), ("63121233333", 1))
            vas.stop()
            vas.start()  # all of it is there afterwards, with the same key
            status, found = vas.request("GET", f"/calls/example.com/sessions/{session['token']}", key=key_file.read_text().strip())
            self.assertEqual((status, found["timeLimit"]), (200, 7205))
        finally:
            vas.stop()
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    unittest.main(verbosity=2)
