"""The relay on real hosts: the kernel's fast path beside user
space, several interfaces, strangers, loops of routes and MACs."""
import http.client
import json
import os
import random
import re
import signal
import socket
import struct
import threading
import time
import unittest

from hosts import SERVER, Hosts
from harness import ALICE, DOMAIN, KEY, Caller, E2eTest, Phone, Vas, free_ports, rtp_packet, wait_until

FRAME = 0.005  # a packet each 5 ms, 40 ticks: four times as quick as a phone, to be done sooner
TICKS = 40


class RelayTest(E2eTest):
    """The caller is on host a, the callee on host b, and their server has an interface to each."""

    @classmethod
    def setUpClass(cls):
        cls.hosts = Hosts()
        cls.addClassCleanup(cls.hosts.close)
        super().setUpClass()
        if "no kernel fast path: the" in cls.vas.log_text():
            cls.tearDownClass()
            raise unittest.SkipTest("the kernel does not let us load BPF programs")

    @classmethod
    def place_server(cls, vas):
        vas.address, vas.wrapper = "10.78.1.2", cls.hosts.wrapper()
        vas.sip6_port = free_ports()
        vas.flags += [
            "--media-bind",
            "10.78.1.2",
            "--media-bind6",
            "fd00:78:1::2",
            "--sip-listen",
            f"[fd00:78:1::2]:{vas.sip6_port}",
        ]

    def phone(self, host, address):
        with self.hosts.on(host):
            phone = Phone(address, self.vas.sip)
        self.addCleanup(phone.close)
        return phone

    def call(self, vas=None):
        """Two phones that talk to each other: (caller, where it sends to, callee, where that sends to, token)."""
        vas = vas or self.vas
        near, far = self.phone("a", "10.78.1.1"), self.phone("b", "10.78.2.1")
        near.server = far.server = vas.sip
        plan = {"routes": [{"termination_ip": f"10.78.2.1:{far.port}", "termination_number": "999"}]}
        status, session = vas.request(
            "POST", f"/calls/{DOMAIN}/outgoing/{ALICE}", {"destination": "999", "routing": plan}
        )
        self.assertEqual(status, 200, session)
        near.invite(session["token"])
        invite = far.receive()
        far.answer(invite, 200, "OK", far.sdp())
        answer = near.final()
        near.ack(answer)
        self.assertEqual(far.receive().method, "ACK")
        far.remote = invite
        return near, answer.media(), far, invite.media(), session["token"]

    def on_host(self, host, name, *flags):
        caller = Caller(self.folder, f"{self._testMethodName}-{name}", *flags, wrapper=self.hosts.wrapper(host))
        self.addCleanup(caller.kill)
        return caller

    def kernel_legs(self, vas=None):
        return self.metric(r"vas_media_kernel_legs", vas)

    def metric(self, pattern, vas=None):
        vas = vas or self.vas
        connection = http.client.HTTPConnection(vas.address, vas.http_port, timeout=10)
        connection.request("GET", "/metrics", headers={"Authorization": "bearer " + KEY})
        text = connection.getresponse().read().decode()
        connection.close()
        return float(re.search(r"^" + pattern + r" (\S+)$", text, re.M)[1])


class Talk(threading.Thread):
    """A phone's stream, steadily, and whatever its partner gets of
    it: (number, timestamp, ssrc, payload type, payload, TOS)."""

    def __init__(self, phone, target, partner, count, payload_type=0, first=60000, frame=FRAME):
        super().__init__(daemon=True)
        self.phone, self.target, self.partner = phone, target, partner
        self.count, self.payload_type, self.first, self.frame = count, payload_type, first, frame
        self.received = []
        partner.rtp.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
        partner.rtp.settimeout(0.2)
        self.listener = threading.Thread(target=self.listen, daemon=True)
        self.is_over = False
        self.listener.start()
        self.start()

    def run(self):
        begun = time.monotonic()
        for i in range(self.count):
            time.sleep(max(0, begun + i * self.frame - time.monotonic()))
            self.phone.rtp.sendto(
                rtp_packet(
                    self.first + i,
                    TICKS * i,
                    payload_type=self.payload_type,
                    payload=struct.pack("!I", i) + b"\xd5" * 156,
                ),
                self.target,
            )

    def listen(self):
        while not self.is_over:
            try:
                datagram, control, _, _ = self.partner.rtp.recvmsg(2048, 64)
            except TimeoutError:
                continue
            except OSError:
                return
            first, second, number, timestamp, ssrc, index = struct.unpack("!BBHIII", datagram[:16])
            tos = control[0][2][0] if control else None
            self.received.append((number, timestamp, ssrc, second & 0x7F, index, tos))

    def end(self):
        self.join()
        time.sleep(0.3)
        self.is_over = True
        self.listener.join()
        return self.received


