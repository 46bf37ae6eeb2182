"""A browser behind a NAT, its server and a carrier on other hosts: its call is heard, survives a change of address, and
loss is measured as the browser measures it."""
import subprocess
import sys
import time
import unittest

from harness import HERE, die_with_parent, free_ports
from hosts import SERVER
from nat_lab import NatLab

INBOUND = """
const all = [...(await phone.connection.getStats()).values()];
const find = (type) => all.find((each) => each.type === type && each.kind === 'audio');
const { packetsReceived, packetsLost, jitter } = find('inbound-rtp');
return { packetsReceived, packetsLost, jitter, sent: find('outbound-rtp').packetsSent };
"""


class BehindNat(NatLab):
    @classmethod
    def place_server(cls, vas):
        vas.address, vas.wrapper = "10.78.1.2", cls.hosts.wrapper()
        vas.ws_port = free_ports()
        vas.flags += ["--media-bind", "10.78.1.2", "--ws-listen", f"10.78.1.2:{vas.ws_port}"]

    def readdress(self, before, after):
        """The router's public address: whatever was translated to the old one is forgotten with it."""
        self.hosts.run(
            "nat",
            "sh",
            "-e",
            "-c",
            f"""
            echo 1 > /proc/sys/net/ipv4/conf/if-nat/promote_secondaries
            ip address add {after}/24 dev if-nat
            ip address delete {before}/24 dev if-nat
            ip route replace 10.78.0.0/16 via 10.78.1.2""",
        )

    def test_behind_a_nat_that_keeps_ports_and_one_that_does_not(self):
        for how in ("masquerade", "masquerade fully-random"):
            with self.subTest(how=how):
                self.translate(how)
                page, carrier, token = self.call()
                page.assert_tone(440, 1000)
                legs = self.end(carrier, token)
                page.stop()
                self.assertEqual(legs[0]["ice_path"], "host-prflx")
                self.assertTrue(legs[0]["media_address"].startswith("10.78.1.1:"), legs[0]["media_address"])
                self.assertEqual([leg["received"]["lost"] for leg in legs], [0, 0])

    def test_a_phone_that_moves_to_another_network_keeps_its_call(self):
        self.translate("masquerade")
        page, carrier, token = self.call()
        page.assert_tone(440, 1000)
        self.readdress("10.78.1.1", "10.78.1.9")
        self.addCleanup(self.readdress, "10.78.1.9", "10.78.1.1")
        time.sleep(6)
        page.assert_tone(440, 1000)
        legs = self.end(carrier, token)
        self.assertTrue(legs[0]["media_address"].startswith("10.78.1.9:"), legs[0]["media_address"])

    def slow_down(self, host, network):
        """40±15 ms for what `host` sends there."""
        link = subprocess.Popen(
            [*self.hosts.wrapper(host), sys.executable, HERE / "slow_link.py", "40", "15", network],
            stdout=subprocess.PIPE,
            preexec_fn=die_with_parent,
        )

        def stop():
            link.kill()
            link.communicate()

        self.addCleanup(stop)
        self.assertEqual(link.stdout.readline(), b"ready\n")

    def test_loss_and_jitter_are_what_the_browser_says(self):
        """3 % loss and 40±15 ms, both ways."""
        self.translate("masquerade")
        self.slow_down("c", "10.78.0.0/16")
        self.slow_down(SERVER, "10.78.1.1/32")
        page, carrier, token = self.call()
        self.nft("add table ip loss")
        self.addCleanup(self.nft, "delete table ip loss")
        self.nft("add chain ip loss passing { type filter hook forward priority 0 ; }")
        self.nft("add rule ip loss passing meta l4proto udp meta length > 150 numgen random mod 100 < 3 drop")
        time.sleep(20)
        # What VAS knows of the page's figures is as old as the page's last report (at most 7.5 s, RFC 3550 6.2). Once
        # nothing is lost any more, the next report's loss is the page's; its jitter is what the page's was at some time
        # since.
        self.nft("flush chain ip loss passing")
        jitters = [page.run(INBOUND)["jitter"] * 1000]
        for _ in range(16):
            time.sleep(0.5)
            theirs = page.run(INBOUND)
            jitters.append(theirs["jitter"] * 1000)
        legs = self.end(carrier, token, least=0.85)
        expected = theirs["packetsReceived"] + theirs["packetsLost"]
        self.assertGreater(theirs["packetsLost"], 0.01 * expected)
        reported = legs[0]["sent"]
        self.assertAlmostEqual(reported["lost"] / reported["packets"], theirs["packetsLost"] / expected, delta=0.01)
        self.assertGreater(reported["jitter_ms"], 0.8 * min(jitters))
        self.assertLess(reported["jitter_ms"], 1.2 * max(jitters))
        self.assertGreater(min(jitters), 3, "the link does spread them")
        self.assertGreater(legs[0]["rtt_ms"], 70)
        measured = legs[0]["received"]
        self.assertAlmostEqual(measured["packets"] + measured["lost"], theirs["sent"], delta=0.01 * theirs["sent"])
        self.assertAlmostEqual(measured["loss_percent"], 3, delta=2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
