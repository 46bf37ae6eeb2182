"""Where peers may have the server send: SDP, Contacts, Record-Routes, routes and trunks that point at the server's own
host, at loopback, metadata, groups, private ranges; and media that is to run in circles."""
import contextlib
import socket
import unittest

from harness import DOMAIN, E2eTest, Phone, rtp_packet, wait_until
from hosts import SERVER, Hosts

SIP, OTHER, CALLER, CARRIER = "10.78.1.2", "10.78.2.2", "10.78.1.1", "10.78.2.1"
IP_RECVTTL = 12  # linux/in.h; the socket module does not have it
DOMAIN_KEY = "XIe2eDomainKey"


class Lab(E2eTest):
    """The server has two addresses, its media sockets all; the
    platform opens its carrier's network to it, and nothing else."""

    @classmethod
    def setUpClass(cls):
        cls.hosts = Hosts(("a", "b"))
        cls.addClassCleanup(cls.hosts.close)
        cls.backend_address = CALLER
        super().setUpClass()

    @classmethod
    def place_server(cls, vas):
        vas.address, vas.wrapper, vas.peer_allow = SIP, cls.hosts.wrapper(), ["10.78.2.0/24"]
        vas.flags += [
            "--media-bind",
            "0.0.0.0",
            "--media-advertised",
            SIP,
            "--media-kernel",
            "off",
            "--sip-offences",
            "0",
        ]
        vas.directory["apiKeys"].append({"id": 2, "key": DOMAIN_KEY, "scope": "domain", "domainId": 3})

    def phone(self, host, address):
        with self.hosts.on(host):
            phone = Phone(address, self.vas.sip)
        self.addCleanup(phone.close)
        return phone

    def token_to(self, far, **fields):
        plan = {"routes": [{"termination_ip": f"{CARRIER}:{far.port}", "termination_number": "999"}]}
        return self.vas.make_outgoing(routing=plan, **fields)["token"]

    def call(self, **invite):
        """The two phones, the caller's final answer, and what the carrier was sent."""
        near, far = self.phone("a", CALLER), self.phone("b", CARRIER)
        near.token = self.token_to(far)
        near.invite(near.token, **invite)
        request = far.receive()
        far.answer(request, 200, "OK", far.sdp())
        answer = near.final()
        near.ack(answer)
        far.receive()  # its ACK
        return near, far, answer, request


