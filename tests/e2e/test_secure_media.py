"""Encrypted media: SRTP with keys in SDP or by DTLS, bridged to plain RTP and to itself."""
import base64
import hmac
import itertools
import os
import re
import select
import socket
import struct
import time
import unittest
import zlib

from harness import DOMAIN, SLOW, TRUNK, Baresip, TlsPhone, free_ports, wait_until
from secure_phone import VOICE, SecurePhone, SrtpStream, random_master
from test_gateway import GatewayTest

SUITE = "AES_CM_128_HMAC_SHA1_80"
KEY = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"


class SecureMedia(GatewayTest):
    limits = ("--sip-offences", "0", "--srtp-keys-over-plain-sip", "false")

    def carrier(self, **attributes):
        carrier = Baresip(
            self.folder, f"carrier{time.monotonic_ns()}", "127.0.0.1", 440, answers=True, **attributes
        ).start()
        self.addCleanup(carrier.stop)
        return carrier

    def dial(self, token, encryption, transport="tls", nat=None):
        port = self.vas.tls_port if transport == "tls" else self.vas.sip_port
        alice = Baresip(
            self.folder,
            f"alice{time.monotonic_ns()}",
            "127.0.0.1",
            1000,
            transport=transport,
            authority=self.authority.certificate,
            encryption=encryption,
            nat=nat,
        )
        self.addCleanup(alice.stop)
        return alice.start(
            f"sip:any@127.0.0.1:{port};transport={transport}",
            [("X-Cloudonix-Session", token), ("X-Cloudonix-Domain", DOMAIN)],
        )

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
    """Keys travel over TLS; towards the carrier, which stands
    in the same rack, over UDP too where the node is told so."""

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

    def asked(self, phone, body):
        """A re-INVITE's answer; who asks whether the phone is there is told so first."""
        cseq = phone.cseq = phone.cseq + 1
        branch = phone.send("INVITE", body=body, cseq=cseq)
        answer = phone.receive()
        if answer.method == "OPTIONS":
            phone.answer(answer, 200, "OK")
            time.sleep(0.2)
            phone.send("INVITE", body=body, cseq=cseq, branch=branch)
        while answer.status < 200:
            answer = phone.receive()
        phone.ack(answer)
        return answer

    def test_who_leaves_tls_in_mid_call_is_told_no_keys_until_it_is_back(self):
        (far, token), phone = self.far_phone(), self.phone_of(TlsPhone, tls=self.trusting())
        body, later = (
            phone.sdp(version=version).replace("RTP/AVP", "RTP/SAVP") + f"a=crypto:3 {SUITE} inline:{KEY}\r\n"
            for version in (1, 2)
        )
        phone.invite(token, body=body)
        far.answer(far.receive(), 200, "OK", far.sdp())
        answer = phone.final()
        phone.ack(answer)
        self.assertIn("inline:", answer.body)
        self.assertIn("inline:", self.asked(phone, body).body)  # a refresh
        bare = self.scripted()
        for name in ("call_id", "tag", "remote_to", "target", "cseq"):
            setattr(bare, name, getattr(phone, name))
        for what, sdp in (("its last", body), ("none", ""), ("another", later)):
            with self.subTest(what):
                refused = self.asked(bare, sdp)
                self.assertEqual((refused.status, refused.body), (488, ""))
        phone.cseq = bare.cseq
        self.assertIn("inline:", self.asked(phone, body).body)
        self.assertEqual(phone.bye().status, 200)

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
                record = self.talk(
                    carrier, self.dial(token, "dtls_srtp", transport, nat), token, ["AEAD_AES_128_GCM", None], seconds=7
                )
                # It offers another interface's address than it sends from.
                self.assertEqual(record["legs"][0]["ice_path"], "host-prflx" if nat else None)
                self.assertIsNotNone(record["legs"][0]["sent"]["lost"])  # its RTCP came through

    def test_ice_without_encryption(self):
        carrier = self.carrier()
        token = self.vas.make_outgoing(routing=self.to(carrier))["token"]
        record = self.talk(carrier, self.dial(token, None, "udp", "ice"), token, [None, None])
        self.assertEqual(record["legs"][0]["ice_path"], "host-prflx")

    def test_whoever_knows_no_password_gets_no_answer_and_changes_nothing(self):
        """Checks without MESSAGE-INTEGRITY and with a wrong one, alerts,
        short records, hellos and forged SRTP beside a live call."""
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
            attacks = [
                check(name),
                check(name, "not-the-password-of-it"),
                check("x:y", "not-the-password-of-it"),
                check(name)[:-8],
                bytes.fromhex("15fefd0001000000000000000200022a28"[:34]),
                bytes.fromhex("15fefd"),
                bytes.fromhex("16fefd0000000000000000"),
                bytes.fromhex("16feff000000000000000000300100") + bytes(46),
                bytes.fromhex("80000001000000a000000007") + bytes(170),
            ]
            for attack, number in itertools.product(attacks, range(1000)):
                stranger.sendto(attack, ("127.0.0.1", port))
                if (
                    number % 10 == 0
                ):  # no more than fits into the socket: this is about what a packet does, not about how many
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
    attributes = struct.pack("!HH", 6, len(name)) + padded + struct.pack("!HHQ", 0x802A, 8, 1)
    if chooses:
        attributes += struct.pack("!HH", 0x25, 0)

    def message(more):
        return struct.pack("!HHI", 1, len(attributes) + more, 0x2112A442) + transaction + attributes

    transaction = os.urandom(12)
    if password:
        attributes += struct.pack("!HH", 8, 20) + hmac.digest(password.encode(), message(24), "sha1")
    return message(8) + struct.pack("!HHI", 0x8028, 4, zlib.crc32(message(8)) ^ 0x5354554E)


