"""VAS behind a NAT, by full ICE: a browser outside is reached
directly where that is possible, else through a TURN server."""
import re
import socket
import subprocess
import time
import unittest

from harness import die_with_parent, free_ports, wait_until
from hosts import SERVER
from nat_lab import NatLab

INSIDE = "192.168.50.2"
TURN = "10.78.3.1:3478"


class VasBehindNat(NatLab):
    """The server and the carrier are behind "nat"; the namespace
    in the middle is the Internet, with a TURN server on "b".

    Signaling reaches the server by a route, as if a port were forwarded; UDP does only where it has been asked for.
    """

    HOSTS = ("nat", "a", "b")
    BROWSER, CARRIER, CARRIER_ADDRESS = "a", "c", INSIDE
    ICE = (
        "--ice",
        "ws=full",
        "--stun-server",
        TURN,
        "--turn-server",
        TURN,
        "--turn-user",
        "vas",
        "--turn-password",
        "secret",
    )

    @classmethod
    def place_server(cls, vas):
        hosts = cls.hosts
        hosts.run(SERVER, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        hosts.run(SERVER, "ip", "route", "add", "192.168.50.0/24", "via", "10.78.1.1")
        hosts.run("a", "ip", "route", "add", "192.168.50.0/24", "via", "10.78.2.2")
        cls.nft("add table ip guard")
        cls.nft("add chain ip guard passing { type filter hook forward priority 0 ; }")
        cls.nft("add rule ip guard passing iifname if-nat meta l4proto udp ct state new drop")
        cls.start_turn()
        vas.address, vas.wrapper = INSIDE, hosts.wrapper("c")
        vas.ws_port = free_ports()
        vas.flags += [
            "--peer-allow",
            INSIDE,
            "--media-bind",
            INSIDE,
            "--ws-listen",
            f"{INSIDE}:{vas.ws_port}",
            *cls.ICE,
        ]

    @classmethod
    def start_turn(cls):
        address, port = TURN.split(":")
        log = open(cls.folder / "turn.log", "wb")
        server = subprocess.Popen(
            [
                *cls.hosts.wrapper("b"),
                "turnserver",
                "-n",
                "--listening-ip",
                address,
                "--relay-ip",
                address,
                "--listening-port",
                port,
                "--lt-cred-mech",
                "--user",
                "vas:secret",
                "--realm",
                "vas.test",
                "--no-tls",
                "--no-dtls",
                "--no-cli",
                "--simple-log",
                "--verbose",
                "--log-file",
                "stdout",
                "--pidfile",
                cls.folder / "turn.pid",
                "--userdb",
                cls.folder / "turn.db",
            ],
            stdout=log,
            stderr=log,
            preexec_fn=die_with_parent,
        )

        def stop():
            server.terminate()
            server.wait()
            log.close()

        cls.addClassCleanup(stop)
        wait_until(cls.does_turn_listen, 10, "the TURN server")

    @classmethod
    def does_turn_listen(cls):
        with cls.hosts.on("b"), socket.socket() as probe:
            return probe.connect_ex(tuple([TURN.split(":")[0], 3478])) == 0

    @classmethod
    def sessions(cls, event, lifetime=r"\d+"):
        """Of the TURN server, with us: those of which its log tells this."""
        log = (cls.folder / "turn.log").read_text(errors="replace")
        return set(re.findall(rf"session (\d+): {event}, realm=<vas.test>, username=<vas>, lifetime={lifetime}\b", log))

    def forbid_direct_media(self):
        self.hosts.run(SERVER, "nft", "add table ip firewall")
        self.addCleanup(self.hosts.run, SERVER, "nft", "delete table ip firewall")
        self.hosts.run(SERVER, "nft", "add chain ip firewall passing { type filter hook forward priority 0 ; }")
        for one, other in (("10.78.1.1", "10.78.2.1"), ("10.78.2.1", "10.78.1.1")):
            self.hosts.run(
                SERVER, "nft", f"add rule ip firewall passing ip saddr {one} ip daddr {other} meta l4proto udp drop"
            )

    def call(self):
        page, carrier, token = super().call()
        wait_until(lambda: page.run("return phone.connection.connectionState") == "connected", 15, "the browser's path")
        page.assert_tone(440, 1000)
        return page, carrier, token

    def converse(self):
        page, carrier, token = self.call()
        legs = self.end(carrier, token)
        page.stop()
        self.assertEqual(legs[1]["received"]["lost"], 0)
        return legs[0]

    def test_a_nat_is_crossed_directly(self):
        for how in ("masquerade", "masquerade fully-random"):
            with self.subTest(how=how):
                self.translate(how)
                leg = self.converse()
                self.assertEqual(leg["media_address"].split(":")[0], "10.78.2.1")
                self.assertRegex(leg["ice_path"], "^(host|srflx|prflx)-(host|prflx)$")

    def test_consent_is_kept_for_as_long_as_the_call(self):
        """After the pair is taken over VAS answers the checks: a browser gives up after 30 s without."""
        self.translate("masquerade")
        page, carrier, token = self.call()
        time.sleep(40)
        page.assert_tone(440, 1000)
        self.end(carrier, token)

    def restart(self, page):
        page.run(
            """
            return new Promise((done) => phone.session.renegotiate({ rtcOfferConstraints: { iceRestart: true } }, done))"""
        )

    def test_a_restart_finds_another_path(self):
        """The direct path is closed while they talk: what a restart finds is the TURN server."""
        self.translate("masquerade")
        page, carrier, token = self.call()
        wait_until(
            lambda: self.sessions("new") == self.sessions("refreshed", "0"), 10, "the allocation to be given back"
        )
        self.forbid_direct_media()
        self.assertFalse(page.hears(440, 1000))
        wait_until(lambda: page.hears(440, 1000), 30, "the page's own restart, and media by the TURN server")
        self.restart(page)  # and once more, relayed as before
        self.assertTrue(page.hears(440, 1000))
        time.sleep(3)
        self.assertTrue(page.hears(440, 1000))
        leg = self.end(carrier, token)[0]
        self.assertRegex(leg["ice_path"], "^relay-(host|prflx)$")
        wait_until(
            lambda: self.sessions("new") == self.sessions("refreshed", "0"), 10, "all allocations to be given back"
        )

    def test_where_udp_is_forbidden_the_turn_server_relays(self):
        self.translate("masquerade")
        self.forbid_direct_media()
        leg = self.converse()
        self.assertRegex(leg["ice_path"], "^relay-(host|prflx)$")
        self.assertTrue(self.sessions("new"))
        wait_until(
            lambda: self.sessions("new") == self.sessions("refreshed", "0"), 10, "all allocations to be given back"
        )


class OnlyByTurn(VasBehindNat):
    ICE = (*VasBehindNat.ICE, "--ice-relays-only", "true")

    test_a_nat_is_crossed_directly = (
        test_a_restart_finds_another_path
    ) = test_consent_is_kept_for_as_long_as_the_call = None

    def test_no_address_of_ours_is_told(self):
        self.translate("masquerade")
        page, carrier, token = self.call()
        remote = page.run(
            """
            return [...(await phone.connection.getStats()).values()].filter((each) => each.type === 'remote-candidate')
                .map((each) => each.address);"""
        )
        self.assertEqual(set(remote), {"10.78.3.1"})
        description = page.run("return phone.connection.remoteDescription.sdp")
        for address in (INSIDE, "10.78.1.1"):
            self.assertNotIn(address, description)
        self.end(carrier, token)


if __name__ == "__main__":
    unittest.main(verbosity=2)
