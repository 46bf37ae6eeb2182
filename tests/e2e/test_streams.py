"""What parties send beside a plain stream: restarts, jumps, strays, comfort noise, keep-alives, DTMF in all its forms,
RTCP; by user space and by the kernel."""
import collections
import re
import socket
import struct
import time
import unittest

from harness import SLOW, E2eTest, rtp_packet, wait_until

FRAME, TICKS = 0.005, 40  # a packet each 5 ms: four times as quick as a phone, to be done sooner
Heard = collections.namedtuple("Heard", "number timestamp payload_type payload")


class Stream:
    """What one phone sends to its partner: it goes on where the last packet left it."""

    payload_type, ticks = 0, TICKS

    def __init__(self, phone, target, partner):
        self.socket, self.target, self.partner = phone.rtp, target, partner
        self.number, self.timestamp, self.ssrc = 100, 1000, 0x4321
        partner.packets = []

    def send(self, payload_type=None, payload=b"\xd5" * 160, ticks=None, number=None, timestamp=None, ssrc=None):
        payload_type = self.payload_type if payload_type is None else payload_type
        self.socket.sendto(
            rtp_packet(
                self.number if number is None else number,
                self.timestamp if timestamp is None else timestamp,
                self.ssrc if ssrc is None else ssrc,
                payload_type,
                payload=payload,
            ),
            self.target,
        )
        if number is None:
            self.number += 1
            self.timestamp += self.ticks if ticks is None else ticks
        take(self.partner, 0)  # its socket holds few

    def talk(self, count):
        for _ in range(count):
            self.send()
            time.sleep(FRAME)

    def event(self, code, duration, end=False, payload_type=101, **where):
        self.send(payload_type, struct.pack("!BBH", code, 10 | (0x80 if end else 0), duration), 0, **where)
        time.sleep(FRAME)


def take(phone, patience):
    phone.rtp.settimeout(patience)
    try:
        while True:
            datagram = phone.rtp.recv(4096)
            _, second, number, timestamp, _ = struct.unpack("!BBHII", datagram[:12])
            phone.packets.append(Heard(number, timestamp, second & 0x7F, datagram[12:]))
    except (TimeoutError, BlockingIOError):
        return


def heard(phone):
    """All that has come, and is still under way."""
    take(phone, 0.3 * SLOW)
    packets, phone.packets = phone.packets, []
    return packets


def sdp(phone, payloads, *attributes):
    return phone.sdp(payloads=payloads).replace("a=sendrecv", "\r\n".join([*attributes, "a=sendrecv"]))


NOISE = ("a=rtpmap:13 CN/8000",)