class Addresses(Lab):
    def trap(self, kind, address="127.0.0.1"):
        with self.hosts.on(SERVER):
            trap = socket.socket(socket.AF_INET, kind)
            trap.bind((address, 0))
        if kind == socket.SOCK_STREAM:
            trap.listen()
        trap.setblocking(False)
        self.addCleanup(trap.close)
        return trap

    def assert_untouched(self, trap):
        with self.assertRaises(BlockingIOError):
            trap.accept() if trap.type == socket.SOCK_STREAM else trap.recv(2048)

    @staticmethod
    def at(address, port=None):
        return lambda phone: phone.sdp(port=port).replace(f"c=IN IP4 {phone.address}", f"c=IN IP4 {address}")

    def test_an_offer_that_points_at_the_servers_own_host_or_at_nobody_is_refused_with_the_reason(self):
        for address, port, why in [
            ("127.0.0.1", 8125, "a loopback address"),
            (OTHER, 8125, "an address of this host"),
            (SIP, self.vas.sip_port, "an address of this host"),
            (SIP, 20100, None),
            ("169.254.169.254", 80, "a cloud's metadata address"),
            ("224.0.0.251", 5353, "a multicast or broadcast address"),
            ("10.78.2.255", 5004, "a multicast or broadcast address"),
            ("240.0.0.1", 5004, "a reserved address"),
        ]:
            with self.subTest(address=address, port=port):
                near, far = self.phone("a", CALLER), self.phone("b", CARRIER)
                near.invite(self.token_to(far), body=self.at(address, port)(near))
                if why is None:  # a port of the media range that no call holds: known when media is to go there
                    far.answer(far.receive(), 200, "OK", far.sdp())
                answer = near.final()
                near.ack(answer)
                if why is None:
                    self.assertEqual(near.receive().method, "BYE")
                else:
                    self.assertEqual(answer.status, 488)
                    self.assertIn(why, answer.header("Warning"))

    def test_an_answer_that_does_so_ends_the_call_and_its_record_says_why(self):
        near, far = self.phone("a", CALLER), self.phone("b", CARRIER)
        token = self.token_to(far)
        near.invite(token)
        far.answer(far.receive(), 200, "OK", self.at("127.0.0.1")(far))
        self.assertEqual(near.final().status, 488)
        self.assertEqual(far.receive().method, "ACK")
        self.assertEqual(far.receive().method, "BYE")
        record = self.vas.record_of(token)
        self.assertEqual((record["local_cause"], record["termination_reason"]), (908, "unsafe-media-address"))

    def test_a_re_invite_that_does_so_changes_nothing(self):
        near, far, _, request = self.call()
        near.send("INVITE", body=self.at("127.0.0.1")(near).replace("o=phone 1 1", "o=phone 1 2"))
        refused = near.final()
        self.assertEqual(refused.status, 488)
        near.ack(refused)
        far.rtp.sendto(rtp_packet(1, 160), (OTHER, self.port_told(request)))
        near.rtp.settimeout(3)
        self.assertTrue(near.rtp.recv(2048))
        self.assertEqual(near.bye().status, 200)

    @staticmethod
    def port_told(message):
        return message.media()[1]

    def test_a_phone_on_a_private_network_names_its_own_kind(self):
        near, far, answer, request = self.call()
        self.assertEqual(answer.status, 200)
        near.send("INVITE", body=self.at("192.168.99.7", 4000)(near).replace("o=phone 1 1", "o=phone 1 2"))
        offer = far.receive()
        far.answer(offer, 200, "OK", far.sdp(version=2))
        self.assertEqual(near.final().status, 200)

    def test_requests_stay_on_the_flow_of_a_phone_whose_contact_or_record_route_leads_inside(self):
        for kind, transport in [(socket.SOCK_DGRAM, ""), (socket.SOCK_STREAM, ";transport=tcp")]:
            for header in [
                "Contact: <sip:x@127.0.0.1:{}{}>",
                "Record-Route: <sip:127.0.0.1:{};lr{}>",
                f"Contact: <sip:x@{OTHER}:{{}}{{}}>",
                "Record-Route: <sip:169.254.169.254:{};lr{}>",
            ]:
                with self.subTest(header=header, transport=transport):
                    trap = self.trap(kind, OTHER if OTHER in header else "127.0.0.1")
                    line = header.format(trap.getsockname()[1], transport)
                    options = {"contact": line} if line.startswith("Contact") else {"headers": [line]}
                    near, far, answer, _ = self.call(**options)
                    self.assertEqual(answer.status, 200)
                    self.vas.request("DELETE", f"/calls/{DOMAIN}/sessions/{near.token}")
                    self.assertEqual(near.receive().method, "BYE")
                    self.assert_untouched(trap)

    def test_a_callee_whose_contact_leads_inside_gets_its_ack_where_it_is(self):
        trap = self.trap(socket.SOCK_DGRAM)
        near, far = self.phone("a", CALLER), self.phone("b", CARRIER)
        near.invite(self.token_to(far))
        request, good = far.receive(), far.port
        far.address, far.port = "127.0.0.1", trap.getsockname()[1]
        far.answer(request, 200, "OK", far.sdp().replace("127.0.0.1", CARRIER))
        far.address, far.port = CARRIER, good
        self.assertEqual(near.final().status, 200)
        self.assertEqual(far.receive().method, "ACK")
        self.assert_untouched(trap)

    def test_routes_that_lead_inside_are_refused_by_the_api_and_those_of_a_name_when_it_is_known(self):
        trap = self.trap(socket.SOCK_DGRAM)
        port = trap.getsockname()[1]
        for target in [
            f"127.0.0.1:{port}",
            f"[::ffff:127.0.0.1]:{port}",
            f"127.0.0.1:{port};transport=tcp",
            self.vas.sip,
            f"{OTHER}:{port}",
            "10.9.9.9",
            "169.254.169.254",
        ]:
            plan = {"routes": [{"termination_ip": target, "termination_number": "1"}]}
            status, problem = self.vas.request(
                "POST", f"/calls/{DOMAIN}/outgoing/15550001", {"destination": "1", "routing": plan}
            )
            self.assertEqual(status, 400, target)
            self.assertIn("routing.routes[0].termination_ip` names", problem["detail"])
        far, near = self.phone("b", CARRIER), self.phone("a", CALLER)
        plan = {
            "routes": [
                {"termination_ip": target, "termination_number": "999"}
                for target in (f"localhost:{port}", f"{CARRIER}:{far.port}")
            ]
        }
        near.invite(self.vas.make_outgoing(routing=plan)["token"])
        self.assertEqual(far.receive().method, "INVITE")  # the next route
        self.assert_untouched(trap)

    def test_a_trunk_leads_into_a_private_range_where_the_system_says_so(self):
        path = f"/domains/{DOMAIN}/trunks"
        fields = {"name": "pbx", "targets": ["10.9.9.9:5060"], "prefixes": ["77"]}
        status, problem = self.vas.request("POST", path, fields, key=DOMAIN_KEY)
        self.assertEqual((status, "10.9.9.9" in problem["detail"]), (400, True))
        status, problem = self.vas.request("POST", path, {**fields, "reachesPrivate": True}, key=DOMAIN_KEY)
        self.assertEqual((status, "system key" in problem["detail"]), (400, True))
        status, trunk = self.vas.request("POST", path, fields)
        self.assertEqual((status, trunk["reachesPrivate"]), (201, True))
        status, trunk = self.vas.request("PATCH", f"{path}/{trunk['id']}", {"name": "renamed"}, key=DOMAIN_KEY)
        self.assertEqual((status, trunk["reachesPrivate"]), (200, True))
        self.assertEqual(
            self.vas.request("PATCH", f"{path}/{trunk['id']}", {"targets": ["10.9.9.8"]}, key=DOMAIN_KEY)[0], 400
        )
        self.assertEqual(self.vas.request("POST", path, {"name": "own", "targets": [f"{OTHER}:9"]})[0], 400)
        self.assertEqual(self.vas.request("DELETE", f"{path}/{trunk['id']}")[0], 204)

    def test_no_pair_of_legs_is_made_to_loop_through_any_address_of_the_host(self):
        for address in (OTHER, SIP, "127.0.0.1"):
            with self.subTest(address=address):
                (near, far, _, _), (_, _, _, other) = self.call(), self.call()
                near.send(
                    "INVITE", body=self.at(address, self.port_told(other))(near).replace("o=phone 1 1", "o=phone 1 2")
                )
                offer = far.receive()
                far.answer(offer, 200, "OK", far.sdp(version=2))
                answer = near.final()
                self.assertEqual(answer.status, 200)  # known when media is to go there
                near.ack(answer)
                self.assertEqual(near.receive().method, "BYE")
                self.assertEqual(self.vas.record_of(near.token)["local_cause"], 908)


