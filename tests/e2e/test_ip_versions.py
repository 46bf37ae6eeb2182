"""Callers that have nothing but IPv6, a browser among them, and carriers of either version, plain and encrypted."""
import time
import unittest

from browser_lab import bundle
from harness import DOMAIN, Baresip, E2eTest, free_ports, in_uri, wait_until, write_tone
from hosts import Hosts
from phone_page import PhonePage

CALLER, SERVER, CARRIERS = "fd00:78:1::1", "fd00:78:1::2", {4: "10.78.2.1", 6: "fd00:78:2::1"}
# The carrier's IP version, what its trunk says, what it is; and the suite that the record names.
KINDS = {
    "71": (4, {}, {}, None),
    "72": (6, {}, {}, None),
    "73": (4, {"mediaEncryption": "required"}, {"encryption": "srtp-mand"}, "AEAD_AES_128_GCM"),
    "74": (6, {"mediaEncryption": "required"}, {"encryption": "srtp-mand"}, "AEAD_AES_128_GCM"),
    "75": (4, {"mediaEncryption": "required", "mediaKeying": "dtls"}, {"encryption": "dtls_srtp"}, "AEAD_AES_128_GCM"),
    "76": (
        6,
        {"mediaEncryption": "required", "mediaKeying": "dtls", "ice": "lite"},
        {"encryption": "dtls_srtp", "nat": "ice"},
        "AEAD_AES_128_GCM",
    ),
}


class IpVersions(E2eTest):
    @classmethod
    def setUpClass(cls):
        bundle()  # while there is a network
        cls.hosts = Hosts(("a", "b"))
        cls.addClassCleanup(cls.hosts.close)
        cls.hosts.run("a", "ip", "-4", "address", "flush", "dev", "if-a")
        super().setUpClass()
        write_tone(cls.folder / "tone.wav", 1000, 48000, 20)

    @classmethod
    def place_server(cls, vas):
        vas.address, vas.wrapper = SERVER, cls.hosts.wrapper()
        vas.ws_port = free_ports()
        vas.flags += [
            "--sip-listen",
            f"10.78.2.2:{vas.sip_port}",
            "--ws-listen",
            f"{in_uri(SERVER)}:{vas.ws_port}",
            "--media-bind",
            "10.78.2.2",
            "--media-bind6",
            SERVER,
            "--srtp-keys-over-plain-sip",
            "true",
        ]
        cls.carriers = {}
        for number, (prefix, (version, trunk, phone, _)) in enumerate(KINDS.items()):
            carrier = cls.carriers[prefix] = Baresip(
                cls.folder, f"carrier{prefix}", CARRIERS[version], 440, answers=True, **phone
            )
            vas.directory["trunks"].append(
                {
                    "id": 20 + number,
                    "domainId": 3,
                    "name": prefix,
                    "targets": [f"{in_uri(carrier.address)}:{carrier.port}"],
                    "prefixes": [prefix],
                    "stripPrefix": prefix,
                    "addPrefix": carrier.name,
                    **trunk,
                }
            )

    def answer(self, prefix):
        with self.hosts.on("b"):
            carrier = self.carriers[prefix].start()
        self.addCleanup(carrier.stop)
        return carrier, self.vas.make_outgoing(destination=prefix)["token"]

    def compare(self, record, suites, path):
        self.assertEqual([leg["srtp"] for leg in record["legs"]], suites)
        self.assertTrue(
            record["legs"][0]["media_address"].startswith(f"[{CALLER}]:"), record["legs"][0]["media_address"]
        )
        self.assertEqual([leg["received"]["lost"] for leg in record["legs"]], [0, 0])
        self.assertEqual(record["legs"][0]["ice_path"] is not None, path)

    def test_a_phone(self):
        for prefix, (version, _, _, suite) in KINDS.items():
            with self.subTest(carrier=version, suite=suite):
                carrier, token = self.answer(prefix)
                alice = Baresip(self.folder, f"alice{time.monotonic_ns()}", CALLER, 1000)
                self.addCleanup(alice.stop)
                alice.start(
                    f"sip:any@{self.vas.sip};transport=udp",
                    [("X-Cloudonix-Session", token), ("X-Cloudonix-Domain", DOMAIN)],
                )
                wait_until(lambda: self.vas.session(token)[1].get("status") == "connected", 10, "the connection")
                time.sleep(4)
                alice.stop()
                record = self.vas.record_of(token)
                carrier.stop()
                self.assert_heard(alice.heard(), 440, 1000)
                self.assert_heard(carrier.heard(), 1000, 440)
                self.compare(record, [None, suite], False)

    def page(self, token):
        origin = f"http://{in_uri(SERVER)}:{self.vas.http_port}"
        page = PhonePage(
            self.vas, token, self.folder / "tone.wav", [f"--unsafely-treat-insecure-origin-as-secure={origin}"]
        )
        self.addCleanup(page.stop)
        page.click("call")
        page.wait_for("up")
        # Keys by DTLS come after the answer, and what was missed before them is a jump in the tone.
        wait_until(lambda: page.hears(440, 1000), 15, "the carrier's tone")
        return page

    def test_a_browser_that_loses_ipv4(self):
        """A phone that goes from a network with both versions to one with IPv6 alone."""
        with_ipv4 = ("ip address add 10.78.1.1/24 dev if-a", "ip route add 10.78.0.0/16 via 10.78.1.2")
        for command in with_ipv4:
            self.hosts.run("a", *command.split())
        lose = ("ip", "-4", "address", "flush", "dev", "if-a")
        self.addCleanup(self.hosts.run, "a", *lose)
        carrier, token = self.answer("71")
        page = self.page(token)
        self.hosts.run("a", *lose)
        wait_until(lambda: page.hears(440, 1000), 30, "media by IPv6")
        self.assertEqual(self.vas.request("DELETE", f"/calls/{DOMAIN}/sessions/{token}")[0], 204)
        leg = self.vas.record_of(token)["legs"][0]
        self.assertTrue(leg["media_address"].startswith(f"[{CALLER}]:"), leg["media_address"])

    def test_a_browser(self):
        for prefix, (version, _, _, suite) in KINDS.items():
            with self.subTest(carrier=version, suite=suite):
                carrier, token = self.answer(prefix)
                page = self.page(token)
                self.assertEqual(self.vas.request("DELETE", f"/calls/{DOMAIN}/sessions/{token}")[0], 204)
                record = self.vas.record_of(token)
                page.stop()
                carrier.stop()
                self.assert_heard(carrier.heard(), 1000, 440)
                self.compare(record, ["AEAD_AES_128_GCM", suite], True)


if __name__ == "__main__":
    unittest.main(verbosity=2)
