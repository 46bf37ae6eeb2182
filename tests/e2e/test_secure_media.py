"""Encrypted media: SRTP with keys in SDP or by DTLS, bridged to plain RTP and to itself."""
import hmac
import itertools
import os
import re
import socket
import struct
import time
import unittest
import zlib

from harness import DOMAIN, SLOW, Baresip, E2eTest, Phone, TlsPhone, dialling, free_ports, wait_until  # noqa: F401
from test_gateway import GatewayTest

SUITE = "AES_CM_128_HMAC_SHA1_80"
KEY = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"


class SecureMedia(GatewayTest):
    limits = ("--sip-offences", "0", "--srtp-keys-over-plain-sip", "false")

    def carrier(self, **attributes):
        carrier = Baresip(self.folder, f"carrier{time.monotonic_ns()}", "127.0.0.1", 440, answers=True, **attributes).start()
        self.addCleanup(carrier.stop)
        return carrier

    def dial(self, token, encryption, transport="tls", nat=None):
        port = self.vas.tls_port if transport == "tls" else self.vas.sip_port
        alice = Baresip(self.folder, f"alice{time.monotonic_ns()}", "127.0.0.1", 1000, transport=transport,
                        authority=self.authority.certificate, encryption=encryption, nat=nat)
        self.addCleanup(alice.stop)
        return alice.start(f"sip:any@127.0.0.1:{port};transport={transport}", [("X-Cloudonix-Session", token), ("X-Cloudonix-Domain", DOMAIN)])

    def to(self, carrier):
        return {"routes": [{"termination_ip": f"127.0.0.1:{carrier.port}", "termination_number": carrier.name}]}

    def talk(self, carrier, alice, token, suites, seconds=3):
        try:
            wait_until(lambda: self.vas.session(token)[1].get("status") == "connected", 10, "the connection")
        except AssertionError:
            print(alice.log_text()[-3000:], carrier.log_text()[-5000:])
            raise
        time.sleep(seconds)
        alice.stop()
        record = self.vas.record_of(token)
        carrier.stop()
        self.assert_heard(alice.heard(), 440, 1000)
        self.assert_heard(carrier.heard(), 1000, 440)
        self.assertEqual([leg["srtp"] for leg in record["legs"]], suites)
        for leg in record["legs"]:
            self.assertGreater(leg["received"]["packets"], 100)
            self.assertEqual(leg["received"]["lost"], 0)
        return record


class Sdes(SecureMedia):
    """Keys travel over TLS; towards the carrier, which stands in the same rack, over UDP too where the node is told so."""

    def test_an_encrypted_phone_talks_to_a_plain_carrier(self):
        for encryption in ("srtp-mand", "srtp-mandf", "srtp"):
            with self.subTest(encryption=encryption):
                carrier = self.carrier()
                token = self.vas.make_outgoing(routing=self.to(carrier))["token"]
                self.talk(carrier, self.dial(token, encryption), token, [SUITE, None])

    def test_over_udp_its_keys_are_refused_and_what_is_optional_stays_plain(self):
        carrier = self.carrier()
        token = self.vas.make_outgoing(routing=self.to(carrier))["token"]
        self.talk(carrier, self.dial(token, "srtp", transport="udp"), token, [None, None])
        phone = self.scripted()
        answer = self.offer_savp(phone)
        self.assertEqual((answer.status, "TLS" in answer.header("Warning")), (488, True), answer.header("Warning"))

    def offer_savp(self, phone, suite=SUITE, protocol="RTP/SAVP"):
        token = self.vas.make_outgoing()["token"]
        body = phone.sdp().replace("RTP/AVP", protocol) + f"a=crypto:3 {suite} inline:{KEY}\r\n"
        phone.send("INVITE", body=body, headers=[f"X-Cloudonix-Session: {token}", f"X-Cloudonix-Domain: {DOMAIN}"])
        answer = phone.final()
        phone.ack(answer)
        return answer

    def test_a_suite_that_we_do_not_have_is_refused_with_a_reason(self):
        answer = self.offer_savp(self.phone_of(TlsPhone, tls=self.trusting()), suite="F8_128_HMAC_SHA1_80")
        self.assertEqual((answer.status, "crypto suite" in answer.header("Warning")), (488, True))

    def test_what_goes_over_the_wire_is_encrypted_and_its_key_is_in_no_trace(self):
        carrier = self.carrier()
        token = self.vas.make_outgoing(routing=self.to(carrier))["token"]
        phone = self.phone_of(TlsPhone, tls=self.trusting())
        body = phone.sdp().replace("RTP/AVP", "RTP/SAVP") + f"a=crypto:3 {SUITE} inline:{KEY}\r\n"
        phone.send("INVITE", body=body, headers=[f"X-Cloudonix-Session: {token}", f"X-Cloudonix-Domain: {DOMAIN}"])
        answer = phone.final()
        phone.ack(answer)
        self.assertIn(f"a=crypto:3 {SUITE} inline:", answer.body)
        self.assertIn("RTP/SAVP 0", answer.body)
        ours = answer.body.split("inline:")[1].split("\r\n")[0]
        packets = [phone.rtp.recv(2048) for _ in range(20)]
        self.assertEqual({len(each) for each in packets}, {12 + 160 + 10})
        self.assertGreater(len(set(b"".join(each[12:172] for each in packets))), 250)  # a tone has few values
        trace = self.vasctl("trace", token, "--messages")[1]
        self.assertIn("a=crypto", trace)
        for key in (KEY, ours):
            self.assertNotIn(key, trace)
            self.assertNotIn(key, self.vas.log_text())
        self.assertEqual(phone.bye().status, 200)