class Paths(RelayTest):
    def test_a_call_goes_into_the_kernel_and_nothing_of_it_is_lost_or_changed(self):
        near, near_to, far, far_to, token = self.call()
        there, back = Talk(near, near_to, far, 600), Talk(far, far_to, near, 600)
        wait_until(lambda: self.kernel_legs() == 2, 3, "both directions in the kernel")
        for received in (there.end(), back.end()):
            self.assertEqual([packet[4] for packet in received], list(range(600)), "every payload once and in order")
            numbers = [packet[0] for packet in received]
            self.assertEqual([(each - numbers[0]) & 0xFFFF for each in numbers], list(range(600)))
            self.assertEqual(len({packet[2] for packet in received}), 1, "one SSRC")
            self.assertEqual(
                [(packet[1] - received[0][1]) & 0xFFFFFFFF for packet in received], [TICKS * i for i in range(600)]
            )
            self.assertEqual({packet[5] for packet in received}, {0xB8}, "DSCP EF by either path")
        near.bye()
        wait_until(lambda: self.kernel_legs() == 0, 3, "the end of it in the kernel")
        record = self.vas.record_of(token)
        for leg in record["legs"]:
            self.assertEqual(
                (leg["received"]["packets"], leg["received"]["lost"], leg["sent"]["packets"]), (600, 0, 600)
            )
            self.assertGreater(leg["sent"]["by_kernel"], 400)
            self.assertEqual(leg["ptime"], 5)
            self.assertEqual(leg["codec"], "PCMU")

    def test_hold_resume_a_re_invite_and_a_patch_lose_and_repeat_nothing(self):
        near, near_to, far, far_to, token = self.call()
        there, back = Talk(near, near_to, far, 1600), Talk(far, far_to, near, 1600)

        def in_kernel():
            wait_until(lambda: self.kernel_legs() == 2, 4, "both directions in the kernel")

        def reinvite(direction):
            near.send("INVITE", body=near.sdp(direction, version=near.cseq + 1))
            request = far.receive()
            self.assertEqual(request.method, "INVITE")
            far.answer(
                request, 200, "OK", far.sdp({"sendonly": "recvonly"}.get(direction, direction), version=near.cseq + 1)
            )
            near.ack(near.final())
            self.assertEqual(far.receive().method, "ACK")

        in_kernel()
        self.assertEqual(self.vas.request("PATCH", f"/calls/{DOMAIN}/sessions/{token}", {"timeLimit": 600})[0], 200)
        reinvite("sendrecv")
        in_kernel()
        reinvite("sendonly")  # hold: the callee is not to be heard
        wait_until(lambda: self.kernel_legs() == 0, 2, "hold takes the call out")
        reinvite("sendrecv")
        in_kernel()
        self.check_whole(there.end(), 1600)
        heard = back.end()
        numbers = [packet[0] for packet in heard]
        self.assertEqual(
            [(each - numbers[0]) & 0xFFFF for each in numbers],
            list(range(len(heard))),
            "what was held back leaves no gap",
        )
        near.bye()
        self.assertEqual(self.vas.record_of(token)["legs"][0]["received"]["lost"], 0)

    def check_whole(self, received, count):
        indices = [packet[4] for packet in received]
        self.assertLessEqual(len(set(range(count)) - set(indices)), 1, "lost")
        self.assertLessEqual(len(indices) - len(set(indices)), 1, "repeated")
        self.assertEqual(len({packet[2] for packet in received}), 1, "one SSRC")

    def test_telephone_events_come_through_and_are_counted(self):
        near, near_to, far, far_to, token = self.call()
        there = Talk(near, near_to, far, 500)
        wait_until(lambda: self.kernel_legs() >= 1, 3, "the direction in the kernel")
        event = struct.pack("!BBH", 5, 0x80 | 10, 160)
        for i in range(3):
            near.rtp.sendto(rtp_packet(61000 + i, 40000, payload_type=101, payload=event), near_to)
        received = there.end()
        self.assertEqual(sum(packet[3] == 101 for packet in received), 3)
        near.bye()
        self.assertEqual(self.vas.record_of(token)["legs"][0]["dtmf_count"], 1)

    def test_a_new_stream_in_mid_call_goes_on_as_one(self):
        near, near_to, far, far_to, token = self.call()
        first = Talk(near, near_to, far, 300)
        wait_until(lambda: self.kernel_legs() >= 1, 3, "the direction in the kernel")
        before = first.end()
        second = Talk(near, near_to, far, 300, first=7)  # the sequence begins anew
        after = second.end()
        self.assertEqual(after[0][0], (before[-1][0] + 1) & 0xFFFF)
        self.assertEqual(after[0][2], before[-1][2])
        self.assertEqual(len(after), 300)
        near.bye()
        self.assertEqual(self.vas.record_of(token)["legs"][0]["received"]["lost"], 0)

    def test_ipv6_phones_are_relayed_by_the_kernel_too(self):
        sip6 = f"[fd00:78:1::2]:{self.vas.sip6_port}"
        carrier = self.on_host("b", "carrier", "--listen", "[fd00:78:2::1]:0", "--tone", 440, "--seconds", 0)
        plan = {"routes": [{"termination_ip": carrier.sip, "termination_number": "999"}]}
        token = self.vas.make_outgoing(routing=plan)["token"]
        alice = self.on_host(
            "a",
            "alice",
            "--listen",
            "[fd00:78:1::1]:0",
            "--dial",
            f"sip:any@{sip6}",
            "--token",
            token,
            "--domain",
            DOMAIN,
            "--tone",
            1000,
            "--seconds",
            3,
        )
        wait_until(lambda: self.kernel_legs() == 2, 3, "both directions in the kernel")
        self.assertEqual((alice.result()["outcome"], carrier.result()["outcome"]), ("answered", "answered"))
        self.assert_heard(alice.wav, 440, 1000)
        self.assert_heard(carrier.wav, 1000, 440)
        legs = self.vas.record_of(token)["legs"]
        self.assertTrue(all(leg["media_address"].startswith("[fd00:78:") for leg in legs), legs)
        self.assertTrue(all(leg["sent"]["by_kernel"] > 80 and leg["received"]["lost"] == 0 for leg in legs), legs)


