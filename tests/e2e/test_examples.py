"""docs/examples/backend.py as a newcomer would run it: an outgoing call, an incoming one, and one that is rejected."""
import base64
import hashlib
import hmac
import http.client
import http.server
import json
import os
import re
import shutil
import subprocess
import threading
import time
import unittest

from harness import ALICE, BIN, BOB, DOMAIN, HERE, KEY, SLOW, TRUNK, E2eTest, Poll, Vas, dialling, die_with_parent, free_ports, server_folder, serving, wait_until


class ExampleTest(E2eTest):
    SECRET = "a secret of letters"

    @classmethod
    def edit_directory(cls, directory):
        cls.port = free_ports()
        directory["domains"][0]["profile"].update({
            "registration-free-control-endpoint": f"http://127.0.0.1:{cls.port}/incoming", "webhook-secret": cls.SECRET})

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.example = subprocess.Popen(
            ["/usr/bin/python3", HERE.parents[1] / "docs/examples/backend.py", str(cls.port)], stderr=subprocess.DEVNULL, preexec_fn=die_with_parent,
            env={**os.environ, "VAS": f"http://127.0.0.1:{cls.vas.http_port}", "VAS_KEY": KEY, "VAS_DOMAIN": DOMAIN,
                 "VAS_SECRET": cls.SECRET})

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

    def ask(self, method, path, body=b"", headers=()):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60 * SLOW)
        connection.request(method, path, body, headers={"Content-Length": str(len(body)), **dict(headers)})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, json.loads(text) if text else None

    def app(self, method, path):
        status, said = self.ask(method, path)
        self.assertIn(status, (200, 204))
        return said

    def notify(self, number, body, secret, at=None):
        """A notification as VAS sends it, signed with `secret`."""
        content, timestamp = json.dumps(body).encode(), str(int(at or time.time()))
        signature = base64.b64encode(hmac.new(secret, f"{number}.{timestamp}.".encode() + content, hashlib.sha256).digest()).decode()
        return self.ask("POST", "/incoming", content, {"webhook-id": number, "webhook-timestamp": timestamp, "webhook-signature": "v1,other v1," + signature})[0]


class ExampleBackend(ExampleTest):
    def test_an_outgoing_call(self):
        carrier = self.carrier("--tone", 440, "--seconds", 0)
        token = self.app("POST", f"/dial/{ALICE}/63121233333")["token"]
        alice = self.caller("alice", *dialling(self.vas, token, "--tone", 1000, "--seconds", 2))
        self.assertEqual((alice.result()["outcome"], carrier.result()["outcome"]), ("answered", "answered"))
        self.assert_heard(alice.wav, 440, 1000)
        record = self.vas.record_of(token)
        self.assertEqual((record["to"], record["disposition"]), ("63121233333", "ANSWERED"))

    def test_a_number_may_be_escaped_as_paths_are(self):
        token = self.app("POST", f"/dial/{ALICE}/%2B63121233333")["token"]
        self.assertEqual(self.vas.session(token)[1]["destination"], "+63121233333")

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

    def test_what_vas_refuses_the_app_is_told(self):
        status, said = self.ask("POST", "/dial/15559999/63121233333")  # nobody's number
        self.assertEqual((status, said["status"]), (404, 404))
        self.assertEqual(self.ask("POST", "/reject/" + "0" * 32)[0], 404)
        self.assertEqual(self.ask("GET", "/elsewhere")[0], 404)

    def test_what_is_not_signed_by_vas_rings_nowhere(self):
        call = {"dnid": "1", "session": "0" * 32, "caller-id": "2"}
        self.assertEqual(self.notify("a", call, b"another secret"), 401)
        self.assertEqual(self.notify("b", call, self.SECRET.encode(), at=time.time() - 3600), 401)
        self.assertEqual(self.ask("POST", "/incoming", json.dumps(call).encode(), {"webhook-id": "c"})[0], 401)
        self.assertEqual(self.notify("d", call, self.SECRET.encode()), 204)

    def test_vas_may_be_away_for_a_moment(self):
        answers = []
        self.vas.stop()
        asker = threading.Thread(target=lambda: answers.append(self.ask("POST", f"/dial/{ALICE}/63121233333")))
        asker.start()
        self.vas.start()
        asker.join(60 * SLOW)
        self.assertEqual(answers[0][0], 200, answers)


class LostAnswers(unittest.TestCase):
    """A VAS whose first answer is lost on its way, and what a proxy says in its place."""

    def setUp(self):
        self.keys, outer = [], self

        class InTheWay(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                outer.keys.append(self.headers["Idempotency-Key"])
                self.rfile.read(int(self.headers["Content-Length"]))
                if len(outer.keys) > 1:
                    self.send_response(502)
                    self.send_header("Content-Type", "text/html")
                    self.end_headers()
                    self.wfile.write(b"<html>Bad Gateway</html>")

            def log_message(self, *_):
                pass

        vas = serving(self, InTheWay)
        environment = {"VAS": f"http://127.0.0.1:{vas.server_port}", "VAS_KEY": "k", "VAS_DOMAIN": DOMAIN}
        code = f"import importlib.util as u; s = u.spec_from_file_location('b', {str(HERE.parents[1] / 'docs/examples/backend.py')!r}); b = u.module_from_spec(s); s.loader.exec_module(b)\n"
        self.asks = lambda call: json.loads(subprocess.run(["/usr/bin/python3", "-B", "-c", code + f"import json; print(json.dumps({call}))"], capture_output=True,
                                                           text=True, check=True, env={**os.environ, **environment}).stdout)

    def test_all_tries_have_one_key_and_the_next_request_has_another(self):
        self.assertEqual(self.asks('b.ask_vas("POST", "outgoing/1", {"destination": "2"})'), [502, {"detail": "What answered is not VAS."}])
        self.assertEqual(len(self.keys), 2, "asked again when the answer was lost, and believed when there was one")
        self.assertEqual(len(set(self.keys)), 1)
        self.assertRegex(self.keys[0], '^"[0-9a-f-]{36}"$')
        self.asks('b.ask_vas("POST", "outgoing/1", {"destination": "2"})')
        self.assertEqual(len(set(self.keys)), 2)


class SecretOfStandardWebhooks(ExampleTest):
    """`whsec_` and the key in base64."""

    KEY = b"\x00\x01 thirty-two bytes of a key.. \xff\xfe"
    SECRET = "whsec_" + base64.b64encode(KEY).decode()

    def test_is_decoded(self):
        call = {"dnid": "1", "session": "0" * 32, "caller-id": "2"}
        self.assertEqual(self.notify("a", call, self.KEY), 204)
        self.assertEqual(self.notify("b", call, self.SECRET.encode()), 401)


class ConfigurationPage(unittest.TestCase):
    """docs/configuration.md: who begins with its file begins well."""

    def test_its_file_is_good_and_has_every_key(self):
        text = re.search(r"```toml\n(.*?)```", (HERE.parents[1] / "docs/configuration.md").read_text(), re.S)[1]
        folder = server_folder()
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        (folder / "vas.toml").write_text(text)
        done = subprocess.run([BIN / "vas", "--check-config", "--config", folder / "vas.toml"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        flags = subprocess.run([BIN / "vas", "--help"], capture_output=True, text=True, check=True).stdout
        keys = set(re.findall(r"^  --([a-z0-9-]+)", flags, re.M)) - {"config", "check-config", "version"}
        self.assertEqual(keys, set(re.findall(r"^(?:# )?([a-z0-9-]+) = ", text, re.M)))


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
