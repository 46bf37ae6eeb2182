"""What the end-to-end tests stand on: the built server, a backend, and phones, all on loopback.

Phones: Baresip (a real phone), sipp (scenarios made of steps), Caller (vas-caller), Phone (scripted by hand, for what
real phones refuse to do). Every address is in 127.0.0.0/8; media ports of phones stay out of the server's range.
"""
from .addresses import in_uri
from .api import ApiClient, Poll
from .audio import audible_seconds, tone_share, write_tone
from .backend import Backend
from .baresip import Baresip
from .caller import Caller, dialling
from .e2e_test import E2eTest, serving
from .message import Message
from .phone import Phone
from .ports import free_ports
from .processes import die_with_parent, server_folder
from .rtp import rtp_packet
from .scenarios import sipp
from .server import Vas
from .settings import ALICE, BIN, BOB, DOMAIN, HERE, IDLE, KEY, LOOSE_TRUNK, PEER_ALLOW, SLOW, TRUNK
from .stream_phones import StreamPhone, TlsPhone, WebSocketPhone
from .waiting import wait_until