class TimeToLive(Lab):
    """What is relayed lives less long than it came with, by whatever means it is sent."""

    means = ()

    @classmethod
    def place_server(cls, vas):
        super().place_server(vas)
        vas.flags += cls.means

    def test_goes_down_by_one_or_to_what_the_server_sends_with(self):
        near, far, answer, _ = self.call()
        far.rtp.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
        far.rtp.settimeout(0.3)
        number = 0

        def reaches():  # once the worker has heard of the call
            nonlocal number
            number += 1
            near.rtp.sendto(rtp_packet(number, 160 * number), answer.media())
            with contextlib.suppress(TimeoutError):
                return far.rtp.recv(2048)

        wait_until(reaches, 10, "the first packet")
        with contextlib.suppress(TimeoutError):
            while far.rtp.recv(2048):
                pass
        far.rtp.settimeout(3)
        for sent, heard in [
            (64, 48),
            (255, 48),
            (49, 48),
            (48, 47),
            (10, 9),
            (2, 1),
        ] * 2:  # by sockets first, then perhaps as frames
            near.rtp.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, sent)
            number += 1
            near.rtp.sendto(rtp_packet(number, 160 * number), answer.media())
            _, control, _, _ = far.rtp.recvmsg(2048, 64)
            self.assertEqual(int.from_bytes(control[0][2], "little"), heard, sent)
        near.rtp.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)
        near.rtp.sendto(rtp_packet(number + 1, 160 * (number + 1)), answer.media())
        far.rtp.settimeout(0.3)
        with self.assertRaises(TimeoutError):
            far.rtp.recv(2048)
        self.assertEqual(near.bye().status, 200)


class TimeToLiveByEpoll(TimeToLive):
    means = ("--media-io", "epoll", "--media-send", "sockets")


class TimeToLiveByUring(TimeToLive):
    means = ("--media-send", "sockets")


if __name__ == "__main__":
    unittest.main()
