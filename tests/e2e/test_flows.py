"""Flows that move, break and idle: transactions from another port,
connections that are gone, keep-alives, hops that are not there."""
import re
import socket
import struct
import time
import unittest

from harness import BOB, DOMAIN, TRUNK, E2eTest, Phone, StreamPhone, WebSocketPhone, free_ports, rtp_packet

TCP_REPAIR = 19  # linux/tcp.h: such a socket is closed without a word to its peer


class Carrier(StreamPhone):
    """A carrier's TCP listener: one party, over whatever connections it is given."""

    def open(self, address):
        self.listener = socket.create_server((address, 0))
        self.socket, self.buffer = self.listener, b""
        self.port_of_listener = self.listener.getsockname()[1]

    def accept(self, seconds=5):
        self.listener.settimeout(seconds)
        self.socket, self.buffer = self.listener.accept()[0], b""
        return self

    def take(self, seconds):
        if self.socket is self.listener:
            self.accept(seconds)
        return super().take(seconds)

    def close(self):
        super().close()
        self.listener.close()


class FlowsTest(E2eTest):
    def at(self, address, kind=Phone):
        phone = kind(address, self.vas.sip)
        self.addCleanup(phone.close)
        return phone

    def twin(self, phone, address=None, kind=None):
        """The same party at another port, or over another connection."""
        other = self.at(address or phone.address, kind or type(phone))
        for name in ("call_id", "tag", "remote_to", "target", "cseq", "branch"):
            setattr(other, name, getattr(phone, name))
        return other

    def nothing(self, phone, seconds=0.8):
        try:
            self.fail(f"this came:\n{phone.take(seconds)}")
        except TimeoutError:
            pass

    def via(self, phone, port=None):
        return f"Via: SIP/2.0/{phone.via_transport} {phone.address}:{port or phone.port};branch={phone.branch};rport"

    def until(self, phone, what, seconds=10):
        """The next message of that method or status."""
        deadline = time.monotonic() + seconds
        while True:
            message = phone.receive(max(0.1, deadline - time.monotonic()))
            if what in (message.status, message.method):
                return message

    def join(self, far, request):
        """`far` answered `request`: what it says in that dialog."""
        far.remote_to, far.call_id = request.header("From"), request.header("Call-ID")
        far.target = re.search(r"<([^>]+)>", request.header("Contact")).group(1)

    def up(self, near, far, token, **invite):
        near.invite(token, **invite)
        request = self.until(far, "INVITE")
        far.answer(request, 200, "OK", far.sdp())
        answer = near.final()
        near.ack(answer)
        self.until(far, "ACK")
        self.join(far, request)
        return request, answer


