"""What attackers, broken phones and crashes do: the server stays up, and every call leaves one record."""
import re
import signal
import socket
import subprocess
import time
import unittest

from harness import BIN, DOMAIN, KEY, TRUNK, E2eTest, Vas, dialling, rtp_packet, wait_until


class Dialogs(E2eTest):
    """Dialog rules, with phones scripted by hand on both ends."""

    def connected(self, **invite):
        (far, token), near = self.far_phone(), self.scripted()
        near.invite(token, **invite)
        request = far.receive()
        far.answer(request, 200, "OK", far.sdp(payloads="0"))
        answer = near.final()
        self.assertEqual(answer.status, 200)
        near.ack(answer)
        ack = far.receive()
        self.assertEqual((ack.method, ack.header("CSeq").split()[0]), ("ACK", request.header("CSeq").split()[0]))
        return far, near, token, answer

    def test_reliable_early_media_is_pracked_and_passed_back(self):
        (far, token), near = self.far_phone(), self.scripted()
        near.invite(token, headers=["Supported: 100rel"])
        invite = far.receive()
        far.answer(invite, 183, "Session Progress", far.sdp(payloads="0"), ["Require: 100rel", "RSeq: 8001"])
        prack = far.receive()
        self.assertEqual((prack.method, prack.header("RAck")), ("PRACK", f"8001 {invite.header('CSeq')}"))
        far.answer(prack, 200, "OK")
        progress = near.receive()
        while progress.status == 100:
            progress = near.receive()
        self.assertEqual(
            (progress.status, "m=audio" in progress.body, progress.header("Require")), (183, True, "100rel")
        )
        near.remote_to, near.target = progress.header("To"), re.search(r"<([^>]+)>", progress.header("Contact")).group(
            1
        )
        near.send("PRACK", headers=[f"RAck: {progress.header('RSeq')} 1 INVITE"])
        self.assertEqual(near.final().header("CSeq"), "2 PRACK")
        far.answer(invite, 200, "OK")  # its answer was in the 183
        answer = near.final()
        self.assertEqual((answer.status, answer.header("CSeq")), (200, "1 INVITE"))
        near.cseq = 1
        near.ack(answer)
        self.assertEqual(far.receive().method, "ACK")
        near.cseq = 2
        self.assertEqual(near.bye().status, 200)

    def test_an_ack_with_another_number_is_none(self):
        """RFC 3261 §13.2.2.4: our 200 still waits for its own, and so does our BYE."""
        (far, token), near = self.far_phone(), self.scripted()
        near.invite(token, cseq=21700)
        invite = far.receive()
        far.answer(invite, 200, "OK", far.sdp())
        answer = near.final()
        near.cseq = 21699
        near.ack(answer)
        self.assertEqual(near.final(3).header("CSeq"), "21700 INVITE")  # again
        self.assertEqual(self.vas.request("DELETE", f"/calls/{DOMAIN}/sessions/{token}")[0], 204)
        self.assertEqual(near.receive(3).status, 200, "a BYE before the ACK")
        near.cseq = 21700
        near.ack(answer)
        bye = near.receive()
        while bye.status:
            bye = near.receive()
        self.assertEqual(bye.method, "BYE")
        near.answer(bye, 200, "OK")

    def test_an_invite_without_sdp_gets_our_offer_and_answers_in_its_ack(self):
        (far, token), near = self.far_phone(), self.scripted()
        near.invite(token, body="")
        invite = far.receive()
        self.assertIn("opus/48000/2", invite.body)
        far.answer(invite, 200, "OK", far.sdp(payloads="0"))
        answer = near.final()
        self.assertIn("m=audio", answer.body)
        near.ack(answer, near.sdp(payloads="0"))
        self.assertEqual(far.receive().method, "ACK")
        far.rtp.settimeout(3)
        for number in range(5):  # the first may be faster than the ACK
            near.rtp.sendto(rtp_packet(number, 160 * number), answer.media())
            time.sleep(0.02)
        self.assertEqual(len(far.rtp.recv(2048)), 172)
        near.bye()
        self.assertEqual(self.vas.record_of(token)["disposition"], "ANSWERED")

    def test_other_media_lines_are_answered_with_port_0_in_their_order(self):
        (far, token), near = self.far_phone(), self.scripted()
        video = "m=video 40000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
        body = near.sdp().replace("m=audio", video + "m=audio")
        near.invite(token, body=body)
        request = far.receive()
        self.assertNotIn("m=video", request.body)
        far.answer(request, 200, "OK", far.sdp())
        answer = near.final()
        near.ack(answer)
        self.assertEqual(re.findall(r"m=(\w+) (\d+)", answer.body)[0], ("video", "0"))
        self.assertEqual(re.findall(r"m=(\w+) \d+", answer.body), ["video", "audio"])
        near.bye()

    def test_an_offer_without_a_known_codec_gets_488_and_a_warning(self):
        near = self.scripted()
        near.invite(
            self.vas.make_outgoing()["token"],
            body=near.sdp(payloads="18").replace("a=rtpmap:101 telephone-event/8000\r\n", ""),
        )
        answer = near.final()
        near.ack(answer)
        self.assertEqual((answer.status, answer.header("Warning")[:3]), (488, "305"))

    def test_the_2xx_is_repeated_until_its_ack_and_ours_is_repeated_for_each(self):
        (far, token), near = self.far_phone(), self.scripted()
        near.invite(token)
        request = far.receive()
        far.answer(request, 200, "OK", far.sdp())
        first = near.final()
        self.assertEqual(near.final(3).body, first.body)
        near.ack(first)
        self.assertEqual(far.receive().method, "ACK")
        far.answer(request, 200, "OK", far.sdp())
        self.assertEqual(far.receive(3).method, "ACK")
        near.bye()

    def test_glare_and_refused_offers(self):
        far, near, _, answer = self.connected()
        near.send("INVITE", body=near.sdp("sendonly", version=2))
        offer = far.receive()
        self.assertEqual((offer.method, "a=sendonly" in offer.body), ("INVITE", True))
        far.remote_to, far.call_id = offer.header("From"), offer.header("Call-ID")
        far.answer(offer, 488, "Not Acceptable Here")
        self.assertEqual(far.receive().method, "ACK")
        refused = near.final()
        self.assertEqual(refused.status, 488)
        near.ack(refused)
        self.assertEqual(near.bye().status, 200)

    def test_info_passes_end_to_end_with_its_answer(self):
        far, near, _, _ = self.connected()
        near.send("INFO", body="Signal=5\r\nDuration=160\r\n", drop=())
        info = far.receive()
        self.assertEqual((info.method, info.body), ("INFO", "Signal=5\r\nDuration=160\r\n"))
        far.answer(info, 200, "OK")
        self.assertEqual(near.final().status, 200)
        near.bye()

    def test_update_and_options_and_unknown_methods(self):
        far, near, _, _ = self.connected()
        for method, status in [("OPTIONS", 200), ("UPDATE", 200), ("MESSAGE", 405)]:
            near.send(method)
            self.assertEqual(near.final().status, status, method)
        near.bye()
        outside = self.scripted()
        for method, status in [
            ("OPTIONS", 200),
            ("REGISTER", 405),
            ("SUBSCRIBE", 405),
            ("MESSAGE", 405),
            ("REFER", 405),
            ("PUBLISH", 405),
        ]:
            outside.send(method)
            answer = outside.final()
            self.assertEqual(answer.status, status, method)
            if status == 405:
                self.assertIn("INVITE", answer.header("Allow"))

    def test_session_timer_is_agreed_and_too_short_ones_refused(self):
        short = self.scripted()
        short.invite(self.vas.make_outgoing()["token"], headers=["Supported: timer", "Session-Expires: 30"])
        answer = short.final()
        short.ack(answer)
        self.assertEqual((answer.status, answer.header("Min-SE")), (422, "90"))
        far, near, _, answer = self.connected(headers=["Supported: timer", "Session-Expires: 120;refresher=uas"])
        self.assertEqual(answer.header("Session-Expires"), "120;refresher=uas")
        near.bye()

    def test_we_refresh_when_it_is_our_turn(self):
        (far, token), near = self.far_phone(), self.scripted()
        near.invite(token)
        request = far.receive()
        far.answer(
            request,
            200,
            "OK",
            far.sdp(),
            ["Session-Expires: 90;refresher=uac", "Require: timer", "Allow: INVITE, ACK, BYE, UPDATE"],
        )
        near.ack(near.final())
        self.assertEqual(far.receive().method, "ACK")
        begun = time.monotonic()
        refresh = far.receive(60)
        self.assertEqual((refresh.method, refresh.header("Session-Expires")), ("UPDATE", "90;refresher=uac"))
        self.assertAlmostEqual(time.monotonic() - begun, 45, delta=2.5)
        far.answer(refresh, 200, "OK", "", ["Session-Expires: 90;refresher=uac"])
        near.bye()

    def test_a_required_extension_that_is_unknown_gets_420(self):
        near = self.scripted()
        near.invite(self.vas.make_outgoing()["token"], headers=["Require: precondition"])
        answer = near.final()
        near.ack(answer)
        self.assertEqual((answer.status, answer.header("Unsupported")), (420, "precondition"))

    def test_bye_for_an_unknown_dialog_gets_481(self):
        near = self.scripted()
        near.send("BYE", to=f"<sip:x@{self.vas.sip}>;tag=nobody")
        self.assertEqual(near.final().status, 481)

    def test_one_unbroken_stream_through_a_hold_and_a_new_ssrc(self):
        far, near, _, answer = self.connected()
        target = answer.media()
        far.rtp.settimeout(2)
        got = []
        for number, timestamp, ssrc in [(65534, 1000, 1), (65535, 1160, 1), (0, 1320, 1), (900, 77, 2), (901, 237, 2)]:
            near.rtp.sendto(rtp_packet(number, timestamp, ssrc), target)
            packet = far.rtp.recv(2048)
            got.append((int.from_bytes(packet[2:4], "big"), int.from_bytes(packet[4:8], "big"), packet[8:12]))
            time.sleep(0.02)
        steps = [(after[0] - before[0]) & 0xFFFF for before, after in zip(got, got[1:])]
        ticks = [(after[1] - before[1]) & 0xFFFFFFFF for before, after in zip(got, got[1:])]
        self.assertEqual(steps, [1, 1, 1, 1])
        self.assertEqual(len({ssrc for _, _, ssrc in got}), 1)
        self.assertEqual([ticks[0], ticks[1], ticks[3]], [160, 160, 160])
        self.assertTrue(160 <= ticks[2] <= 800, ticks)
        near.bye()

    def test_a_stranger_neither_hears_nor_speaks(self):
        far, near, token, answer = self.connected()
        target = answer.media()
        stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(stranger.close)
        stranger.bind(("127.0.0.66", 0))
        stranger.settimeout(0.3)
        far.rtp.settimeout(0.3)
        for number in range(20):
            stranger.sendto(rtp_packet(number, 160 * number), target)
        with self.assertRaises(TimeoutError):
            far.rtp.recv(2048)
        near.rtp.sendto(rtp_packet(1, 160), target)
        self.assertEqual(len(far.rtp.recv(2048)), 172)
        with self.assertRaises(TimeoutError):
            stranger.recv(2048)
        near.bye()

    def test_media_to_our_own_ports_is_refused(self):
        (far, token), near = self.far_phone(), self.scripted()
        near.invite(token, body=near.sdp(port=20100))
        request = far.receive()
        far.answer(request, 200, "OK", far.sdp())
        record = self.vas.record_of(token)
        self.assertEqual((record["local_cause"], record["termination_reason"]), (908, "unsafe-media-address"))