class Streams(E2eTest):
    in_kernel = False

    def connected(self, near_sdp=None, far_sdp=None):
        """Two phones in a call: (caller, its stream, callee, its
        stream, token); the callee's INVITE is its `invite_got`."""
        (far, token), near = self.far_phone(), self.scripted()
        near.invite(token, body=near_sdp and near_sdp(near))
        invite = far.invite_got = far.receive()
        far.answer(invite, 200, "OK", far_sdp(far) if far_sdp else far.sdp())
        answer = near.answer_got = near.final()
        near.ack(answer)
        self.assertEqual(far.receive().method, "ACK")
        return near, Stream(near, answer.media(), far), far, Stream(far, invite.media(), near), token

    def settle(self, *streams):
        """Talks until the kernel has the directions, where it is to have them."""
        for stream in streams:
            stream.talk(60)
        if self.in_kernel:
            wait_until(
                lambda: [stream.talk(10) for stream in streams]
                and self.metric("vas_media_kernel_legs") >= len(streams),
                10,
                "the directions in the kernel",
            )

    def metric(self, name):
        return float(re.search(rf"^{name} (\S+)$", self.vas.text("/metrics"), re.M)[1])

    def received(self, near, token):
        near.bye()
        return self.vas.record_of(token)["legs"][0]

    def assert_unbroken(self, packets):
        """No number twice, none missing, and timestamps that go on with the time, but for those of presses."""
        numbers = [packet.number for packet in packets]
        self.assertEqual([(each - numbers[0]) & 0xFFFF for each in numbers], list(range(len(numbers))))
        audio = [packet.timestamp for packet in packets if packet.payload_type not in (101, 110)]
        steps = [(b - a) & 0xFFFFFFFF for a, b in zip(audio, audio[1:])] or [0]
        self.assertLess(max(steps), 8000 * 5 * SLOW)

    def test_a_sequence_that_begins_anew_under_one_ssrc_is_one_stream(self):
        near, stream, far, _, token = self.connected()
        self.settle(stream)
        sent = stream.number - 100
        for number, timestamp in (
            (100, 5_000_000),
            (100, stream.timestamp + 900),
            (60_000, 7),
            (60_020, 2_000_000_000),
            (60_220, 77),
        ):
            stream.number, stream.timestamp = number, timestamp
            stream.talk(30)
            sent += 30
        packets = heard(far)
        self.assertEqual(len(packets), sent)
        self.assert_unbroken(packets)
        received = self.received(near, token)["received"]
        self.assertEqual((received["packets"], received["lost"], received["duplicates"]), (sent, 0, 0))
        self.assertLess(received["jitter_max_ms"], 500 * SLOW)

    def test_a_jump_of_the_timestamps_is_spliced(self):
        near, stream, far, _, token = self.connected()
        self.settle(stream)
        for jump in (4_000_000, -3_000_000, 0x80000000):
            stream.timestamp += jump
            stream.talk(20)
        self.assert_unbroken(heard(far))
        received = self.received(near, token)["received"]
        self.assertEqual(received["lost"], 0)
        self.assertLess(received["jitter_max_ms"], 500 * SLOW)

    def test_a_stray_packet_is_no_loss(self):
        near, stream, far, _, token = self.connected()
        self.settle(stream)
        for offset in (-1500, 2500, 9000, 900):
            stream.send(number=stream.number + offset, timestamp=stream.timestamp + TICKS * offset)
            stream.talk(60)
        self.assert_unbroken(heard(far))
        leg = self.received(near, token)
        self.assertEqual(leg["received"]["lost"], 0)
        self.assertGreater(leg["mos"], 4)

    def test_comfort_noise_that_both_have_passes(self):
        near, stream, far, _, token = self.connected(
            lambda phone: sdp(phone, "0 13 101", *NOISE), lambda phone: sdp(phone, "0 13 101", *NOISE)
        )
        self.assertRegex(far.invite_got.body, r"m=audio \d+ RTP/AVP 0 13 101\r\n")
        self.assertIn("a=rtpmap:13 CN/8000\r\n", near.answer_got.body)
        self.settle(stream)
        for _ in range(3):
            for _ in range(3):
                stream.send(13, b"\x40", 800)
                time.sleep(0.1)
            stream.talk(10)
        packets = heard(far)
        self.assert_unbroken(packets)
        self.assertEqual(sum(packet.payload_type == 13 for packet in packets), 9)
        leg = self.received(near, token)
        self.assertEqual((leg["received"]["lost"], leg["codec"], leg["ptime"]), (0, "PCMU", 5))

    def test_a_party_that_says_nothing_yet_but_comfort_noise_is_in_a_call(self):
        """The first that it offered is none that the kernel relays."""
        near, stream, far, _, token = self.connected(
            lambda phone: sdp(phone, "101 0 13", *NOISE), lambda phone: sdp(phone, "101 0 13", *NOISE)
        )
        stream.talk(3)

        def hiss():
            stream.send(13, b"\x40", 400)
            time.sleep(0.05)

        if self.in_kernel:
            wait_until(lambda: hiss() or self.metric("vas_media_kernel_legs") >= 1, 10, "the direction in the kernel")
        for _ in range(20):
            hiss()
        packets = heard(far)
        self.assertEqual(len(packets), stream.number - 100)
        self.assert_unbroken(packets)
        leg = self.received(near, token)
        self.assertEqual((leg["received"]["lost"], leg["codec"]), (0, "PCMU"))

    def test_comfort_noise_that_one_lacks_and_keep_alives_are_left_out_without_a_gap(self):
        for name, offered, payload_type in (
            ("noise offered", lambda phone: sdp(phone, "0 13 101", *NOISE), 13),
            ("noise not offered", None, 13),
            ("a keep-alive by RFC 6263", None, 126),
        ):
            with self.subTest(name):
                near, stream, far, _, token = self.connected(offered)
                self.assertNotIn("CN/8000", near.answer_got.body)
                self.settle(stream)
                for _ in range(5):
                    stream.send(payload_type, b"\x40")
                    stream.talk(3)  # the first at its heels
                packets = heard(far)
                self.assert_unbroken(packets)
                self.assertEqual({packet.payload_type for packet in packets}, {0})
                self.assertEqual(self.received(near, token)["received"]["lost"], 0)

    def test_an_event_lasts_as_long_by_the_other_partys_clock(self):
        def opus(clock):
            return lambda phone: sdp(
                phone, "111 110", "a=rtpmap:111 opus/48000/2", f"a=rtpmap:110 telephone-event/{clock}"
            ).replace("a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n", "")

        near, there, far, back, _ = self.connected(opus(48000), opus(8000))
        for stream in (there, back):
            stream.payload_type, stream.ticks = 111, 240
        self.settle(there, back)
        for stream, ticks in ((there, 960), (back, 160)):
            for i in range(1, 6):
                stream.event(5, ticks * i, i == 5, payload_type=110)
            stream.talk(3)
        for phone, durations in ((far, [160 * i for i in range(1, 6)]), (near, [960 * i for i in range(1, 6)])):
            packets = heard(phone)
            self.assert_unbroken(packets)
            events = [packet for packet in packets if len(packet.payload) == 4]
            self.assertEqual([struct.unpack("!H", packet.payload[2:])[0] for packet in events], durations)
            self.assertEqual(len({packet.timestamp for packet in events}), 1)
        near.bye()

    def presses(self, play):
        near, stream, far, _, token = self.connected()
        self.settle(stream)
        play(stream)
        stream.talk(3)
        packets = heard(far)
        self.assert_unbroken(packets)
        return self.received(near, token)["dtmf_count"], [packet for packet in packets if packet.payload_type == 101]

    def test_keys_are_counted_once_however_they_are_sent(self):
        def long_press(stream):
            stream.event(5, 160)
            stream.event(5, 65535)
            stream.timestamp += 65535  # RFC 4733 §2.5.1.3
            stream.event(5, 8000)
            stream.event(5, 14465, True)
            stream.timestamp -= 65535  # the test is not as slow as the press

        def same_timestamp(stream):
            for code in (10, 0, 1):
                for duration, end in ((160, False), (640, True), (640, True)):
                    stream.event(code, duration, end)

        for play, count in ((long_press, 1), (same_timestamp, 3)):
            with self.subTest(play.__name__):
                self.assertEqual(self.presses(play)[0], count)

    def test_an_end_that_was_overtaken_is_its_own_keys(self):
        near, stream, far, _, token = self.connected()
        self.settle(stream)
        begun = stream.number
        stream.event(1, 160)
        late = stream.number, stream.timestamp
        stream.number, stream.timestamp = stream.number + 1, stream.timestamp + 800
        stream.event(2, 160)
        stream.event(1, 640, True, number=late[0], timestamp=late[1])
        stream.event(2, 640, True)
        self.assertEqual(len(heard(far)), begun - 100 + 4)
        self.assertEqual(self.received(near, token)["dtmf_count"], 2)

    def test_events_under_their_own_ssrc_are_of_the_one_stream(self):
        def play(stream):
            for i in range(10):
                stream.event(7, 80 * (i + 1), i > 7, number=9000 + i, timestamp=4242, ssrc=0x9999)
                stream.send()

        count, events = self.presses(play)
        self.assertEqual((count, len(events), len({packet.timestamp for packet in events})), (1, 10, 1))

    def test_what_passes_of_rtcp_begins_with_a_report(self):
        near, stream, far, _, _ = self.connected()
        rtcp = {}
        for phone in (near, far):
            rtcp[phone] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.addCleanup(rtcp[phone].close)
            rtcp[phone].bind((phone.address, phone.rtp.getsockname()[1] + 1))
        self.settle(stream)
        unknown = 0x1111  # a stream whose RTP is not there
        report = struct.pack("!BBHIIIIII", 0x80, 200, 6, unknown, 3900000000, 0, 0, 10, 1600)
        names = struct.pack("!BBHI", 0x81, 202, 3, unknown) + b"\x01\x04test\0\0"
        rtcp[near].sendto(report + names, (stream.target[0], stream.target[1] + 1))
        rtcp[far].settimeout(5 * SLOW)
        got = rtcp[far].recv(2048)
        self.assertEqual((got[1], struct.unpack("!H", got[2:4])[0]), (201, 1))
        self.assertEqual(got[9], 202)
        near.bye()

    def test_datagrams_that_are_too_large_are_counted(self):
        near, stream, far, _, token = self.connected()
        self.settle(stream)
        before = self.metric("vas_media_oversized_total")
        for size in (1900, 2100, 9000):
            stream.send(payload=b"\xd5" * size)
        wait_until(lambda: self.metric("vas_media_oversized_total") == before + 2, 5, "the count")
        stream.talk(10)
        packets = heard(far)
        self.assertEqual(
            (len(packets), {len(packet.payload) for packet in packets}), (stream.number - 100 - 2, {160, 1900})
        )
        self.assertEqual(self.received(near, token)["received"]["refused"], 2)

    def test_ipv4_in_ipv6s_clothes_is_ipv4(self):
        def mapped(phone):
            return phone.sdp().replace(f"c=IN IP4 {phone.address}", f"c=IN IP6 ::ffff:{phone.address}")

        near, there, far, back, token = self.connected(mapped, mapped)
        self.assertIn("c=IN IP4 127.0.0.1\r\n", near.answer_got.body)
        self.assertIn("c=IN IP4 127.0.0.1\r\n", far.invite_got.body)
        self.settle(there, back)
        for phone, stream in ((far, there), (near, back)):
            packets = heard(phone)
            self.assertEqual(len(packets), stream.number - 100)
            self.assert_unbroken(packets)
        self.assertEqual(self.received(near, token)["media_address"], f"127.0.0.1:{near.rtp.getsockname()[1]}")

    def test_maxptime_passes_end_to_end(self):
        near, _, far, _, _ = self.connected(
            lambda phone: sdp(phone, "0 101", "a=maxptime:60"), lambda phone: sdp(phone, "0 101", "a=maxptime:40")
        )
        self.assertIn("a=maxptime:60\r\n", far.invite_got.body)
        self.assertIn("a=maxptime:40\r\n", near.answer_got.body)
        near.bye()