class Dtls(SecureMedia):
    """Keys agreed in the media's own path, with ICE and without, RTCP beside RTP or on a port of its own."""

    def test_keys_by_dtls_to_a_plain_carrier(self):
        for transport, nat in (("tls", None), ("udp", None), ("tls", "ice")):
            with self.subTest(transport=transport, nat=nat):
                carrier = self.carrier()
                token = self.vas.make_outgoing(routing=self.to(carrier))["token"]
                record = self.talk(carrier, self.dial(token, "dtls_srtp", transport, nat), token, ["AEAD_AES_128_GCM", None], seconds=7)
                # It offers another interface's address than it sends from.
                self.assertEqual(record["legs"][0]["ice_path"], "host-prflx" if nat else None)
                self.assertIsNotNone(record["legs"][0]["sent"]["lost"])  # its RTCP came through

    def test_ice_without_encryption(self):
        carrier = self.carrier()
        token = self.vas.make_outgoing(routing=self.to(carrier))["token"]
        record = self.talk(carrier, self.dial(token, None, "udp", "ice"), token, [None, None])
        self.assertEqual(record["legs"][0]["ice_path"], "host-prflx")

    def test_whoever_knows_no_password_gets_no_answer_and_changes_nothing(self):
        """Checks without MESSAGE-INTEGRITY and with a wrong one, alerts, short records, hellos and forged SRTP beside a live call."""
        carrier = self.carrier()
        token = self.vas.make_outgoing(routing=self.to(carrier))["token"]
        alice = self.dial(token, "dtls_srtp", "tls", "ice")
        wait_until(lambda: self.vas.session(token)[1].get("status") == "connected", 10, "the connection")
        time.sleep(2)
        bodies = [part for part in alice.log_text().split("v=0")[1:] if "ice-ufrag" in part]
        offer, answer = bodies[0], bodies[-1]
        port = int(re.search(r"m=audio (\d+)", answer)[1])
        name = re.search(r"a=ice-ufrag:(\S+)", answer)[1] + ":" + re.search(r"a=ice-ufrag:(\S+)", offer)[1]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind(("127.0.0.1", 0))
            attacks = [check(name), check(name, "not-the-password-of-it"), check("x:y", "not-the-password-of-it"), check(name)[:-8],
                       bytes.fromhex("15fefd0001000000000000000200022a28"[:34]), bytes.fromhex("15fefd"), bytes.fromhex("16fefd0000000000000000"),
                       bytes.fromhex("16feff000000000000000000300100") + bytes(46), bytes.fromhex("80000001000000a000000007") + bytes(170)]
            for attack, number in itertools.product(attacks, range(1000)):
                stranger.sendto(attack, ("127.0.0.1", port))
                if number % 10 == 0:  # no more than fits into the socket: this is about what a packet does, not about how many
                    time.sleep(0.002 * SLOW)
            time.sleep(1)
            for _ in range(300):  # whose ufrag is wrong takes nothing of what the party may
                stranger.sendto(check("x:y", "not-the-password-of-it"), ("127.0.0.1", port))
            stranger.setblocking(False)
            with self.assertRaises(BlockingIOError):
                stranger.recv(2048)
            stranger.settimeout(2)
            stranger.sendto(check(name, re.search(r"a=ice-pwd:(\S+)", answer)[1], chooses=False), ("127.0.0.1", port))
            self.assertEqual(stranger.recv(2048)[:2], b"\x01\x01", "with the password there is an answer")
        record = self.talk(carrier, alice, token, ["AEAD_AES_128_GCM", None])
        self.assertEqual((record["disposition"], record["legs"][0]["ice_path"]), ("ANSWERED", "host-prflx"))
        self.assertGreater(record["legs"][0]["received"]["refused"], 500)