class InTheDriver(RelayTest):
    """By XDP. It sees packets before checksums are completed and
    many are merged, so these offloads are off, as on a real host."""

    @classmethod
    def place_server(cls, vas):
        super().place_server(vas)
        vas.flags += ["--media-kernel", "driver"]
        for number, host in enumerate("abc", 1):
            for namespace, interface in ((host, cls.hosts.interface(host)), (SERVER, f"to-{host}")):
                cls.hosts.run(namespace, "ethtool", "-K", interface, "tx", "off", "tso", "off", "gro", "on")
            # A quiet kernel has no neighbour yet, and a packet without one is not the driver's.
            cls.hosts.run(SERVER, "ping", "-c", "1", "-W", "2", f"10.78.{number}.1")

    def test_a_call_is_relayed_in_the_driver(self):
        near, near_to, far, far_to, token = self.call()
        there, back = Talk(near, near_to, far, 500), Talk(far, far_to, near, 500)
        wait_until(lambda: self.kernel_legs() == 2, 3, "both directions in the kernel")
        for received in (there.end(), back.end()):
            self.assertEqual([packet[4] for packet in received], list(range(500)))
            self.assertEqual(len({packet[2] for packet in received}), 1, "one SSRC")
            self.assertEqual({packet[5] for packet in received}, {0xB8}, "DSCP EF")
        for interface in ("to-a", "to-b"):
            figures = dict(re.findall(r"(\S+): (\d+)", self.hosts.run(SERVER, "ethtool", "-S", interface).stdout))
            self.assertGreater(int(figures["rx_queue_0_xdp_redirect"]), 300, "packets that the driver itself relayed")
        near.bye()
        for leg in self.vas.record_of(token)["legs"]:
            self.assertGreater(leg["sent"]["by_kernel"], 300)


