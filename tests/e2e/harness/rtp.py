"""RTP packets by hand."""
import struct


def rtp_packet(number, timestamp, ssrc=0x1234, payload_type=0, marker=False, payload=b"\xd5" * 160):
    return (
        struct.pack(
            "!BBHII", 0x80, (0x80 if marker else 0) | payload_type, number & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc
        )
        + payload
    )