def check(name, password=None, chooses=True):
    """A binding request, without MESSAGE-INTEGRITY or with one by `password`; with USE-CANDIDATE if it `chooses`."""
    padded = name.encode().ljust(-(-len(name) // 4) * 4, b"\0")
    attributes = struct.pack("!HH", 6, len(name)) + padded + struct.pack("!HHQ", 0x802a, 8, 1)
    if chooses:
        attributes += struct.pack("!HH", 0x25, 0)

    def message(more):
        return struct.pack("!HHI", 1, len(attributes) + more, 0x2112a442) + transaction + attributes
    transaction = os.urandom(12)
    if password:
        attributes += struct.pack("!HH", 8, 20) + hmac.digest(password.encode(), message(24), "sha1")
    return message(8) + struct.pack("!HHI", 0x8028, 4, zlib.crc32(message(8)) ^ 0x5354554e)


class Required(SecureMedia):
    """A domain and a carrier that take nothing else; the node trusts its network with the keys."""

    limits = ("--sip-offences", "0", "--srtp-keys-over-plain-sip", "true")

    @classmethod
    def place_server(cls, vas):
        super().place_server(vas)
        vas.directory["domains"][0]["profile"]["media-encryption"] = "required"
        cls.carrier_of_all = Baresip(cls.folder, "carrier", "127.0.0.1", 440, answers=True, encryption="srtp-mand")
        vas.directory["trunks"].append({"id": 9, "domainId": 3, "name": "secure", "targets": [f"127.0.0.1:{cls.carrier_of_all.port}"],
                                        "prefixes": ["77"], "stripPrefix": "7712", "addPrefix": "carrier", "mediaEncryption": "required"})

    def test_encrypted_on_both_sides(self):
        carrier = self.carrier_of_all.start()
        self.addCleanup(carrier.stop)
        token = self.vas.make_outgoing(destination="7712")["token"]
        alice = self.dial(token, "srtp-mand", transport="udp")
        record = self.talk(carrier, alice, token, [SUITE, "AEAD_AES_128_GCM"])
        self.assertEqual(record["disposition"], "ANSWERED")

    def test_a_plain_phone_is_refused_with_a_reason(self):
        token = self.vas.make_outgoing(destination="7712")["token"]
        phone = self.scripted()
        phone.send("INVITE", body=phone.sdp(), headers=[f"X-Cloudonix-Session: {token}", f"X-Cloudonix-Domain: {DOMAIN}"])
        answer = phone.final()
        phone.ack(answer)
        self.assertEqual((answer.status, "must be encrypted" in answer.header("Warning")), (488, True))


class TrunksByDtls(SecureMedia):
    """Carriers that are offered DTLS by us, with ICE in each role and without: (a prefix, the trunk's `ice`, the carrier's)."""
    KINDS = (("71", "", None), ("72", "lite", "ice"), ("73", "full", "ice"), ("74", "full", None))

    @classmethod
    def place_server(cls, vas):
        super().place_server(vas)
        cls.carriers = {}
        for number, (prefix, ice, nat) in enumerate(cls.KINDS):
            carrier = Baresip(cls.folder, f"carrier{prefix}", "127.0.0.1", 440, answers=True, encryption="dtls_srtp", nat=nat)
            cls.carriers[prefix] = carrier
            vas.directory["trunks"].append({"id": 20 + number, "domainId": 3, "name": prefix, "targets": [f"127.0.0.1:{carrier.port}"],
                                            "prefixes": [prefix], "stripPrefix": prefix, "addPrefix": carrier.name, "mediaEncryption": "required",
                                            "mediaKeying": "dtls", "ice": ice})

    def test_a_carrier_is_offered_dtls_and_ice(self):
        for prefix, ice, nat in self.KINDS:
            with self.subTest(ice=ice, carrier=nat):
                carrier = self.carriers[prefix].start()
                self.addCleanup(carrier.stop)
                token = self.vas.make_outgoing(destination=prefix)["token"]
                record = self.talk(carrier, self.dial(token, None, "udp"), token, [None, "AEAD_AES_128_GCM"], seconds=5)
                path = record["legs"][1]["ice_path"]
                if nat:
                    self.assertRegex(path, "^host-(host|prflx)$")
                else:
                    self.assertIsNone(path)


if __name__ == "__main__":
    unittest.main()