class ByFilter(RelayTest):
    """The hook of kernels before 6.6, whose filters the kernel would keep."""

    @classmethod
    def place_server(cls, vas):
        super().place_server(vas)
        vas.flags += ["--media-kernel", "clsact"]

    def filters(self):
        return self.hosts.run(SERVER, "tc", "filter", "show", "dev", "to-a", "ingress").stdout.count("direct-action")

    def test_a_call_is_relayed_and_neither_stopping_nor_killing_leaves_a_filter(self):
        for how in (signal.SIGTERM, signal.SIGKILL):
            near, near_to, far, far_to, _ = self.call()
            there = Talk(near, near_to, far, 300)
            wait_until(lambda: self.kernel_legs() == 1, 3, "the direction in the kernel")
            self.assertEqual([packet[4] for packet in there.end()], list(range(300)))
            self.assertEqual(self.filters(), 1)
            self.vas.stop(how)
            wait_until(lambda: self.filters() == 0, 3, "the filter's end")
            self.vas.start()


class InUserSpace(RelayTest):
    """Without the fast path: packets are read by sockets and leave as frames."""

    @classmethod
    def place_server(cls, vas):
        super().place_server(vas)
        vas.flags += ["--media-kernel", "off"]

    def test_nothing_is_lost_or_changed(self):
        self.assertIn("sending frames; no kernel fast path: switched off", self.vas.log_text())
        near, near_to, far, far_to, token = self.call()
        there, back = Talk(near, near_to, far, 400), Talk(far, far_to, near, 400)
        for received in (there.end(), back.end()):
            self.assertEqual([packet[4] for packet in received], list(range(400)))
            self.assertEqual({packet[5] for packet in received}, {0xB8}, "DSCP EF")
        near.bye()
        self.assertEqual([leg["sent"]["by_kernel"] for leg in self.vas.record_of(token)["legs"]], [0, 0])

    def test_an_ipv6_phone_and_an_ipv4_phone_talk(self):
        carrier = self.on_host("b", "carrier", "--listen", "10.78.2.1:0", "--tone", 440, "--seconds", 0)
        plan = {"routes": [{"termination_ip": carrier.sip, "termination_number": "999"}]}
        token = self.vas.make_outgoing(routing=plan)["token"]
        sip6 = f"[fd00:78:1::2]:{self.vas.sip6_port}"
        alice = self.on_host(
            "a",
            "alice",
            "--listen",
            "[fd00:78:1::1]:0",
            "--dial",
            f"sip:any@{sip6}",
            "--token",
            token,
            "--domain",
            DOMAIN,
            "--tone",
            1000,
            "--seconds",
            2,
        )
        self.assertEqual((alice.result()["outcome"], carrier.result()["outcome"]), ("answered", "answered"))
        self.assert_heard(alice.wav, 440, 1000)
        self.assert_heard(carrier.wav, 1000, 440)

    def test_a_new_mac_of_the_next_hop_is_followed(self):
        near, near_to, far, far_to, token = self.call()
        there = Talk(near, near_to, far, 600)
        time.sleep(1)
        self.hosts.run("b", "ip", "link", "set", self.hosts.interface("b"), "address", "02:00:00:00:00:78")
        self.hosts.run("b", "ping", "-c", "1", "-W", "1", "10.78.2.2", check=False)
        received = there.end()
        self.assertIn(599, [packet[4] for packet in received])
        self.assertGreater(len(received), 600 - 1 / FRAME)
        near.bye()


class EveryAddress(RelayTest):
    """media-bind 0.0.0.0, as behind 1:1 NAT: the fast path has to find out the address itself."""

    @classmethod
    def place_server(cls, vas):
        vas.address, vas.wrapper = "10.78.1.2", cls.hosts.wrapper()
        vas.flags += ["--media-bind", "0.0.0.0", "--media-advertised", "10.78.1.2"]

    def test_a_call_goes_into_the_kernel(self):
        near, near_to, far, far_to, token = self.call()
        there, back = Talk(near, near_to, far, 400), Talk(far, ("10.78.2.2", far_to[1]), near, 400)
        wait_until(lambda: self.kernel_legs() == 2, 3, "both directions in the kernel")
        for received in (there.end(), back.end()):
            self.assertEqual([packet[4] for packet in received], list(range(400)))
        near.bye()


