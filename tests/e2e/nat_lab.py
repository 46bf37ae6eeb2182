"""Calls of a browser across a NAT."""
import time

from browser_lab import bundle
from harness import DOMAIN, Caller, E2eTest, free_ports, write_tone
from hosts import Hosts
from phone_page import PhonePage


class NatLab(E2eTest):
    """Host "nat" translates for host "c"; the carrier is on host
    `CARRIER`, the browser (this process) on host `BROWSER`."""

    HOSTS = ("nat", "b")
    BROWSER, CARRIER = "c", "b"
    CARRIER_ADDRESS = "10.78.2.1"

    @classmethod
    def setUpClass(cls):
        bundle()  # while there is a network
        cls.hosts = Hosts(cls.HOSTS)
        cls.addClassCleanup(cls.hosts.close)
        cls.hosts.add_behind("nat", "c")
        cls.hosts.enter(cls.BROWSER)
        cls.translate("masquerade")
        super().setUpClass()
        write_tone(cls.folder / "tone.wav", 1000, 48000, 20)

    @classmethod
    def translate(cls, how):
        cls.nft("delete table ip nat", check=False)
        cls.nft("add table ip nat")
        cls.nft("add chain ip nat out { type nat hook postrouting priority 100 ; }")
        cls.nft(f"add rule ip nat out oifname if-nat {how}")

    @classmethod
    def nft(cls, *command, check=True):
        cls.hosts.run("nat", "nft", *command, check=check)

    def call(self):
        carrier = Caller(
            self.folder,
            f"{self._testMethodName}-{time.monotonic_ns()}",
            "--listen",
            f"{self.CARRIER_ADDRESS}:{free_ports()}",
            "--tone",
            440,
            "--seconds",
            0,
            wrapper=self.hosts.wrapper(self.CARRIER),
        )
        self.addCleanup(carrier.kill)
        plan = {"routes": [{"termination_ip": carrier.sip, "termination_number": "999"}]}
        token = self.vas.make_outgoing(routing=plan)["token"]
        origin = f"http://{self.vas.address}:{self.vas.http_port}"
        page = PhonePage(
            self.vas, token, self.folder / "tone.wav", [f"--unsafely-treat-insecure-origin-as-secure={origin}"]
        )
        self.addCleanup(page.stop)
        page.click("call")
        page.wait_for("up")
        return page, carrier, token

    def end(self, carrier, token, least=0.95):
        """`least`: of what the carrier heard, how much is to be the browser's tone; gaps make noise."""
        self.assertEqual(self.vas.request("DELETE", f"/calls/{DOMAIN}/sessions/{token}")[0], 204)
        self.assertEqual(carrier.result()["ended_by"], "them")
        self.assert_heard(carrier.wav, 1000, 440, least)
        return self.vas.record_of(token)["legs"]
