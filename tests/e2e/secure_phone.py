"""A scripted phone with SRTP, its keys in SDP or agreed by DTLS: it says each datagram when it is told to."""
import base64
import hashlib
import hmac
import os
import re
import socket
import struct
import subprocess
import time

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from OpenSSL import SSL

from harness import SLOW, Phone, free_ports, rtp_packet

SUITE = "AES_CM_128_HMAC_SHA1_80"
VOICE = b"\xd5" * 160


class SrtpStream:
    """One direction under one master key (RFC 3711), in the
    first round of its sequence numbers; `mki` in each packet."""

    def __init__(self, master, mki=b""):
        self.mki = mki
        self.key, self.auth, self.salt = (
            self.count(master[:16], master[16:30], label << 64, bytes(size))
            for label, size in ((0, 16), (1, 20), (2, 14))
        )

    @staticmethod
    def count(key, salt, start, data):
        """AES in counter mode from where salt and `start` say."""
        counter = int.from_bytes(salt, "big") << 16 ^ start
        return Cipher(algorithms.AES(key), modes.CTR(counter.to_bytes(16, "big"))).encryptor().update(data)

    def crypt(self, packet):
        number, ssrc = struct.unpack("!H", packet[2:4])[0], struct.unpack("!I", packet[8:12])[0]
        return packet[:12] + self.count(self.key, self.salt, ssrc << 64 | number << 16, packet[12:])

    def tag(self, sealed):
        return hmac.digest(self.auth, sealed + bytes(4), "sha1")[:10]

    def seal(self, packet):
        sealed = self.crypt(packet)
        return sealed + self.mki + self.tag(sealed)

    def open(self, packet):
        """The packet in the clear, or nothing."""
        end = len(packet) - 10 - len(self.mki)
        if end < 12 or packet[end:-10] != self.mki or self.tag(packet[:end]) != packet[-10:]:
            return None
        return self.crypt(packet[:end])


class Handshake:
    """One DTLS association as the client, over a socket that somebody else reads."""

    def __init__(self, phone, to):
        context = SSL.Context(SSL.DTLS_METHOD)
        context.use_privatekey_file(phone.certificate[1])
        context.use_certificate_file(phone.certificate[0])
        context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
        context.set_tlsext_use_srtp(b"SRTP_AES128_CM_SHA1_80")
        context.set_options(SSL.OP_NO_QUERY_MTU)
        self.ssl = SSL.Connection(context, None)
        self.ssl.set_connect_state()
        self.ssl.set_ciphertext_mtu(1200)
        self.phone, self.to, self.keys, self.said = phone, to, None, 0

    def step(self, datagram=b""):
        if datagram:
            self.ssl.bio_write(datagram)
        try:
            self.ssl.do_handshake()
            if self.keys is None:
                exported = self.ssl.export_keying_material(b"EXTRACTOR-dtls_srtp", 60)
                ours, theirs, our_salt, their_salt = exported[:16], exported[16:32], exported[32:46], exported[46:]
                self.keys = SrtpStream(theirs + their_salt), SrtpStream(ours + our_salt)
        except SSL.WantReadError:
            pass
        self.flush()

    def say_again(self):
        """What is lost, once DTLS thinks so."""
        SSL._lib.DTLSv1_handle_timeout(self.ssl._ssl)
        self.flush()

    def flush(self):
        try:
            flight = self.ssl.bio_read(65536)
        except SSL.WantReadError:
            return
        while flight:
            size = 13 + struct.unpack("!H", flight[11:13])[0]
            self.phone.rtp.sendto(flight[:size], self.to)
            self.said += 1
            flight = flight[size:]


class SecurePhone(Phone):
    """`heard` are the packets that its key has opened, `dtls_came` is how many datagrams of DTLS there were."""

    def __init__(self, folder, address, server):
        super().__init__(address, server)
        self.certificate = folder / f"phone{self.port}.pem", folder / f"phone{self.port}.key"
        subprocess.run(
            [
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=phone",
                "-keyout",
                self.certificate[1],
                "-out",
                self.certificate[0],
            ],
            check=True,
            stderr=subprocess.DEVNULL,
        )
        self.handshake, self.inbound, self.outbound, self.says_again = None, None, None, True
        self.heard, self.dtls_came, self.number, self.ssrc = [], 0, 100, 0x5151

    def fingerprint(self, name="sha256"):
        der = base64.b64decode("".join(self.certificate[0].read_text().split("-----")[2].split()))
        digits = hashlib.new(name, der).hexdigest().upper()
        return f"{name.replace('sha', 'sha-')} " + ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))

    def dtls_sdp(self, protocol="UDP/TLS/RTP/SAVP", setup="actpass", fingerprints=None, more="", version=1):
        lines = "".join(
            f"a=fingerprint:{each}\r\n" for each in ([self.fingerprint()] if fingerprints is None else fingerprints)
        )
        return (
            self.sdp(version=version).replace("RTP/AVP", protocol) + f"{lines}a=setup:{setup}\r\na=rtcp-mux\r\n{more}"
        )

    def say_hello(self, to):
        self.handshake = Handshake(self, to)
        self.handshake.step()

    def listen(self, until, seconds=5):
        """Reads what comes until that is true, and says again what
        DTLS thinks is lost where it may. Whether it became true."""
        end = time.monotonic() + seconds * SLOW
        while not (done := until()) and time.monotonic() < end:
            self.rtp.settimeout(0.02)
            try:
                self.on_media(self.rtp.recv(2048))
            except socket.timeout:
                if self.says_again and self.handshake and self.handshake.keys is None:
                    self.handshake.say_again()
        return done

    def on_media(self, datagram):
        if 20 <= datagram[0] < 64:
            self.dtls_came += 1
            if self.handshake:
                self.handshake.step(datagram)
                if self.handshake.keys:
                    self.inbound, self.outbound = self.handshake.keys
        elif not 192 <= datagram[1] <= 223:
            packet = self.inbound.open(datagram) if self.inbound else datagram
            if packet:
                self.heard.append(packet)

    def shake_hands(self, to, seconds=5):
        self.say_hello(to)
        return self.listen(lambda: self.handshake.keys is not None, seconds)

    def speak(self, to, ssrc=None, number=None, voice=VOICE):
        self.number += 1
        packet = rtp_packet(
            self.number if number is None else number,
            self.number * 160,
            self.ssrc if ssrc is None else ssrc,
            payload=voice,
        )
        self.rtp.sendto(self.outbound.seal(packet) if self.outbound else packet, to)

    def move(self):
        """To another port."""
        self.rtp.close()
        self.rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.rtp.bind((self.address, free_ports()))

    def crypto_key(self, sdp):
        return base64.b64decode(re.search(r"inline:([A-Za-z0-9+/=]+)", sdp)[1])


def random_master():
    return os.urandom(30)