class Required(SecureMedia):
    """A domain and a carrier that take nothing else; the node trusts its network with the keys."""

    limits = ("--sip-offences", "0", "--srtp-keys-over-plain-sip", "true")

    @classmethod
    def place_server(cls, vas):
        super().place_server(vas)
        vas.directory["domains"][0]["profile"]["media-encryption"] = "required"
        cls.carrier_of_all = Baresip(cls.folder, "carrier", "127.0.0.1", 440, answers=True, encryption="srtp-mand")
        vas.directory["trunks"].append(
            {
                "id": 9,
                "domainId": 3,
                "name": "secure",
                "targets": [f"127.0.0.1:{cls.carrier_of_all.port}"],
                "prefixes": ["77"],
                "stripPrefix": "7712",
                "addPrefix": "carrier",
                "mediaEncryption": "required",
            }
        )

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
        phone.send(
            "INVITE", body=phone.sdp(), headers=[f"X-Cloudonix-Session: {token}", f"X-Cloudonix-Domain: {DOMAIN}"]
        )
        answer = phone.final()
        phone.ack(answer)
        self.assertEqual((answer.status, "must be encrypted" in answer.header("Warning")), (488, True))


class TrunksByDtls(SecureMedia):
    """Carriers that are offered DTLS by us, with ICE in each role
    and without: (a prefix, the trunk's `ice`, the carrier's)."""

    KINDS = (("71", "", None), ("72", "lite", "ice"), ("73", "full", "ice"), ("74", "full", None))

    @classmethod
    def place_server(cls, vas):
        super().place_server(vas)
        cls.carriers = {}
        for number, (prefix, ice, nat) in enumerate(cls.KINDS):
            carrier = Baresip(
                cls.folder, f"carrier{prefix}", "127.0.0.1", 440, answers=True, encryption="dtls_srtp", nat=nat
            )
            cls.carriers[prefix] = carrier
            vas.directory["trunks"].append(
                {
                    "id": 20 + number,
                    "domainId": 3,
                    "name": prefix,
                    "targets": [f"127.0.0.1:{carrier.port}"],
                    "prefixes": [prefix],
                    "stripPrefix": prefix,
                    "addPrefix": carrier.name,
                    "mediaEncryption": "required",
                    "mediaKeying": "dtls",
                    "ice": ice,
                }
            )

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