class Transactions(FlowsTest):
    """RFC 3261 §17.2.3, §9.2: by branch and sent-by, whatever the source port."""

    def ringing(self):
        (far, token), near = self.far_phone(), self.at("127.0.1.30")
        near.invite(token)
        request = far.receive()
        far.answer(request, 180, "Ringing")
        self.until(near, 180)
        return near, far, token, request

    def test_a_repeat_and_a_cancel_from_another_port_find_their_invite_and_are_answered_there(self):
        near, far, token, request = self.ringing()
        other = self.twin(near)
        other.send(
            "INVITE",
            body=near.sdp(),
            branch=near.branch,
            via=self.via(near),
            cseq=near.cseq,
            headers=[f"X-Cloudonix-Session: {token}", f"X-Cloudonix-Domain: {DOMAIN}"],
        )
        self.assertEqual(other.receive().status, 180)
        self.nothing(far)  # it is no second call
        other.send("CANCEL", branch=near.branch, via=self.via(near), cseq=near.cseq)
        self.assertEqual({other.final().status, other.final().status}, {200, 487})
        cancel = far.receive()
        self.assertEqual(cancel.method, "CANCEL")
        far.answer(cancel, 200, "OK")
        far.answer(request, 487, "Request Terminated")
        self.assertEqual(self.vas.record_of(token)["disposition"], "CANCELLED")

    def test_a_cancel_that_fits_no_transaction_gets_481_and_ends_nothing(self):
        near, far, _, _ = self.ringing()
        forger = self.twin(near, "127.0.1.31")
        for changed in ({"branch": "z9hG4bKguessed"}, {"call_id": "another"}, {"tag": "another"}):
            with self.subTest(**changed):
                liar = self.twin(near, "127.0.1.31")
                for name, value in changed.items():
                    setattr(liar, name, value)
                liar.send(
                    "CANCEL",
                    branch=liar.branch,
                    cseq=near.cseq,
                    via=f"Via: SIP/2.0/UDP {near.address}:{near.port};branch={liar.branch};rport",
                )
                self.assertEqual(liar.final().status, 481)
        self.nothing(far)
        forger.send("CANCEL", branch=near.branch, cseq=near.cseq)  # its own sent-by
        self.assertEqual(forger.final().status, 481)
        near.send("CANCEL", branch=near.branch, cseq=near.cseq)
        self.assertEqual(far.receive().method, "CANCEL")

    def test_an_ack_from_another_port_ends_the_repeats_of_a_refusal(self):
        (far, token), near = self.far_phone(), self.at("127.0.1.32")
        near.invite(token)
        far.answer(far.receive(), 486, "Busy Here")
        refusal = near.final()
        other = self.twin(near)
        other.send("ACK", branch=near.branch, via=self.via(near), cseq=near.cseq, to=refusal.header("To"))
        self.nothing(near, 1.5)

    def test_a_copy_over_another_path_is_482_and_the_call_goes_on(self):
        near, far, token, _ = self.ringing()
        copy = self.twin(near, "127.0.1.33")
        copy.send(
            "INVITE",
            body=near.sdp(),
            cseq=near.cseq,
            headers=[f"X-Cloudonix-Session: {token}", f"X-Cloudonix-Domain: {DOMAIN}"],
        )
        self.assertEqual(copy.final().status, 482)
        self.nothing(far)

    def test_copies_of_what_is_in_a_dialog_without_its_to_tag_make_no_call(self):
        trunk = self.at(TRUNK)
        trunk.invite(user=BOB)
        self.until(trunk, 180)
        token = self.notification()["session"]
        near = self.at("127.0.1.34")
        near.invite(token)
        near.ack(near.final())
        answer = trunk.final()
        trunk.ack(answer)
        trunk.send("INFO", body="x")
        self.until(near, "INFO")
        for method, cseq, statuses in (
            ("INVITE", 1, {482}),
            ("INVITE", 7, {481}),
            ("INFO", trunk.cseq, {481}),
            ("BYE", 8, {481}),
        ):
            with self.subTest(method, cseq=cseq):
                copy = self.twin(trunk)
                copy.remote_to = copy.target = None
                copy.send(method, user=BOB, body=trunk.sdp() if method == "INVITE" else "", cseq=cseq)
                self.assertIn(copy.final().status, statuses)
        self.assertEqual(len(self.backend.notifications), 1)
        trunk.cseq = 20
        self.assertEqual(trunk.bye().status, 200)


