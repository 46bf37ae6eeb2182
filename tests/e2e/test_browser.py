"""Chromium with JsSIP over WebSocket and secure WebSocket: it registers nothing and presents a token."""
import unittest

from browser_lab import Browser, Pages
from harness import DOMAIN, wait_until
from test_gateway import GatewayTest


class BrowserSignaling(GatewayTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pages = Pages()

    @classmethod
    def tearDownClass(cls):
        cls.pages.stop()
        super().tearDownClass()

    def browser(self, secure, plain):
        browser = Browser(f"{self.pages.url}/signaling.html")
        self.addCleanup(browser.stop)
        scheme, port = ("wss", self.vas.wss_port) if secure else ("ws", self.vas.ws_port)
        browser.run("start(arguments[0], arguments[1])", f"{scheme}://127.0.0.1:{port}/", plain)
        self.wait_for(browser, "connected")
        return browser

    def wait_for(self, browser, name):
        def found():
            return [detail or {} for each, detail in browser.run("return events") if each == name]

        return wait_until(found, 15, f"the browser's `{name}`")[-1]

    def dial(self, browser, token):
        browser.run(
            "call(arguments[0], arguments[1])",
            f"sip:any@{self.vas.sip}",
            [f"X-Cloudonix-Session: {token}", f"X-Cloudonix-Domain: {DOMAIN}"],
        )

    def test_a_call_with_info_both_ways_ended_by_the_server_over_ws_and_wss(self):
        for secure in (False, True):
            with self.subTest(secure=secure):
                far, token = self.far_phone()
                browser = self.browser(secure, plain=True)
                self.dial(browser, token)
                request = far.receive(10)
                far.answer(request, 180, "Ringing")
                self.wait_for(browser, "progress")
                far.answer(request, 200, "OK", far.sdp())
                self.wait_for(browser, "confirmed")
                self.assertEqual(far.receive().method, "ACK")
                far.call_id, far.remote_to, far.cseq = request.header("Call-ID"), request.header("From"), 0
                far.target = request.header("Contact").strip("<>")

                browser.run("session.sendInfo('application/dtmf-relay', 'Signal=5\\r\\nDuration=160\\r\\n')")
                info = far.receive()
                self.assertEqual((info.method, info.body.split()[0]), ("INFO", "Signal=5"))
                far.answer(info, 200, "OK")

                self.assertEqual(self.vas.request("DELETE", f"/calls/{DOMAIN}/sessions/{token}")[0], 204)
                ended = self.wait_for(browser, "ended")
                self.assertEqual((ended["by"], ended["cause"]), ("remote", "Terminated"))
                bye = far.receive()
                self.assertEqual(bye.method, "BYE")
                far.answer(bye, 200, "OK")
                record = self.vas.record_of(token)
                self.assertEqual(
                    (record["disposition"], record["legs"][0]["transport"]), ("ANSWERED", "wss" if secure else "ws")
                )
                self.assertIn("JsSIP", record["legs"][0]["user_agent"])

    def test_the_browser_hangs_up(self):
        far, token = self.far_phone()
        browser = self.browser(False, plain=True)
        self.dial(browser, token)
        far.answer(far.receive(10), 200, "OK", far.sdp())
        self.wait_for(browser, "confirmed")
        browser.run("session.terminate()")
        while (bye := far.receive()).method != "BYE":
            pass
        far.answer(bye, 200, "OK")
        self.assertEqual(self.vas.record_of(token)["ended_by"], "caller")

    def test_a_bad_token_is_refused(self):
        browser = self.browser(True, plain=False)
        self.dial(browser, "f" * 32)
        self.assertEqual(self.wait_for(browser, "failed")["status"], 403)


if __name__ == "__main__":
    unittest.main(verbosity=2)