class Strangers(RelayTest):
    def test_a_new_mac_of_the_next_hop_is_followed_in_mid_call(self):
        near, near_to, far, far_to, token = self.call()
        there = Talk(near, near_to, far, 1000)
        wait_until(lambda: self.kernel_legs() >= 1, 3, "the direction in the kernel")
        interface = self.hosts.interface("b")
        self.hosts.run("b", "ip", "link", "set", interface, "address", "02:00:00:00:00:77")
        # As a router that takes over does: it tells everyone.
        self.hosts.run("b", "ping", "-c", "1", "-W", "1", "10.78.2.2", check=False)
        received = there.end()
        self.assertIn(999, [packet[4] for packet in received])
        self.assertGreater(len(received), 1000 - 1.5 / FRAME)
        near.bye()
        self.assertGreater(self.vas.record_of(token)["legs"][1]["sent"]["by_kernel"], 500)

    def test_a_server_that_is_killed_leaves_nothing_attached(self):
        vas = Vas(
            self.folder / "killed",
            flags=["--media-bind", "10.78.1.2", "--media-port-min", "31000", "--media-port-max", "31999"],
        )
        vas.folder.mkdir()
        vas.address, vas.wrapper = "10.78.1.2", self.hosts.wrapper()
        self.vas_under_test = vas.start()
        before = self.attached()
        near, near_to, far, far_to, _ = self.call(vas)
        there = Talk(near, near_to, far, 200)
        wait_until(lambda: self.kernel_legs(vas) >= 1, 3, "the direction in the kernel")
        there.end()
        self.assertGreater(self.attached(), before)
        vas.stop(signal.SIGKILL)
        wait_until(lambda: self.attached() < before, 5, "the programs' end")

    def attached(self):
        """Relay programs at the server's interfaces."""
        nets = json.loads(self.hosts.run(SERVER, "bpftool", "-j", "link", "show").stdout or "[]")
        return sum(each.get("type") in ("tcx", 11) for each in nets)  # Debian 12's bpftool knows the number only

    def test_without_privilege_calls_are_relayed_in_user_space_and_the_log_says_why(self):
        folder = self.folder / "plain"
        folder.mkdir()
        os.chmod(self.folder, 0o755)
        os.chown(folder, 65534, 65534)
        vas = Vas(folder, flags=["--media-bind", "10.78.1.2", "--media-port-min", "32000", "--media-port-max", "32999"])
        vas.address = "10.78.1.2"
        vas.wrapper = (
            *self.hosts.wrapper(),
            "setpriv",
            "--reuid",
            "65534",
            "--regid",
            "65534",
            "--clear-groups",
            "--inh-caps=-all",
            "--bounding-set=-all",
        )
        vas.start()
        try:
            self.assertRegex(vas.log_text(), r"media: .*no kernel fast path: .*CAP_BPF")
            near, near_to, far, far_to, token = self.call(vas)
            there = Talk(near, near_to, far, 200)
            self.assertEqual([packet[4] for packet in there.end()], list(range(200)))
            self.assertEqual(self.kernel_legs(vas), 0)
            near.bye()
            self.assertEqual(vas.record_of(token)["legs"][1]["sent"]["by_kernel"], 0)
        finally:
            vas.stop()

    def test_a_stranger_who_sprays_every_port_hears_and_says_nothing(self):
        """VAS_SPRAY_CALLS and VAS_SPRAY_SECONDS make it the full run: 1,000 calls for 60 s."""
        calls = [self.call() for _ in range(int(os.environ.get("VAS_SPRAY_CALLS", "20")))]
        with self.hosts.on("c"):
            stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            stranger.bind(("10.78.3.1", 0))
            stranger.setblocking(False)
        self.addCleanup(stranger.close)
        deadline = time.monotonic() + float(os.environ.get("VAS_SPRAY_SECONDS", "4"))
        number, sprayed, heard_by_stranger, forged_heard = 0, 0, 0, 0
        ports = range(20000, 30000)
        while time.monotonic() < deadline:
            number += 1
            # With everything right but the source: SSRC, payload type, the very next number.
            forged = rtp_packet(number + 1, 160 * (number + 1), payload=b"\xbb" * 160)
            for near, near_to, far, far_to, _ in calls:
                near.rtp.sendto(rtp_packet(number, 160 * number), near_to)
                far.rtp.sendto(rtp_packet(number, 160 * number), far_to)
            for port in random.sample(ports, 1000):
                stranger.sendto(forged, ("10.78.1.2", port))
                sprayed += 1
            for near, _, far, _, _ in calls:
                for phone in (near, far):
                    phone.rtp.setblocking(False)
                    try:
                        while True:
                            forged_heard += b"\xbb" * 160 in phone.rtp.recv(2048)
                    except BlockingIOError:
                        pass
            try:
                while True:
                    stranger.recv(2048)
                    heard_by_stranger += 1
            except (BlockingIOError, ConnectionRefusedError):
                pass
        self.assertGreater(sprayed, 10000)
        self.assertEqual((heard_by_stranger, forged_heard), (0, 0))
        self.assertEqual(self.kernel_legs(), 2 * len(calls))
        tokens = []
        for near, *_, token in calls:
            near.bye()
            tokens.append(token)
        refused = sum(leg["received"]["refused"] for token in tokens for leg in self.vas.record_of(token)["legs"])
        self.assertGreater(refused, 0, "some of it did reach the calls")