class Hostile(E2eTest):
    flags = ("--sip-offences", "0")  # the phones here share one address: bans are test_gateway.py's

    def ping(self):
        phone = self.scripted()
        begun = time.monotonic()
        phone.send("OPTIONS")
        self.assertEqual(phone.final(2).status, 200)
        return time.monotonic() - begun

    def test_a_contact_that_is_no_sip_uri_gets_400_and_the_server_still_answers_40_s_later(self):
        for contact in ["<tel:+1>", "<mailto:a@b.c>", "*", "<http://x/>", "<urn:x:y>"]:
            phone = self.scripted()
            phone.invite(self.vas.make_outgoing()["token"], contact=f"Contact: {contact}")
            self.assertEqual(phone.final(2).status, 400, contact)
        phone = self.scripted()
        phone.invite(self.vas.make_outgoing()["token"], headers=["Record-Route: <tel:+1>"])
        self.assertEqual(phone.final(2).status, 400)
        time.sleep(40)
        self.ping()

    def test_a_far_side_whose_2xx_has_no_sip_contact_does_not_hurt(self):
        (far, token), near = self.far_phone(), self.scripted()
        near.invite(token)
        request = far.receive()
        far.port, good = "1>;x=\r\nContact: <tel:+1", far.port
        far.answer(request, 200, "OK", far.sdp())
        far.port = good
        time.sleep(0.5)
        self.ping()

    def test_a_via_host_that_does_not_resolve_costs_others_nothing(self):
        self.ping()
        quiet = sorted(self.ping() for _ in range(20))[10]
        phone = self.scripted()
        delays = []
        for version in ["SIP/2.0", "SIP/7.0"]:
            for i in range(20):
                phone.send(
                    "OPTIONS",
                    via=f"Via: SIP/2.0/UDP nowhere{i}.invalid:5060;branch=z9hG4bKx{i}{version[4]};rport",
                    version=version,
                )
                delays.append(self.ping())
        self.assertLess(sorted(delays)[len(delays) // 2] - quiet, 0.005)
        self.assertLess(max(delays) - quiet, 0.25)

    def test_malformed_messages_are_answered_or_dropped_and_forgotten(self):
        cases = [
            ({"drop": ("Max-Forwards",)}, 200),
            ({"version": "SIP/7.0"}, 505),
            ({"cseq": 99999999999}, 400),
            ({"headers": ["Call-ID: second"]}, 400),
            ({"headers": ["Content-Length: 5000"]}, 400),
            ({"headers": ["Max-Forwards: 0"]}, 200),
            ({"headers": ["Record-Route: <mailto:x@y>"]}, 400),
        ]
        for options, status in cases:
            phone = self.scripted()
            phone.send("OPTIONS", **options)
            self.assertEqual(phone.final(2).status, status, options)
        raw = self.scripted()
        host, port = self.vas.sip.split(":")
        for junk in [
            b"",
            b"\0" * 100,
            b"INVITE",
            b"\r\n\r\n",
            b"SIP/2.0 200 OK\r\n\r\n",
            b"INVITE sip:a@b SIP/2.0\r\nVia: x\r\n\r\n",
            bytes(range(256)) * 20,
        ]:
            raw.socket.sendto(junk, (host, int(port)))
        self.ping()

    def test_half_a_tcp_message_is_cut_off_and_a_whole_one_answered(self):
        host, port = self.vas.sip.split(":")
        with socket.create_connection((host, int(port))) as slow:
            slow.sendall(b"OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/T")
            slow.settimeout(20)
            begun = time.monotonic()
            self.assertEqual(slow.recv(100), b"")
            self.assertLess(time.monotonic() - begun, 15)

    def test_no_token_or_key_stands_whole_in_the_log(self):
        token = self.vas.make_outgoing()["token"]
        self.caller("nobody", *dialling(self.vas, token, "--wait", 1)).result()
        self.assertNotIn(token, self.vas.log_text())
        self.assertNotIn(KEY, self.vas.log_text())
        self.assertIn(token[:8], self.vas.log_text())


class Api(E2eTest):
    def test_wrong_requests_get_a_problem_that_says_what_is_wrong(self):
        path = f"/calls/{DOMAIN}/outgoing/15550001"
        cases = [
            (path, {}, 400, "destination"),
            (path, {"destination": 5}, 400, "destination"),
            (path, {"destination": "a\r\nb"}, 400, "destination"),
            (path, {"destination": "1", "timeLimit": 0}, 400, "timeLimit"),
            (path, {"destination": "1", "timelimit": 5}, 400, "timelimit"),
            (path, {"destination": "1", "routing": {"routes": [{}]}}, 400, "termination_ip"),
            (path, {"destination": "1", "callback": "ftp://x"}, 400, "callback"),
            (f"/calls/{DOMAIN}/outgoing/999", {"destination": "1"}, 404, "subscriber"),
            ("/calls/nowhere/outgoing/1", {"destination": "1"}, 404, "domain"),
        ]
        for where, body, status, word in cases:
            got, problem = self.vas.request("POST", where, body)
            self.assertEqual(got, status, problem)
            self.assertIn(word, problem["detail"])
        self.assertEqual(self.vas.request("POST", path, {"destination": "1"}, key="wrong")[0], 401)
        self.assertEqual(self.vas.request("POST", path, {"destination": "1"}, key=None)[0], 401)
        self.assertEqual(self.vas.request("PUT", path, {"destination": "1"})[0], 405)

    def test_the_session_in_its_three_forms_and_the_list(self):
        session = self.vas.make_outgoing(
            "63121233333", routing={"route": [{"termination_ip": "127.0.0.9:5", "termination_number": "1"}]}
        )
        token = session["token"]
        for path in [
            f"/calls/{DOMAIN}/sessions/{token}",
            f"/calls/3/outgoing/15550001/{token}",
            f"/calls/{DOMAIN}/outgoing/+15550001/{token}",
        ]:
            status, found = self.vas.request("GET", path)
            self.assertEqual(
                (status, found["remote"], found["routing"]["routes"][0]["termination_number"]),
                (200, "63121233333", "1"),
                path,
            )
        for path in [
            f"/calls/{DOMAIN}/incoming/15550001/{token}",
            f"/calls/{DOMAIN}/outgoing/15550002/{token}",
            f"/calls/{DOMAIN}/sessions/{'f' * 32}",
        ]:
            self.assertEqual(self.vas.request("GET", path)[0], 404, path)
        listed = next(
            each for each in self.vas.request("GET", f"/calls/{DOMAIN}/sessions")[1] if each["token"] == token
        )
        self.assertNotIn("routing", listed)
        status, patched = self.vas.request(
            "PATCH", f"/calls/{DOMAIN}/sessions/{token}", {"callStartTime": 1700000000000}
        )
        self.assertEqual((status, patched["callStartTime"]), (200, 1700000000000))
        self.assertEqual(
            self.vas.request("PATCH", f"/calls/{DOMAIN}/sessions/{token}", {"callStartTime": 1})[1]["callStartTime"],
            1700000000000,
        )
        self.assertEqual(self.vas.request("DELETE", f"/calls/{DOMAIN}/sessions/{token}?reason=nonsense")[0], 400)
        self.assertEqual(self.vas.request("DELETE", f"/calls/{DOMAIN}/sessions/{token}")[0], 204)


class Endings(E2eTest):
    """Crash, restart and polite shutdown; each test has a server of its own."""

    def server(self, name):
        folder = self.folder / name
        folder.mkdir()
        vas = Vas(folder, self.backend.url).start()
        self.addCleanup(vas.stop)
        return vas

    def call(self, vas):
        carrier = self.caller("carrier", "--listen", f"{TRUNK}:{vas.trunk_port}", "--tone", 440, "--seconds", 0)
        token = vas.make_outgoing()["token"]
        alice = self.caller("alice", *dialling(vas, token, "--tone", 1000, "--seconds", 0))
        wait_until(lambda: vas.session(token)[1]["status"] == "connected", 5, "the connection")
        return carrier, alice, token

    def test_kill_9_in_mid_call_leaves_one_record_of_node_failure(self):
        vas = self.server("killed")
        carrier, alice, token = self.call(vas)
        unused = vas.make_outgoing()["token"]
        time.sleep(0.3)
        vas.stop(signal.SIGKILL)
        vas.start()
        record = vas.record_of(token)
        self.assertEqual(
            (record["termination_reason"], record["local_cause"], record["ended_by"]), ("node-failure", 914, "system")
        )
        self.assertIsNotNone(record["answer"])
        # As of the last sign of life, within five seconds of the kill.
        self.assertEqual(record["recovery"], "last-known")
        self.assertGreaterEqual(record["end"], record["answer"])
        self.assertGreaterEqual(record["duration"], 0)
        self.assertEqual([leg["role"] for leg in record["legs"]], ["caller", "callee"])
        self.assertEqual(vas.session(token)[0], 404)
        self.assertEqual(vas.session(unused)[0], 200)
        vas.stop(signal.SIGKILL)
        vas.start()
        self.assertEqual(len(vas.records()), 1)

    def test_sigterm_says_bye_writes_the_record_and_exits_0(self):
        vas = self.server("polite")
        carrier, alice, token = self.call(vas)
        self.assertEqual(vas.stop(), 0)
        self.assertEqual((alice.result()["ended_by"], carrier.result()["ended_by"]), ("them", "them"))
        record = vas.record_of(token)
        self.assertEqual((record["termination_reason"], record["ended_by"]), ("shutdown", "system"))

    def test_vasctl_prints_the_last_records(self):
        vas = self.server("records")
        for _ in range(3):
            self.caller("nobody", *dialling(vas, vas.make_outgoing()["token"], "--wait", 6)).result()
        printed = subprocess.run(
            [BIN / "vasctl", "--data-dir", vas.folder / "data", "cdr", "--last", "2"], capture_output=True, text=True
        )
        self.assertEqual((printed.returncode, len(printed.stdout.splitlines())), (0, 2))
        self.assertIn("15550001 -> 999", printed.stdout)

    def test_check_config_names_the_wrong_key_and_its_line(self):
        config = self.folder / "vas.toml"
        for text, words in [
            ("node = 'a'\nsip-listn = '127.0.0.1:5060'\n", [":2:", "sip-listn"]),
            ("\n\nmedia-port-min = 'many'\n", [":3:", "media-port-min"]),
            ("http-listen = 'localhost'\n", [":1:", "http-listen"]),
            ("ice = ['lite', 'wss=half']\n", ["wss=half", "none, lite or full"]),
            ("turn-server = '192.0.2.1:3478'\n", ["turn-user", "turn-password"]),
            ("ice-relays-only = true\n", ["turn-server"]),
        ]:
            config.write_text(text)
            done = subprocess.run([BIN / "vas", "--check-config", "--config", config], capture_output=True, text=True)
            self.assertEqual(done.returncode, 2, text)
            for word in words:
                self.assertIn(word, done.stderr)
        config.write_text("node = 'a'\nmedia-timeout = 30\nice = ['lite', 'wss=full']\n")
        self.assertEqual(
            subprocess.run([BIN / "vas", "--check-config", "--config", config], capture_output=True).returncode, 0
        )


if __name__ == "__main__":
    unittest.main(verbosity=2)