class ConnectionsGone(FlowsTest):
    """RFC 3261 §18.2.2, §12.2.1.1; RFC 5626."""

    def called_by(self, carrier, trunk):
        """A carrier's connection calls, its listener is its Contact; a subscriber picks up. Returns the subscriber."""
        trunk.invite(
            user=BOB,
            contact=f"Contact: <sip:gw@{TRUNK}:{carrier.port};transport=tcp>",
            via=f"Via: SIP/2.0/TCP {TRUNK}:{carrier.port};branch=z9hG4bK{time.monotonic_ns()}",
        )
        self.until(trunk, 180)
        near = self.at("127.0.1.40")
        near.invite(self.notification()["session"])
        return near

    def test_the_bye_for_a_carrier_whose_connection_is_gone_goes_to_its_contact(self):
        for closes in ("orderly", "without a word"):
            with self.subTest(closes):
                self.backend.notifications.clear()
                carrier, trunk = self.at(TRUNK, Carrier), self.at(TRUNK, StreamPhone)
                near = self.called_by(carrier, trunk)
                near.ack(near.final())
                trunk.ack(trunk.final())
                if closes == "without a word":  # it was started anew: what is sent there is answered by a reset
                    trunk.socket.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
                trunk.socket.close()
                near.send("BYE")
                bye = self.until(carrier, "BYE")
                carrier.answer(bye, 200, "OK")
                self.assertEqual(near.final().status, 200)

    def test_hold_and_bye_for_a_carrier_that_we_called_go_over_a_new_connection(self):
        carrier, near = self.at(TRUNK, Carrier), self.at("127.0.1.41")
        plan = {"routes": [{"termination_ip": f"{TRUNK}:{carrier.port};transport=tcp", "termination_number": "999"}]}
        carrier.contact_parameters = ";transport=tcp"
        near.invite(self.vas.make_outgoing(routing=plan)["token"])
        request = self.until(carrier, "INVITE")
        self.answer_over_tcp(carrier, request, carrier.sdp())
        near.ack(near.final())
        self.until(carrier, "ACK")
        carrier.socket.close()
        carrier.socket = carrier.listener
        near.send("INVITE", body=near.sdp("sendonly", version=2))
        offer = self.until(carrier, "INVITE")
        self.answer_over_tcp(carrier, offer, carrier.sdp("recvonly", version=2))
        answer = near.final()
        self.assertEqual(answer.status, 200)
        near.ack(answer)
        self.until(carrier, "ACK")
        carrier.socket.close()
        carrier.socket = carrier.listener
        near.send("BYE")
        self.answer_over_tcp(carrier, self.until(carrier, "BYE"))

    def answer_over_tcp(self, carrier, request, body=""):
        tag = "" if "tag=" in request.header("To") else f";tag={carrier.tag}"
        lines = [
            "SIP/2.0 200 OK",
            *[f"Via: {value}" for value in request.all("Via")],
            f"From: {request.header('From')}",
            f"To: {request.header('To')}{tag}",
            f"Call-ID: {request.header('Call-ID')}",
            f"CSeq: {request.header('CSeq')}",
            f"Contact: <sip:gw@{TRUNK}:{carrier.port};transport=tcp>",
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        carrier.transmit("\r\n".join(lines) + "\r\n\r\n" + body)

    def test_the_200_for_a_carrier_whose_connection_is_gone_goes_to_its_sent_by(self):
        carrier, trunk = self.at(TRUNK, Carrier), self.at(TRUNK, StreamPhone)
        trunk.invite(
            user=BOB,
            contact=f"Contact: <sip:gw@{TRUNK}:{carrier.port};transport=tcp>",
            via=f"Via: SIP/2.0/TCP {TRUNK}:{carrier.port};branch=z9hG4bK{time.monotonic_ns()}",
        )
        self.until(trunk, 180)
        token = self.notification()["session"]
        trunk.socket.close()
        near = self.at("127.0.1.42")
        near.invite(token)
        near.ack(near.final())
        answer = carrier.receive(10)
        self.assertEqual(answer.status, 200)
        for name in ("call_id", "tag", "cseq"):
            setattr(carrier, name, getattr(trunk, name))
        carrier.ack(answer)
        self.assertEqual(carrier.bye().status, 200)
        self.assertEqual(self.until(near, "BYE").method, "BYE")

    def test_a_cancel_over_another_connection_finds_its_invite(self):
        carrier, trunk = self.at(TRUNK, Carrier), self.at(TRUNK, StreamPhone)
        branch = f"z9hG4bK{time.monotonic_ns()}"
        via = f"Via: SIP/2.0/TCP {TRUNK}:{carrier.port};branch={branch}"
        trunk.invite(user=BOB, branch=branch, via=via)
        self.until(trunk, 180)
        token = self.notification()["session"]
        other = self.twin(trunk)
        trunk.socket.close()
        other.send("CANCEL", user=BOB, branch=branch, via=via, cseq=trunk.cseq)
        self.assertEqual({other.final().status, other.final().status}, {200, 487})
        self.assertEqual(self.vas.record_of(token)["disposition"], "CANCELLED")

    def test_who_is_reached_by_its_flow_alone_fails_at_once(self):
        for contact in (
            "Contact: <sip:phone@127.0.1.43:5099;transport=tcp;ob>",
            "Contact: <sip:phone@10.0.0.43:5060;transport=tcp>",
        ):
            with self.subTest(contact):
                (far, token), near = self.far_phone(), self.at("127.0.1.43", StreamPhone)
                self.up(near, far, token, contact=contact)
                near.socket.close()
                begun = time.monotonic()
                far.send("INVITE", body=far.sdp("sendonly", version=2))
                refusal = far.final()
                self.assertEqual(refusal.status, 480)
                self.assertLess(time.monotonic() - begun, 10)  # and not after 64 T1
                far.ack(refusal)
                far.send("BYE")
                self.until(far, 200)

    def test_a_request_before_half_a_close_is_answered(self):
        phone = self.at("127.0.1.44", StreamPhone)
        phone.send("OPTIONS")
        phone.socket.shutdown(socket.SHUT_WR)
        self.assertEqual(phone.final().status, 200)
        (far, token), near = self.far_phone(), self.at("127.0.1.45", StreamPhone)
        near.invite(token)
        near.socket.shutdown(socket.SHUT_WR)
        far.answer(self.until(far, "INVITE"), 486, "Busy Here")
        self.assertEqual(near.final().status, 486)


class Moved(FlowsTest):
    flags = ("--ws-listen", "127.0.0.1:0")

    @classmethod
    def place_server(cls, vas):
        cls.ws_port = free_ports()
        vas.flags = ["--ws-listen", f"127.0.0.1:{cls.ws_port}"]

    def at(self, address, kind=Phone):
        phone = kind(address, f"127.0.0.1:{self.ws_port}" if kind is WebSocketPhone else self.vas.sip)
        self.addCleanup(phone.close)
        return phone

    def test_after_a_re_invite_over_a_new_connection_requests_go_there(self):
        for kind in (StreamPhone, WebSocketPhone):
            with self.subTest(kind.__name__):
                (far, token), near = self.far_phone(), self.at("127.0.0.1", kind)
                self.up(near, far, token)
                near.socket.close()
                again = self.twin(near)
                again.send("INVITE", body=again.sdp(version=2))
                offer = self.until(far, "INVITE")
                far.answer(offer, 200, "OK", far.sdp(version=2))
                answer = again.final()
                self.assertEqual(answer.status, 200)
                again.ack(answer)
                self.until(far, "ACK")
                far.send("INVITE", body=far.sdp("sendonly", version=3))
                hold = self.until(again, "INVITE")
                again.answer(hold, 200, "OK", again.sdp("recvonly", version=3))
                held = far.final()
                self.assertEqual(held.status, 200)
                far.ack(held)
                far.send("BYE")
                self.until(again, "BYE")

    def test_after_a_re_invite_from_another_port_of_a_nat_requests_go_there(self):
        contact = "Contact: <sip:phone@10.9.8.7:5060>"
        (far, token), near = self.far_phone(), self.at("127.0.1.50")
        self.up(near, far, token, contact=contact)
        again = self.twin(near)

        def says():
            again.send(
                "INVITE",
                body=again.sdp(version=2),
                contact=contact,
                cseq=near.cseq + 1,
                branch="z9hG4bKmoved",
                via="Via: SIP/2.0/UDP 10.9.8.7:5060;branch=z9hG4bKmoved;rport",
            )

        says()
        question = again.receive()
        if question.method == "OPTIONS":  # who is there?
            again.answer(question, 200, "OK")
            says()
        offer = self.until(far, "INVITE")
        far.answer(offer, 200, "OK", far.sdp(version=2))
        answer = again.final()
        again.cseq = near.cseq + 1
        again.ack(answer)
        self.until(far, "ACK")
        far.send("BYE")
        self.until(again, "BYE")

    def talk(self, near, near_to, far, far_to):
        """Both speak until each has heard ten packets, or for ten seconds."""
        heard = {near: 0, far: 0}
        for phone in heard:
            phone.rtp.setblocking(False)
            self.drained(phone)
        for number in range(500):
            for phone, to, ssrc in ((near, near_to, 0x1111), (far, far_to, 0x2222)):
                phone.rtp.sendto(rtp_packet(self.sent + number, 160 * (self.sent + number), ssrc), to)
            time.sleep(0.02)
            for phone in heard:
                heard[phone] += self.drained(phone)
            if min(heard.values()) >= 10:
                break
        self.sent += 500
        return min(heard.values()) >= 10

    sent = 0

    def drained(self, phone):
        count = 0
        try:
            while phone.rtp.recv(4096):
                count += 1
        except (BlockingIOError, ConnectionRefusedError):
            return count

    def test_a_phone_behind_a_nat_that_comes_into_another_network_is_heard_and_hears_there(self):
        def private(phone, address, version):
            return phone.sdp(version=version).replace(f"c=IN IP4 {phone.address}", f"c=IN IP4 {address}")

        (far, token), near = self.far_phone(), self.at("127.0.1.70")
        request, answer = self.up(
            near, far, token, body=private(near, "10.9.8.7", 1), contact="Contact: <sip:phone@10.9.8.7:5060>"
        )
        self.assertTrue(self.talk(near, answer.media(), far, request.media()), "before")
        moved = self.twin(near, "127.0.1.71")

        def says():
            moved.send(
                "INVITE",
                body=private(moved, "10.20.0.5", 2),
                contact="Contact: <sip:phone@10.20.0.5:5060>",
                cseq=near.cseq + 1,
                branch="z9hG4bKnetwork",
                via="Via: SIP/2.0/UDP 10.20.0.5:5060;branch=z9hG4bKnetwork;rport",
            )

        says()
        question = moved.receive()
        self.assertEqual(question.method, "OPTIONS")  # who is there?
        moved.answer(question, 200, "OK")
        says()
        offer = self.until(far, "INVITE")
        far.answer(offer, 200, "OK", far.sdp(version=2))
        answer = moved.final()
        self.assertEqual(answer.status, 200)
        moved.cseq = near.cseq + 1
        moved.ack(answer)
        self.until(far, "ACK")
        self.assertTrue(self.talk(moved, answer.media(), far, offer.media()), "after the move")
        far.send("BYE")
        self.until(moved, "BYE")

    def test_a_page_keeps_its_socket_and_gets_pongs(self):
        page = self.at("127.0.0.1", WebSocketPhone)
        waiting = self.at("127.0.0.1", WebSocketPhone)
        for _ in range(80):  # JsSIP's and SIP.js' keep-alive
            page.web.send("\r\n\r\n")
            self.assertEqual(page.take(5), "\r\n")
        page.web.send("\r\n")  # a pong is not answered
        began = time.monotonic()
        while time.monotonic() - began < 12:  # longer than a first message may take elsewhere
            time.sleep(1)
        for each in (page, waiting):
            each.send("OPTIONS")
            self.assertEqual(each.final().status, 200)


class KeepAlives(FlowsTest):
    BINDING = struct.pack("!HHI12s", 1, 0, 0x2112A442, b"abcdefghijkl")

    def raw(self, phone, data):
        host, port = self.vas.sip.split(":")
        phone.socket.sendto(data, (host, int(port)))

    def test_what_phones_send_to_keep_a_nats_binding_is_no_offence(self):
        for n, data in enumerate(
            (b"\r\n\r\n", b"\0\0\0\0", b"", b"jaK", b"jaK\0", b"0", b"ping\r\n\r\n", b"\t\r\n", self.BINDING)
        ):
            with self.subTest(data):
                phone = self.at(f"127.0.3.{n + 1}")
                for _ in range(30):
                    self.raw(phone, data)
                phone.send("OPTIONS")
                self.assertEqual(phone.final().status, 200)

    def test_line_ends_before_a_request_in_its_datagram_are_skipped(self):
        for front in ("\r\n", "\r\n\r\n", "\n"):
            with self.subTest(front):
                phone = self.at("127.0.3.20")
                transmit = phone.transmit
                phone.transmit = lambda text: transmit(front + text)
                phone.send("OPTIONS")
                self.assertEqual(phone.final().status, 200)

    def test_stun_is_answered_to_who_has_shown_that_it_is_there_and_to_others_with_no_more_than_they_sent(self):
        stranger = self.at("127.0.3.30")
        self.raw(stranger, self.BINDING)  # 20 bytes, and the answer has 32
        self.nothing(stranger)
        (far, token), near = self.far_phone(), self.at("127.0.3.31")
        self.up(near, far, token)
        near.send("INFO", body="x")
        far.answer(self.until(far, "INFO"), 200, "OK")
        self.assertEqual(near.final().status, 200)
        self.raw(near, self.BINDING)
        near.socket.settimeout(5)
        answer = near.socket.recv(100)
        port = struct.unpack("!H", answer[26:28])[0] ^ 0x2112
        self.assertEqual((answer[:2], answer[8:20], port), (b"\1\1", b"abcdefghijkl", near.port))


class StrictRoutes(FlowsTest):
    """RFC 3261 §12.2.1.1: a router without lr finds itself in the Request-URI, and the target in the last Route."""

    def test_a_record_route_without_lr_is_followed(self):
        (far, token), near, router = self.far_phone(), self.at("127.0.1.65"), self.at(TRUNK)
        near.invite(token)
        far.answer(far.receive(), 200, "OK", far.sdp(), [f"Record-Route: <sip:{TRUNK}:{router.port}>"])
        near.ack(near.final())
        near_bye = None
        for method in ("ACK", "BYE"):
            request = self.until(router, method)
            self.assertEqual(request.start, f"{method} sip:{TRUNK}:{router.port} SIP/2.0")
            self.assertEqual(request.all("Route"), [f"<sip:phone@{TRUNK}:{far.port}>"])
            if near_bye is None:
                near_bye = near.send("BYE")
        router.answer(request, 200, "OK")
        self.assertEqual(near.final().status, 200)


class Unreachable(FlowsTest):
    def test_a_next_hop_where_nobody_listens_is_left_at_once(self):
        closed = self.at(TRUNK)
        nobody = closed.port
        closed.socket.close()
        far, near = self.at(TRUNK), self.at("127.0.1.60")
        plan = {
            "routes": [
                {"termination_ip": f"{TRUNK}:{port}", "termination_number": "999"} for port in (nobody, far.port)
            ]
        }
        token = self.vas.make_outgoing(routing=plan)["token"]
        near.invite(token)
        request = far.receive(3)  # silence would have taken 4 s
        far.answer(request, 486, "Busy Here")
        near.ack(near.final())
        route = self.vas.record_of(token)["route"]
        self.assertEqual([each["code"] for each in route], [503, 486])

    def test_a_peer_that_goes_away_later_ends_no_call(self):
        (far, token), near = self.far_phone(), self.at("127.0.1.61")
        near.invite(token)
        request = far.receive()
        far.answer(request, 180, "Ringing")
        ringing, branch, cseq = self.until(near, 180), near.branch, near.cseq
        far.socket.close()  # what comes now gets an ICMP error
        near.send(
            "INFO",
            body="x",
            to=ringing.header("To"),
            target=re.search(r"<([^>]+)>", ringing.header("Contact")).group(1),
        )
        self.nothing(near)
        self.assertEqual(self.vas.session(token)[1]["status"], "ringing")
        near.send("CANCEL", branch=branch, cseq=cseq)
        self.until(near, 487)
        self.assertEqual(self.vas.record_of(token)["disposition"], "CANCELLED")


if __name__ == "__main__":
    unittest.main()