class Counts(RelayTest):
    """The same stream, with everything that networks do to it, through the kernel and through user space at once."""

    def setUp(self):
        super().setUp()
        self.user = Vas(
            self.folder / "user",
            flags=[
                "--media-bind",
                "10.78.1.2",
                "--media-port-min",
                "31000",
                "--media-port-max",
                "31999",
                "--media-kernel",
                "off",
            ],
        )
        self.user.folder.mkdir(exist_ok=True)
        self.user.address, self.user.wrapper = "10.78.1.2", self.hosts.wrapper()
        self.user.start()
        self.addCleanup(self.user.stop)

    def test_both_paths_count_alike(self):
        calls = [self.call(), self.call(self.user)]
        numbers = self.recorded_stream(3000)
        begun = time.monotonic()
        for i, (number, late) in enumerate(numbers):
            time.sleep(max(0, begun + i * 0.002 + late - time.monotonic()))
            for near, near_to, *_ in calls:
                near.rtp.sendto(rtp_packet(number, 16 * number), near_to)
        time.sleep(0.3)
        legs = []
        for vas, (near, *_, token) in zip((self.vas, self.user), calls):
            near.bye()
            legs.append(vas.record_of(token)["legs"])
        kernel, user = (each[0]["received"] for each in legs)
        self.assertGreater(legs[0][1]["sent"]["by_kernel"], 2000)
        self.assertEqual(legs[1][1]["sent"]["by_kernel"], 0)
        for field in ("packets", "bytes", "lost", "out_of_order", "duplicates"):
            self.assertEqual(kernel[field], user[field], field)
            self.assertGreater(user[field], 0, field)
        self.assertAlmostEqual(kernel["jitter_ms"], user["jitter_ms"], delta=0.5)
        self.assertAlmostEqual(kernel["jitter_max_ms"], user["jitter_max_ms"], delta=0.5)

    @staticmethod
    def recorded_stream(count):
        """Sequence numbers in the order of their arrival, each with its delay: loss, reordering, repeats, two wraps."""
        chance = random.Random(4)
        order = []
        for i in range(count):
            fate = chance.random()
            if fate < 0.03 and i > 100:
                continue
            order.append(i)
            if fate > 0.99:
                order.append(i)
        for i in range(100, len(order) - 10):
            if chance.random() < 0.02:
                j = i + chance.randrange(1, 8)
                order[i], order[j] = order[j], order[i]
        return [(64000 + i, chance.random() * 0.001) for i in order]


if __name__ == "__main__":
    unittest.main(verbosity=2)