class UserSpace(Streams):
    flags = ("--media-kernel", "off")


class Kernel(Streams):
    flags = ("--media-kernel", "auto")
    in_kernel = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if "no kernel fast path: the" in cls.vas.log_text():
            cls.tearDownClass()
            raise unittest.SkipTest("the kernel does not let us load BPF programs")


class Silence(E2eTest):
    """Signs of life, and calls on hold in which there are none."""

    profile = {"hold-timeout": 3}
    flags = ("--media-timeout", "3")
    in_kernel, connected = False, Streams.connected

    def hold(self, near, far):
        near.send("INVITE", body=near.sdp("inactive", version=2))
        far.answer(far.receive(), 200, "OK", far.sdp("inactive", version=2))
        near.ack(near.final())
        self.assertEqual(far.receive().method, "ACK")

    def ends(self, token, reason, cause):
        record = self.vas.record_of(token, 20 * SLOW)
        self.assertEqual(
            (record["termination_reason"], record["local_cause"], record["ended_by"], record["disposition"]),
            (reason, cause, "system", "ANSWERED"),
        )
        return record["duration"]

    def test_a_held_call_whose_parties_are_gone_ends(self):
        near, _, far, _, token = self.connected()
        self.hold(near, far)
        self.ends(token, "hold-timeout", 921)
        self.assertEqual([near.receive().method, far.receive().method], ["BYE", "BYE"])

    def test_a_held_call_lives_by_media_and_by_rtcp(self):
        near, stream, far, _, token = self.connected()
        rtcp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(rtcp.close)
        rtcp.bind((near.address, near.rtp.getsockname()[1] + 1))
        self.hold(near, far)
        report = struct.pack("!BBHI", 0x80, 201, 1, stream.ssrc)
        begun = time.monotonic()
        while time.monotonic() - begun < 5 * SLOW:
            rtcp.sendto(report, (stream.target[0], stream.target[1] + 1))
            time.sleep(0.2)
            self.assertEqual(self.vas.session(token)[1]["status"], "connected")
        begun = time.monotonic()
        while time.monotonic() - begun < 5 * SLOW:
            stream.send()
            time.sleep(0.2)
            self.assertEqual(self.vas.session(token)[1]["status"], "connected")
        self.assertGreater(self.ends(token, "hold-timeout", 921), 10 * SLOW)

    def test_rtcp_and_comfort_noise_keep_a_call_that_nobody_speaks_in(self):
        near, stream, far, _, token = self.connected()
        rtcp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(rtcp.close)
        rtcp.bind((near.address, near.rtp.getsockname()[1] + 1))
        stream.talk(3)
        signs = (
            lambda: rtcp.sendto(
                struct.pack("!BBHI", 0x80, 201, 1, stream.ssrc), (stream.target[0], stream.target[1] + 1)
            ),
            lambda: stream.send(13, b"\x40"),
            lambda: stream.send(126, b""),
        )
        for sign in signs:
            begun = time.monotonic()
            while time.monotonic() - begun < 4 * SLOW:
                sign()
                time.sleep(0.2)
                self.assertEqual(self.vas.session(token)[1]["status"], "connected")
        self.ends(token, "media-timeout", 911)


def load_tests(loader, _, __):
    return unittest.TestSuite(loader.loadTestsFromTestCase(each) for each in (UserSpace, Kernel, Silence))


if __name__ == "__main__":
    unittest.main(verbosity=2)