class Scripted(SecureMedia):
    """Phones that say each datagram when they are told to, towards a plain phone and from one."""

    limits = ("--sip-offences", "0", "--srtp-keys-over-plain-sip", "true")

    @classmethod
    def place_server(cls, vas):
        super().place_server(vas)
        cls.trunk_port = free_ports()
        vas.directory["domains"][0]["profile"]["media-encryption"] = "optional"
        vas.directory["trunks"].append(
            {
                "id": 30,
                "domainId": 3,
                "name": "by-dtls",
                "targets": [f"{TRUNK}:{cls.trunk_port}"],
                "prefixes": ["75"],
                "mediaEncryption": "required",
                "mediaKeying": "dtls",
            }
        )

    def phone(self, address="127.0.0.1"):
        phone = SecurePhone(self.folder, address, self.vas.sip)
        self.addCleanup(phone.close)
        return phone

    def assert_talk(self, near, far):
        """Audio both ways; each knows in `to` where its own goes. What was under way before counts for nothing."""
        for speaker, listener in ((near, far), (far, near)):
            listener.listen(lambda: False, 0.1)
            before = len(listener.heard)

            def heard(speaker=speaker, listener=listener, before=before):
                speaker.speak(speaker.to)
                return len(listener.heard) > before + 5

            self.assertTrue(listener.listen(heard), "audio")
            self.assertEqual(listener.heard[-1][12:], VOICE)

    def call(self, body):
        """A call of a scripted phone with that offer to a plain one; (near, far, answer)."""
        near, far = self.phone(), self.phone(TRUNK)
        plan = {"routes": [{"termination_ip": f"{TRUNK}:{far.port}", "termination_number": "999"}]}
        self.token = self.vas.make_outgoing(routing=plan)["token"]
        near.invite(self.token, body=body(near))
        while far.socket not in select.select([near.socket, far.socket], [], [], 10 * SLOW)[0]:
            refusal = near.receive()
            if refusal.status >= 300:
                near.ack(refusal)
                return near, far, refusal
        invite = far.receive()
        far.answer(invite, 200, "OK", far.sdp())
        answer = near.final()
        near.ack(answer)
        near.to, far.to = answer.media(), invite.media()
        far.receive()
        return near, far, answer

    def re_invite(self, near, far, body):
        near.send("INVITE", body=body)
        offer = far.receive()
        far.answer(offer, 200, "OK", far.sdp(version=2))
        answer = near.final()
        near.ack(answer)
        self.assertEqual(answer.status, 200)
        near.to = answer.media()
        far.receive()
        return answer

    def test_a_hello_that_comes_before_the_200_is_answered_with_it(self):
        """RFC 5763 §5. The carrier says nothing twice: what it had said is what the handshake goes on with."""
        near, far = self.phone(), self.phone(TRUNK)
        far.socket.close()
        far.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        far.socket.bind((TRUNK, self.trunk_port))
        far.port = self.trunk_port
        token = self.vas.make_outgoing(destination="75123")["token"]
        near.invite(token)
        invite = far.receive()
        self.assertIn("UDP/TLS/RTP/SAVP", invite.body)
        far.to = invite.media()
        far.say_hello(far.to)
        self.assertTrue(far.listen(lambda: far.dtls_came > 0), "it is asked for a cookie at once")
        far.says_again = False
        stranger = self.phone("127.0.0.77")
        stranger.say_hello(far.to)
        self.assertTrue(stranger.listen(lambda: stranger.dtls_came > 0))
        stranger.says_again = False
        far.listen(lambda: False, 0.3)
        asked = stranger.dtls_came
        self.assertIsNone(far.handshake.keys, "nothing else before SDP says who it is")
        far.answer(invite, 200, "OK", far.dtls_sdp(setup="active"))
        self.assertTrue(far.listen(lambda: far.handshake.keys is not None), "the handshake goes on by itself")
        answer = near.final()
        near.ack(answer)
        near.to = answer.media()
        self.assert_talk(near, far)
        stranger.listen(lambda: False, 0.2)
        self.assertEqual(stranger.dtls_came, asked, "whom the answer does not name")
        self.assertEqual(near.bye().status, 200)
        self.assertEqual([leg["srtp"] for leg in self.vas.record_of(token)["legs"]], [None, SUITE])

    def test_a_phone_that_moves_shakes_hands_anew_with_its_old_certificate(self):
        """RFC 5763 §6.6; and by another tls-id at the port that it has (RFC 8842 §4)."""
        near, far, answer = self.call(lambda phone: phone.dtls_sdp(more="a=tls-id:" + "a" * 20 + "\r\n"))
        self.assertRegex(answer.body, r"a=tls-id:\S{20,}\r\n")
        self.assertTrue(near.shake_hands(near.to))
        self.assert_talk(near, far)
        near.move()
        self.re_invite(near, far, near.dtls_sdp(more="a=tls-id:" + "a" * 20 + "\r\n", version=2))
        self.assert_talk(near, far)  # under the keys that there are
        self.assertTrue(near.shake_hands(near.to))
        self.assert_talk(near, far)
        self.re_invite(near, far, near.dtls_sdp(more="a=tls-id:" + "b" * 20 + "\r\n", version=3))
        self.assertTrue(near.shake_hands(near.to))
        self.assert_talk(near, far)
        forger = self.phone("127.0.0.77")
        self.assertFalse(forger.shake_hands(near.to, 1))
        self.assert_talk(near, far)
        self.assertEqual(near.bye().status, 200)

    def test_a_fingerprint_says_dtls_whatever_the_profile_is_called(self):
        other = "sha-256 " + ":".join(["AA"] * 32)
        for protocol in ("RTP/SAVPF", "RTP/SAVP", "RTP/AVP"):
            with self.subTest(protocol=protocol):
                near, far, answer = self.call(
                    lambda phone, protocol=protocol: phone.dtls_sdp(
                        protocol, fingerprints=[phone.fingerprint("sha1"), other, phone.fingerprint()]
                    )
                )
                self.assertRegex(answer.body, rf"m=audio \d+ {protocol} 0 101\r\n")
                self.assertIn("a=setup:passive", answer.body)
                self.assertTrue(near.shake_hands(near.to))
                self.assert_talk(near, far)
                self.assertEqual(near.bye().status, 200)
                self.assertEqual([leg["srtp"] for leg in self.vas.record_of(self.token)["legs"]], [SUITE, None])

    def test_a_fingerprint_by_sha_1_alone_is_refused_by_its_name(self):
        for protocol in ("UDP/TLS/RTP/SAVPF", "RTP/SAVPF"):
            *_, answer = self.call(
                lambda phone, protocol=protocol: phone.dtls_sdp(protocol, fingerprints=[phone.fingerprint("sha1")])
            )
            self.assertEqual(
                (answer.status, "sha-1" in answer.header("Warning")), (488, True), answer.header("Warning")
            )

    def sdes(self, master, mki=""):
        return (
            lambda phone: phone.sdp().replace("RTP/AVP", "RTP/SAVP")
            + f"a=crypto:1 {SUITE} inline:{base64.b64encode(master).decode()}{mki}\r\n"
        )

    def test_a_master_key_with_an_identifier(self):
        master = random_master()
        near, far, answer = self.call(self.sdes(master, "|2^31|7:4"))
        self.assertRegex(answer.body, r"a=crypto:1 \S+ inline:\S+\|7:4\r\n")
        near.outbound, near.inbound = SrtpStream(master, b"\0\0\0\7"), SrtpStream(
            near.crypto_key(answer.body), b"\0\0\0\7"
        )
        self.assert_talk(near, far)
        self.assertEqual(near.bye().status, 200)
        self.assertEqual(self.vas.record_of(self.token)["legs"][0]["received"]["refused"], 0)

    def test_each_of_many_ssrcs_is_heard_and_the_first_when_it_comes_again(self):
        master = random_master()
        near, far, answer = self.call(self.sdes(master))
        near.outbound, near.inbound = SrtpStream(master), SrtpStream(near.crypto_key(answer.body))
        self.assert_talk(near, far)
        for ssrc in [*range(1, 151), near.ssrc]:
            voice = struct.pack("!I", ssrc) * 40
            # Each begins anew; enough of them that whoever waits for a second packet before it believes a stream has
            # it.
            for number in range(1000, 1004) if ssrc != near.ssrc else range(near.number + 1, near.number + 5):
                near.speak(near.to, ssrc, number, voice)
            self.assertTrue(far.listen(lambda voice=voice: far.heard[-1][12:] == voice, 2), f"SSRC {ssrc}")
        self.assertEqual(near.bye().status, 200)

    def test_an_offer_over_ipv6_where_there_is_none_says_so(self):
        *_, answer = self.call(lambda phone: phone.sdp().replace(f"IN IP4 {phone.address}", "IN IP6 2001:db8::7"))
        self.assertEqual((answer.status, "IPv6" in answer.header("Warning")), (488, True), answer.header("Warning"))
        self.assertEqual(self.vas.record_of(self.token)["termination_reason"], "no-ipv6")

    def test_each_media_line_of_an_answer_has_an_address(self):
        """RFC 8866 §5.7: proxies that look for one in each find it."""
        near, _, answer = self.call(
            lambda phone: phone.sdp() + "m=video 40000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\nm=image 0 udptl t38\r\n"
        )
        for section in re.split(r"(?=^m=)", answer.body, flags=re.MULTILINE)[1:]:
            self.assertIn("\r\nc=IN IP4 127.0.0.1\r\n", section)
        self.assertEqual(near.bye().status, 200)


if __name__ == "__main__":
    unittest.main()
