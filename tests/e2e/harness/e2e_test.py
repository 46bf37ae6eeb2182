"""The tests' base."""
import contextlib
import http.server
import shutil
import subprocess
import threading
import time
import unittest

from .audio import tone_share
from .backend import Backend
from .caller import Caller
from .phone import Phone
from .processes import server_folder
from .server import Vas
from .settings import SLOW, TRUNK
from .waiting import wait_until


def serving(test, handler):
    """An HTTP server that answers by `handler`, until `test` is over."""
    server = http.server.HTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    test.addCleanup(server.server_close)
    test.addCleanup(server.shutdown)
    return server


class E2eTest(unittest.TestCase):
    """One server and one backend for a class of tests."""

    profile, flags, backend_address = {}, (), "127.0.0.1"

    @classmethod
    def setUpClass(cls):
        cls.folder = server_folder()
        cls.backend = Backend(cls.backend_address)
        cls.vas = Vas(cls.folder, cls.backend.url, cls.profile, flags=cls.flags)
        cls.place_server(cls.vas)
        cls.edit_directory(cls.vas.directory)
        cls.vas.start()

    @classmethod
    def place_server(cls, vas):
        """For tests whose server is on another host: its address, and what it is started by."""

    @classmethod
    def edit_directory(cls, directory):
        """For tests whose tenants, domains or keys are others than the usual ones."""

    @classmethod
    def tearDownClass(cls):
        code = cls.vas.stop()
        cls.backend.stop()
        log = cls.vas.log_text()
        if code not in (0, None) or "Sanitizer" in log:
            raise AssertionError(f"vas ended with {code}:\n{log[-6000:]}")
        shutil.rmtree(cls.folder, ignore_errors=True)

    def setUp(self):
        self.backend.answer = 204
        self.backend.callback_answer = lambda path, body: 200
        self.backend.notifications.clear()
        self.backend.callbacks.clear()
        self.backend.posts.clear()
        self.addCleanup(self.show_log_on_failure)

    def show_log_on_failure(self):
        failed = any(
            getattr(each, "test_case", each) is self
            for each, _ in [*self._outcome.result.failures, *self._outcome.result.errors]
        )
        if failed:
            print(f"--- vas.log of {self.id()}\n{self.vas.log_text()[-3000:]}", flush=True)

    def scripted(self, address="127.0.0.1"):
        phone = Phone(address, self.vas.sip)
        self.addCleanup(phone.close)
        return phone

    def far_phone(self):
        """A scripted carrier with a port of its own, and the token of a session that is routed to it."""
        far = self.scripted(TRUNK)
        plan = {"routes": [{"termination_ip": f"{TRUNK}:{far.port}", "termination_number": "999"}]}
        return far, self.vas.make_outgoing(routing=plan)["token"]

    def caller(self, name, *flags):
        caller = Caller(self.folder, f"{self._testMethodName}-{name}", *flags)
        self.addCleanup(caller.kill)
        return caller

    def carrier(self, *flags):
        """vas-caller as the carrier that outgoing calls reach. The one before it has the port until it has ended."""
        if getattr(self, "last_carrier", None):
            self.last_carrier.process.wait(10 * SLOW)
        self.last_carrier = self.caller("carrier", "--listen", f"{TRUNK}:{self.vas.trunk_port}", *flags)
        return self.last_carrier

    def serving(self, handler):
        return serving(self, handler)

    def assert_key_updates_are_cut(self, port):
        """A TLS connection that only renews its keys is closed at once, and not when it has been idle for long."""
        client = subprocess.Popen(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_3"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.addCleanup(client.wait)
        self.addCleanup(client.kill)
        begun = time.monotonic()
        with contextlib.suppress(BrokenPipeError):
            while client.poll() is None and time.monotonic() - begun < 6 * SLOW:
                client.stdin.write(b"k\n")  # a KeyUpdate
                client.stdin.flush()
                time.sleep(0.01)
        self.assertIsNotNone(client.wait(1 * SLOW))

    def notification(self):
        return wait_until(lambda: self.backend.notifications, 10, "the notification")[0][0]

    def assert_heard(self, path, theirs, own, least=0.95):
        self.assertGreater(tone_share(path, theirs), least, f"{path}: the other party's {theirs} Hz")
        self.assertLess(tone_share(path, own), 0.01, f"{path}: its own {own} Hz")
