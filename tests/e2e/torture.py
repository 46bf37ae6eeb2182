"""The torture messages of RFC 4475, as that document has them,
and those of RFC 5118, written anew from what they are to show.

A case: name, what it shows, what the RFC asks of a server, the message, and what this one does: a
status, None for silence, a list where a stream holds two messages, DROP where a stream is closed because
nobody can tell where the next message would begin; or a tuple of these for (UDP, TCP, TLS, WebSocket).
They come from a trunk that is trusted, so a proper INVITE gets as far as call control and ends there
with 404: nobody has that number. `\\n` stands for CRLF. The messages are the genuine ones byte for byte,
but that each transport's Call-ID begins with its name: they are no retransmissions of each other.
"""
import base64
import re

DROP = "drop"
CALL_ID = re.compile(rb"^((?:call-id|i)\s*:\s*)", re.IGNORECASE | re.MULTILINE)


class Case:
    def __init__(self, name, shows, asks, message, expected):
        self.name, self.shows, self.asks, self.message = name, shows, asks, message
        self.expected = expected if isinstance(expected, tuple) else (expected,) * 4

    def raw(self, transport):
        message = self.message if isinstance(self.message, bytes) else self.message.encode().replace(b"\n", b"\r\n")
        return CALL_ID.sub(lambda name: name[0] + f"{transport}.".encode(), message)

    def is_answered_by(self, message, transport):
        """Late answers of other cases come too. One case has no Call-ID."""
        call_id = message.header("Call-ID") or message.header("I")
        return (
            call_id.startswith(f"{transport}.")
            and call_id in self.raw(transport).decode(errors="replace")
            or (not call_id and self.name in message.header("Via"))
        )


def sdp(address, time="0"):
    return (
        f"v=0\no=mhandley 29739 7272939 IN IP4 {address}\ns=-\nc=IN IP4 {address}\nt={time} 0\nm=audio 49217 RTP/AVP 0 12\n"
        "m=video 3227 RTP/AVP 31\na=rtpmap:31 LPC\n"
    )


SIGNED = base64.b64decode(
    "MIIBUgYJKoZIhvcNAQcCoIIBQzCCAT8CAQExCTAHBgUrDgMCGjALBgkqhkiG9w0BBwExggEgMIIBHAIBATB8MHAxCzAJBgNVBAYTAlVTMRMwEQYDVQQIEwpDYWxp"
    "Zm9ybmlhMREwDwYDVQQHEwhTYW4gSm9zZTEOMAwGA1UEChMFc2lwaXQxKTAnBgNVBAsTIFNpcGl0IFRlc3QgQ2VydGlmaWNhdGUgQXV0aG9yaXR5AggBlQBxAjMB"
    "EzAHBgUrDgMCGjANBgkqhkiG9w0BAQEFAASBgI70ZvlI8FIt0uWXjp2Vquny/hWgZllxYpLo2iqo2DUKaM7/rjy9K/8Wdd3VZI5ZPdZHKPJiIPfpQXSeMw2aFe2r"
    "25PRDEIQLntyidKcwMmuLvvHwM/5Fy87An5PwCfhVG3ktqo6uz5mzMtd1sZLg4MUnLjm/xgtlE/le2W8mdAF"
)
MULTIPART = b"""MESSAGE sip:kumiko@example.org SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK-d87543-4dade06d0bdb11ee-1--d87543-;rport
Max-Forwards: 70
Route: <sip:127.0.0.1:5080>
Identity: r5mwreLuyDRYBi/0TiPwEsY3rEVsk/G2WxhgTV1PF7hHuLIK0YWVKZhKv9Mj8UeXqkMVbnVq37CD+813gvYjcBUaZngQmXc9WNZSDNGCzA+fWl9MEUHWIZo1CeJebdY/XlgKeTa0Olvq0rt70Q5jiSfbqMJmQFteeivUhkMWYUA=
Contact: <sip:fluffy@127.0.0.1:5070>
To: <sip:kumiko@example.org>
From: <sip:fluffy@example.com>;tag=2fb0dcc9
Call-ID: 3d9485ad0c49859b@Zmx1ZmZ5LW1hYy0xNi5sb2NhbA..
CSeq: 1 MESSAGE
Content-Transfer-Encoding: binary
Content-Type: multipart/mixed;boundary=7a9cbec02ceef655
Date: Sat, 15 Oct 2005 04:44:56 GMT
User-Agent: SIPimp.org/0.2.5 (curses)
Content-Length: 553

--7a9cbec02ceef655
Content-Type: text/plain
Content-Transfer-Encoding: binary

Hello
--7a9cbec02ceef655
Content-Type: application/octet-stream
Content-Transfer-Encoding: binary

@
--7a9cbec02ceef655--
""".replace(
    b"\n", b"\r\n"
).replace(
    b"\r\n@\r\n", b"\r\n" + SIGNED + b"\r\n"
)

LONG_CALLER = "amazinglylongcallername" * 5
LONG_VIAS = "".join(
    f"{name}SIP/2.0/TCP sip{33 - i}.example.com\n"
    for i, name in enumerate(
        [
            "Via: ",
            "v: ",
            "V: ",
            "Via: ",
            "ViA: ",
            "VIa: ",
            "VIA: ",
            "via: ",
            "viA: ",
            "vIa: ",
            "vIA: ",
            "V :  ",
            "v :  ",
            "V  : ",
            "v  : ",
            "Via : ",
            "Via  : ",
        ]
        + ["Via: "] * 16
    )
)
LONG = f"""INVITE sip:user@example.com SIP/2.0
To: "I have a user name of {'extreme' * 10} proportion"<sip:user@example.com:6000;unknownparam1=very{'long' * 20}value;longparam{'name' * 25}=shortvalue;very{'long' * 25}ParameterNameWithNoValue>
F: sip:{LONG_CALLER}@example.net;tag=12{'982' * 50}424;unknownheaderparam{'name' * 20}=unknowheaderparam{'value' * 15};unknownValueless{'paramname' * 10}
Call-ID: longreq.one{'really' * 20}longcallid
CSeq: 3882340 INVITE
Unknown-{'Long' * 20}-Name: unknown-{'long' * 20}-value; unknown-{'long' * 20}-parameter-name = unknown-{'long' * 20}-parameter-value
{LONG_VIAS}Via: SIP/2.0/TCP host.example.com;received=192.0.2.5;branch=very{'long' * 50}branchvalue
Max-Forwards: 70
Contact: <sip:{LONG_CALLER}@host5.example.net>
Content-Type: application/sdp
l: 150

{sdp("192.0.2.1")}"""

NONE_KNOWS = "405, or 501"
RFC_4475 = [
    # 3.1.1, valid messages
    Case(
        "wsinv",
        "folded lines, blanks wherever they are allowed, leading zeros, compact names, unknown headers",
        "to be read; in a dialog that there is not: 481",
        r"""INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0
TO :
 sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n
from   : "J Rosenberg \\\""       <sip:jdrosen@example.com>
  ;
  tag = 98asjd8
MaX-fOrWaRdS: 0068
Call-ID: wsinv.ndaksdj@192.0.2.1
Content-Length   : 150
cseq: 0009
  INVITE
Via  : SIP  /   2.0
 /UDP
    192.0.2.2;branch=390skdjuw
s :
NewFangledHeader:   newfangled value
 continued newfangled value
UnknownHeaderWithUnusualValue: ;;,,;;,;
Content-Type: application/sdp
Route:
 <sip:services.example.com;lr;unknownwith=value;unknown-no-value>
v:  SIP  / 2.0  / TCP     spindle.example.com   ;
  branch  =   z9hG4bK9ikj8  ,
 SIP  /    2.0   / UDP  192.168.255.111   ; branch=
 z9hG4bK30239
m:"Quoted string \"\"" <sip:jdrosen@example.com> ; newparam =
      newvalue ;
  secondparam ; q = 0.33

"""
        + sdp("192.0.2.3").replace("c=IN IP4 192.0.2.3", "c=IN IP4 192.0.2.4"),
        481,
    ),
    Case(
        "intmeth",
        "every character that a method, a user part and a tag may hold; quoted control characters",
        f"{NONE_KNOWS}; here control " "characters are refused, quoted or not",
        "!interesting-Method0123456789_*+`.%indeed'~ sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too."
        "(doesn't-it)@example.com SIP/2.0\nVia: SIP/2.0/TCP host1.example.com;branch=z9hG4bK-.!%66*_+`'~\n"
        'To: "BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f" <sip:1_unusual.URI~(to-be!sure)&isn\'t+it$/crazy?,/;;*@example.com>\n'
        "From: token1~` token2'+_ token3*%!.- <sip:mundane@example.com>;fromParam''~+*_!.-%=\"\u0440\u0430\u0431\u043e\u0442\u0430\u044e\u0449\u0438\u0439\""
        ";tag=_token~1'+`*%!-.\nCall-ID: intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{\nCSeq: 139122385 !interesting-Method0123456789_*+`.%indeed'~\n"
        "Max-Forwards: 255\nextensionHeader-!.%*+_`'~:\ufeff\u5927\u505c\u96fb\nContent-Length: 0\n\n",
        400,
    ),
    Case(
        "esc01",
        "escapes in user part and URI headers; %25 is not unescaped twice",
        "to be read",
        """INVITE sip:sips%3Auser%40example.com@example.net SIP/2.0
To: sip:%75se%72@example.com
From: <sip:I%20have%20spaces@example.net>;tag=938
Max-Forwards: 87
i: esc01.239409asdfakjkn23onasd0-3234
CSeq: 234234 INVITE
Via: SIP/2.0/UDP host5.example.net;branch=z9hG4bKkdjuw
C: application/sdp
Contact:
  <sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31>
Content-Length: 150

"""
        + sdp("192.0.2.1"),
        404,
    ),
    Case(
        "escnull",
        "an escaped NUL in a user part is a character like any other",
        "to be read",
        """REGISTER sip:example.com SIP/2.0
To: sip:null-%00-null@example.com
From: sip:null-%00-null@example.com;tag=839923423
Max-Forwards: 70
Call-ID: escnull.39203ndfvkjdasfkq3w4otrq0adsfdfnavd
CSeq: 14398234 REGISTER
Via: SIP/2.0/UDP host5.example.com;branch=z9hG4bKkdjuw
Contact: <sip:%00@host5.example.com>
Contact: <sip:%00%00@host5.example.com>
L:0

""",
        405,
    ),
    Case(
        "esc02",
        "a percent sign that is no escape, in method, header name and display name",
        f"an unknown method: {NONE_KNOWS}",
        """RE%47IST%45R sip:registrar.example.com SIP/2.0
To: "%Z%45" <sip:resource@example.com>
From: "%Z%45" <sip:resource@example.com>;tag=f232jadfj23
Call-ID: esc02.asdfnqwo34rq23i34jrjasdcnl23nrlknsdf
Via: SIP/2.0/TCP host.example.com;branch=z9hG4bK209%fzsnel234
CSeq: 29344 RE%47IST%45R
Max-Forwards: 70
Contact: <sip:alias1@host1.example.com>
C%6Fntact: <sip:alias2@host2.example.com>
Contact: <sip:alias3@host3.example.com>
l: 0

""",
        405,
    ),
    Case(
        "lwsdisp",
        "no blank between display name and angle bracket",
        "to be read",
        """OPTIONS sip:user@example.com SIP/2.0
To: sip:user@example.com
From: caller<sip:caller@example.com>;tag=323
Max-Forwards: 70
Call-ID: lwsdisp.1234abcd@funky.example.com
CSeq: 60 OPTIONS
Via: SIP/2.0/UDP funky.example.com;branch=z9hG4bKkdjuw
l: 0

""",
        200,
    ),
    Case("longreq", "long values and many Vias", "to be read", LONG, 404),
    Case(
        "dblreq",
        "a datagram's bytes after the body are ignored; on a stream they are the next message",
        "one request over UDP; the second has no Contact",
        """REGISTER sip:example.com SIP/2.0
To: sip:j.user@example.com
From: sip:j.user@example.com;tag=43251j3j324
Max-Forwards: 8
I: dblreq.0ha0isndaksdj99sdfafnl3lk233412
Contact: sip:j.user@host.example.com
CSeq: 8 REGISTER
Via: SIP/2.0/UDP 192.0.2.125;branch=z9hG4bKkdjuw23492
Content-Length: 0


INVITE sip:joe@example.com SIP/2.0
t: sip:joe@example.com
From: sip:caller@example.net;tag=141334
Max-Forwards: 8
Call-ID: dblreq.0ha0isnda977644900765@192.0.2.15
CSeq: 8 INVITE
Via: SIP/2.0/UDP 192.0.2.15;branch=z9hG4bKkdjuw380234
Content-Type: application/sdp
Content-Length: 150

v=0
o=mhandley 29739 7272939 IN IP4 192.0.2.15
s=-
c=IN IP4 192.0.2.15
t=0 0
m=audio 49217 RTP/AVP 0 12
m =video 3227 RTP/AVP 31
a=rtpmap:31 LPC
""",
        (405, [405, 400], [405, 400], 405),
    ),
    Case(
        "semiuri",
        "a semicolon in a user part parts no parameter",
        "to be read",
        """OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0
To: sip:j_user@example.com
From: sip:caller@example.org;tag=33242
Max-Forwards: 3
Call-ID: semiuri.0ha0isndaksdj
CSeq: 8 OPTIONS
Accept: application/sdp, application/pkcs7-mime,
        multipart/mixed, multipart/signed,
        message/sip, message/sipfrag
Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKkdjuw
l: 0

""",
        200,
    ),
    Case(
        "transports",
        "Vias with transports that nobody knows",
        "to be read",
        """OPTIONS sip:user@example.com SIP/2.0
To: sip:user@example.com
From: <sip:caller@example.com>;tag=323
Max-Forwards: 70
Call-ID:  transports.kijh4akdnaqjkwendsasfdj
Accept: application/sdp
CSeq: 60 OPTIONS
Via: SIP/2.0/UDP t1.example.com;branch=z9hG4bKkdjuw
Via: SIP/2.0/SCTP t2.example.com;branch=z9hG4bKklasjdhf
Via: SIP/2.0/TLS t3.example.com;branch=z9hG4bK2980unddj
Via: SIP/2.0/UNKNOWN t4.example.com;branch=z9hG4bKasd0f3en
Via: SIP/2.0/TCP t5.example.com;branch=z9hG4bK0a9idfnee
l: 0

""",
        200,
    ),
    Case(
        "mpart01",
        "a multipart body with binary in it, NULs among it",
        "to be read; a method that is not there: 405",
        MULTIPART,
        405,
    ),
    Case(
        "unreason",
        "a reason phrase in another script",
        "to be read",
        """SIP/2.0 200 = 2**3 * 5**2 \u043d\u043e \u0441\u0442\u043e \u0434\u0435\u0432\u044f\u043d\u043e\u0441\u0442\u043e \u0434\u0435\u0432\u044f\u0442\u044c - \u043f\u0440\u043e\u0441\u0442\u043e\u0435
Via: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923
Call-ID: unreason.1234ksdfak3j2erwedfsASdf
CSeq: 35 INVITE
From: sip:user@example.com;tag=11141343
To: sip:user@example.edu;tag=2229
Content-Length: 154
Content-Type: application/sdp
Contact: <sip:user@host198.example.com>

"""
        + sdp("192.0.2.198"),
        None,
    ),
    Case(
        "noreason",
        "an empty reason phrase",
        "to be read",
        """SIP/2.0 100 \nVia: SIP/2.0/UDP 192.0.2.105;branch=z9hG4bK2398ndaoe
Call-ID: noreason.asndj203insdf99223ndf
CSeq: 35 INVITE
From: <sip:user@example.com>;tag=39ansfi3
To: <sip:user@example.edu>;tag=902jndnke3
Content-Length: 0
Contact: <sip:user@host105.example.com>

""",
        None,
    ),
    # 3.1.2, invalid messages
    Case(
        "badinv01",
        "separators without anything between them",
        "400",
        """INVITE sip:user@example.com SIP/2.0
To: sip:j.user@example.com
From: sip:caller@example.net;tag=134161461246
Max-Forwards: 7
Call-ID: badinv01.0ha0isndaksdjasdf3234nas
CSeq: 8 INVITE
Via: SIP/2.0/UDP 192.0.2.15;;,;,,
Contact: "Joe" <sip:joe@example.org>;;;;
Content-Length: 152
Content-Type: application/sdp

"""
        + sdp("192.0.2.15"),
        400,
    ),
    Case(
        "clerr",
        "a Content-Length that is larger than the body",
        "400 over UDP; on a stream the rest is awaited",
        """INVITE sip:user@example.com SIP/2.0
Max-Forwards: 80
To: sip:j.user@example.com
From: sip:caller@example.net;tag=93942939o2
Contact: <sip:caller@hungry.example.net>
Call-ID: clerr.0ha0isndaksdjweiafasdk3
CSeq: 8 INVITE
Via: SIP/2.0/UDP host5.example.com;branch=z9hG4bK-39234-23523
Content-Type: application/sdp
Content-Length: 9999

"""
        + sdp("192.0.2.155"),
        (400, DROP, DROP, 400),
    ),
    Case(
        "ncl",
        "a negative Content-Length",
        "400; a stream is closed",
        """INVITE sip:user@example.com SIP/2.0
Max-Forwards: 254
To: sip:j.user@example.com
From: sip:caller@example.net;tag=32394234
Call-ID: ncl.0ha0isndaksdj2193423r542w35
CSeq: 0 INVITE
Via: SIP/2.0/UDP 192.0.2.53;branch=z9hG4bKkdjuw
Contact: <sip:caller@example53.example.net>
Content-Type: application/sdp
Content-Length: -999

"""
        + sdp("192.0.2.53"),
        400,
    ),
    Case(
        "scalar02",
        "numbers beyond their range, in a request",
        "400",
        """REGISTER sip:example.com SIP/2.0
Via: SIP/2.0/TCP host129.example.com;branch=z9hG4bK342sdfoi3
To: <sip:user@example.com>
From: <sip:user@example.com>;tag=239232jh3
CSeq: 36893488147419103232 REGISTER
Call-ID: scalar02.23o0pd9vanlq3wnrlnewofjas9ui32
Max-Forwards: 300
Expires: 1"""
        + "0" * 100
        + """
Contact: <sip:user@host129.example.com>
  ;expires=280297596632815
Content-Length: 0

""",
        400,
    ),
    Case(
        "scalarlg",
        "numbers beyond their range, in a response",
        "to be dropped",
        """SIP/2.0 503 Service Unavailable
Via: SIP/2.0/TCP host129.example.com;branch=z9hG4bKzzxdiwo34sw;received=192.0.2.129
To: <sip:user@example.com>
From: <sip:other@example.net>;tag=2easdjfejw
CSeq: 9292394834772304023312 OPTIONS
Call-ID: scalarlg.noase0of0234hn2qofoaf0232aewf2394r
Retry-After: 949302838503028349304023988
Warning: 1812 overture "In Progress"
Content-Length: 0

""",
        None,
    ),
    Case(
        "quotbal",
        "a quoted display name that does not end",
        "400, or to be mended",
        """INVITE sip:user@example.com SIP/2.0
To: "Mr. J. User <sip:j.user@example.com>
From: sip:caller@example.net;tag=93334
Max-Forwards: 10
Call-ID: quotbal.aksdj
Contact: <sip:caller@host59.example.net>
CSeq: 8 INVITE
Via: SIP/2.0/UDP 192.0.2.59:5050;branch=z9hG4bKkdjuw39234
Content-Type: application/sdp
Content-Length: 152

"""
        + sdp("192.0.2.15"),
        400,
    ),
    Case(
        "ltgtruri",
        "angle brackets around the Request-URI",
        "400, or to be mended",
        """INVITE <sip:user@example.com> SIP/2.0
To: sip:user@example.com
From: sip:caller@example.net;tag=39291
Max-Forwards: 23
Call-ID: ltgtruri.1@192.0.2.5
CSeq: 1 INVITE
Via: SIP/2.0/UDP 192.0.2.5
Contact: <sip:caller@host5.example.net>
Content-Type: application/sdp
Content-Length: 159

"""
        + sdp("192.0.2.5", "3149328700"),
        400,
    ),
    Case(
        "lwsruri",
        "a blank inside the Request-URI",
        "400, or to be mended",
        """INVITE sip:user@example.com; lr SIP/2.0
To: sip:user@example.com;tag=3xfe-9921883-z9f
From: sip:caller@example.net;tag=231413434
Max-Forwards: 5
Call-ID: lwsruri.asdfasdoeoi2323-asdfwrn23-asd834rk423
CSeq: 2130706432 INVITE
Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKkdjuw2395
Contact: <sip:caller@host1.example.net>
Content-Type: application/sdp
Content-Length: 159

"""
        + sdp("192.0.2.1", "3149328700"),
        400,
    ),
    Case(
        "lwsstart",
        "two blanks between the parts of the request line",
        "400, or to be mended",
        """INVITE  sip:user@example.com  SIP/2.0
Max-Forwards: 8
To: sip:user@example.com
From: sip:caller@example.net;tag=8814
Call-ID: lwsstart.dfknq234oi243099adsdfnawe3@example.com
CSeq: 1893884 INVITE
Via: SIP/2.0/UDP host1.example.com;branch=z9hG4bKkdjuw3923
Contact: <sip:caller@host1.example.net>
Content-Type: application/sdp
Content-Length: 150

"""
        + sdp("192.0.2.1"),
        400,
    ),
    Case(
        "trws",
        "blanks at the end of the request line",
        "400, or to be mended",
        """OPTIONS sip:remote-target@example.com SIP/2.0  \nVia: SIP/2.0/TCP host1.examle.com;branch=z9hG4bK299342093
To: <sip:remote-target@example.com>
From: <sip:local-resource@example.com>;tag=329429089
Call-ID: trws.oicu34958239neffasdhr2345r
Accept: application/sdp
CSeq: 238923 OPTIONS
Max-Forwards: 70
Content-Length: 0

""",
        400,
    ),
    Case(
        "escruri",
        "escaped headers in the Request-URI",
        "400, or to be mended",
        """INVITE sip:user@example.com?Route=%3Csip:example.com%3E SIP/2.0
To: sip:user@example.com
From: sip:caller@example.net;tag=341518
Max-Forwards: 7
Contact: <sip:caller@host39923.example.net>
Call-ID: escruri.23940-asdfhj-aje3br-234q098w-fawerh2q-h4n5
CSeq: 149209342 INVITE
Via: SIP/2.0/UDP host-of-the-hour.example.com;branch=z9hG4bKkdjuw
Content-Type: application/sdp
Content-Length: 150

"""
        + sdp("192.0.2.1"),
        400,
    ),
    Case(
        "baddate",
        "a date that is not in GMT: nobody asks for it, so it is ignored",
        "400, or to be ignored",
        """INVITE sip:user@example.com SIP/2.0
To: sip:user@example.com
From: sip:caller@example.net;tag=2234923
Max-Forwards: 70
Call-ID: baddate.239423mnsadf3j23lj42--sedfnm234
CSeq: 1392934 INVITE
Via: SIP/2.0/UDP host.example.com;branch=z9hG4bKkdjuw
Date: Fri, 01 Jan 2010 16:00:00 EST
Contact: <sip:caller@host5.example.net>
Content-Type: application/sdp
Content-Length: 150

"""
        + sdp("192.0.2.5"),
        404,
    ),
    Case(
        "regbadct",
        "an address with URI headers in it and no angle brackets",
        "400",
        """REGISTER sip:example.com SIP/2.0
To: sip:user@example.com
From: sip:user@example.com;tag=998332
Max-Forwards: 70
Call-ID: regbadct.k345asrl3fdbv@10.0.0.1
CSeq: 1 REGISTER
Via: SIP/2.0/UDP 135.180.130.133:5060;branch=z9hG4bKkdjuw
Contact: sip:user@example.com?Route=%3Csip:sip.example.com%3E
l: 0

""",
        400,
    ),
    Case(
        "badaspec",
        "blanks inside an address",
        "400, or to be mended",
        """OPTIONS sip:user@example.org SIP/2.0
Via: SIP/2.0/UDP host4.example.com:5060;branch=z9hG4bKkdju43234
Max-Forwards: 70
From: "Bell, Alexander" <sip:a.g.bell@example.com>;tag=433423
To: "Watson, Thomas" < sip:t.watson@example.org >
Call-ID: badaspec.sdf0234n2nds0a099u23h3hnnw009cdkne3
Accept: application/sdp
CSeq: 3923239 OPTIONS
l: 0

""",
        400,
    ),
    Case(
        "baddn",
        "a display name that is neither quoted nor of tokens alone",
        "400, or to be mended",
        """OPTIONS sip:t.watson@example.org SIP/2.0
Via:     SIP/2.0/UDP c.example.com:5060;branch=z9hG4bKkdjuw
Max-Forwards:      70
From:    Bell, Alexander <sip:a.g.bell@example.com>;tag=43
To:      Watson, Thomas <sip:t.watson@example.org>
Call-ID: baddn.31415@c.example.com
Accept: application/sdp
CSeq:    3923239 OPTIONS
l: 0

""",
        400,
    ),
    Case(
        "badvers",
        "another version of SIP",
        "505",
        """OPTIONS sip:t.watson@example.org SIP/7.0
Via:     SIP/7.0/UDP c.example.com;branch=z9hG4bKkdjuw
Max-Forwards:     70
From:    A. Bell <sip:a.g.bell@example.com>;tag=qweoiqpe
To:      T. Watson <sip:t.watson@example.org>
Call-ID: badvers.31417@c.example.com
CSeq:    1 OPTIONS
l: 0

""",
        505,
    ),
    Case(
        "mismatch01",
        "a method that is not CSeq's",
        "400",
        """OPTIONS sip:user@example.com SIP/2.0
To: sip:j.user@example.com
From: sip:caller@example.net;tag=34525
Max-Forwards: 6
Call-ID: mismatch01.dj0234sxdfl3
CSeq: 8 INVITE
Via: SIP/2.0/UDP host.example.com;branch=z9hG4bKkdjuw
l: 0

""",
        400,
    ),
    Case(
        "mismatch02",
        "an unknown method that is not CSeq's",
        "400, or 501",
        """NEWMETHOD sip:user@example.com SIP/2.0
To: sip:j.user@example.com
From: sip:caller@example.net;tag=34525
Max-Forwards: 6
Call-ID: mismatch02.dj0234sxdfl3
CSeq: 8 INVITE
Contact: <sip:caller@host.example.net>
Via: SIP/2.0/UDP host.example.net;branch=z9hG4bKkdjuw
Content-Type: application/sdp
l: 138

v=0
o=mhandley 29739 7272939 IN IP4 192.0.2.1
c=IN IP4 192.0.2.1
m=audio 49217 RTP/AVP 0 12
m=video 3227 RTP/AVP 31
a=rtpmap:31 LPC
""",
        400,
    ),
    Case(
        "bigcode",
        "a status code beyond all codes",
        "to be dropped",
        """SIP/2.0 4294967301 better not break the receiver
Via: SIP/2.0/UDP 192.0.2.105;branch=z9hG4bK2398ndaoe
Call-ID: bigcode.asdof3uj203asdnf3429uasdhfas3ehjasdfas9i
CSeq: 353494 INVITE
From: <sip:user@example.com>;tag=39ansfi3
To: <sip:user@example.edu>;tag=902jndnke3
Content-Length: 0
Contact: <sip:user@host105.example.com>

""",
        None,
    ),
    # 3.2, transactions
    Case(
        "badbranch",
        "a branch of the cookie alone: taken as of RFC 2543",
        "no branch to go by; as of RFC 2543, or 400",
        """OPTIONS sip:user@example.com SIP/2.0
To: sip:user@example.com
From: sip:caller@example.org;tag=33242
Max-Forwards: 3
Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK
Accept: application/sdp
Call-ID: badbranch.sadonfo23i420jv0as0derf3j3n
CSeq: 8 OPTIONS
l: 0

""",
        200,
    ),
    # 3.3, the application
    Case(
        "insuf",
        "Call-ID, From and To are missing",
        "no crash; 400 where it can be said",
        """INVITE sip:user@example.com SIP/2.0
CSeq: 193942 INVITE
Via: SIP/2.0/UDP 192.0.2.95;branch=z9hG4bKkdj.insuf
Content-Type: application/sdp
l: 152

"""
        + sdp("192.0.2.95"),
        400,
    ),
    Case(
        "unkscm",
        "a scheme that nobody knows",
        "416",
        """OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0
To: sip:user@example.com
From: sip:caller@example.net;tag=384
Max-Forwards: 3
Call-ID: unkscm.nasdfasser0q239nwsdfasdkl34
CSeq: 3923423 OPTIONS
Via: SIP/2.0/TCP host9.example.com;branch=z9hG4bKkdjuw39234
Content-Length: 0

""",
        416,
    ),
    Case(
        "novelsc",
        "a known scheme that is no SIP",
        "416",
        """OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0
To: sip:user@example.com
From: sip:caller@example.net;tag=384
Max-Forwards: 3
Call-ID: novelsc.asdfasser0q239nwsdfasdkl34
CSeq: 3923423 OPTIONS
Via: SIP/2.0/TCP host9.example.com;branch=z9hG4bKkdjuw39234
Content-Length: 0

""",
        416,
    ),
    Case(
        "unksm2",
        "unknown schemes in To, From and Contact",
        "to be read; a registrar responds with 400",
        """REGISTER sip:example.com SIP/2.0
To: isbn:2983792873
From: <http://www.example.com>;tag=3234233
Call-ID: unksm2.daksdj@hyphenated-host.example.com
CSeq: 234902 REGISTER
Max-Forwards: 70
Via: SIP/2.0/UDP 192.0.2.21:5060;branch=z9hG4bKkdjuw
Contact: <name:John_Smith>
l: 0

""",
        405,
    ),
    Case(
        "bext01",
        "extensions that are required and that nobody has",
        "420 with Unsupported",
        """OPTIONS sip:user@example.com SIP/2.0
To: sip:j_user@example.com
From: sip:caller@example.net;tag=242etr
Max-Forwards: 6
Call-ID: bext01.0ha0isndaksdj
Require: nothingSupportsThis, nothingSupportsThisEither
Proxy-Require: noProxiesSupportThis, norDoAnyProxiesSupportThis
CSeq: 8 OPTIONS
Via: SIP/2.0/TLS fold-and-staple.example.com;branch=z9hG4bKkdjuw
Content-Length: 0

""",
        420,
    ),
    Case(
        "invut",
        "a body of a type that nobody knows",
        "415; here nobody has the number, which is said first",
        """INVITE sip:user@example.com SIP/2.0
Contact: <sip:caller@host5.example.net>
To: sip:j.user@example.com
From: sip:caller@example.net;tag=8392034
Max-Forwards: 70
Call-ID: invut.0ha0isndaksdjadsfij34n23d
CSeq: 235448 INVITE
Via: SIP/2.0/UDP somehost.example.com;branch=z9hG4bKkdjuw
Content-Type: application/unknownformat
Content-Length: 40

<audio>
 <pcmu port="443"/>
</audio>
""",
        404,
    ),
    Case(
        "regaut01",
        "an unknown scheme of authorization",
        "as though it were not there",
        """REGISTER sip:example.com SIP/2.0
To: sip:j.user@example.com
From: sip:j.user@example.com;tag=87321hj23128
Max-Forwards: 8
Call-ID: regaut01.0ha0isndaksdj
CSeq: 9338 REGISTER
Via: SIP/2.0/TCP 192.0.2.253;branch=z9hG4bKkdjuw
Authorization: NoOneKnowsThisScheme opaque-data=here
Content-Length:0

""",
        405,
    ),
    Case(
        "multi01",
        "headers twice that may be there once",
        "400",
        """INVITE sip:user@company.com SIP/2.0
Contact: <sip:caller@host25.example.net>
Via: SIP/2.0/UDP 192.0.2.25;branch=z9hG4bKkdjuw
Max-Forwards: 70
CSeq: 5 INVITE
Call-ID: multi01.98asdh@192.0.2.1
CSeq: 59 INVITE
Call-ID: multi01.98asdh@192.0.2.2
From: sip:caller@example.com;tag=3413415
To: sip:user@example.com
To: sip:other@example.net
From: sip:caller@example.net;tag=2923420123
Content-Type: application/sdp
l: 154
Contact: <sip:caller@host36.example.net>
Max-Forwards: 5

"""
        + sdp("192.0.2.25")
        + "\n",
        400,
    ),
    Case(
        "mcl01",
        "two Content-Lengths that differ",
        "400; a stream is closed",
        """OPTIONS sip:user@example.com SIP/2.0
Via: SIP/2.0/UDP host5.example.net;branch=z9hG4bK293423
To: sip:user@example.com
From: sip:other@example.net;tag=3923942
Call-ID: mcl01.fhn2323orihawfdoa3o4r52o3irsdf
CSeq: 15932 OPTIONS
Content-Length: 13
Max-Forwards: 60
Content-Length: 5
Content-Type: text/plain

There's no way to know how many octets are supposed to be here.
""",
        400,
    ),
    Case(
        "bcast",
        "a response whose Via is a broadcast address",
        "to be dropped",
        """SIP/2.0 200 OK
Via: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923
Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1saber23
Call-ID: bcast.0384840201234ksdfak3j2erwedfsASdf
CSeq: 35 INVITE
From: sip:user@example.com;tag=11141343
To: sip:user@example.edu;tag=2229
Content-Length: 154
Content-Type: application/sdp
Contact: <sip:user@host28.example.com>

"""
        + sdp("192.0.2.198"),
        None,
    ),
    Case(
        "zeromf",
        "no hop is left",
        "a server that it is for may respond; a proxy 483",
        """OPTIONS sip:user@example.com SIP/2.0
To: sip:user@example.com
From: sip:caller@example.net;tag=3ghsd41
Call-ID: zeromf.jfasdlfnm2o2l43r5u0asdfas
CSeq: 39234321 OPTIONS
Via: SIP/2.0/UDP host1.example.com;branch=z9hG4bKkdjuw2349i
Max-Forwards: 0
Content-Length: 0

""",
        200,
    ),
    Case(
        "cparam01",
        "an unknown parameter in Contact",
        "to be read",
        """REGISTER sip:example.com SIP/2.0
Via: SIP/2.0/UDP saturn.example.com:5060;branch=z9hG4bKkdjuw
Max-Forwards: 70
From: sip:watson@example.com;tag=DkfVgjkrtMwaerKKpe
To: sip:watson@example.com
Call-ID: cparam01.70710@saturn.example.com
CSeq: 2 REGISTER
Contact: sip:+19725552222@gw1.example.net;unknownparam
l: 0

""",
        405,
    ),
    Case(
        "cparam02",
        "an unknown parameter of a Contact's URI",
        "to be read",
        """REGISTER sip:example.com SIP/2.0
Via: SIP/2.0/UDP saturn.example.com:5060;branch=z9hG4bKkdjuw
Max-Forwards: 70
From: sip:watson@example.com;tag=838293
To: sip:watson@example.com
Call-ID: cparam02.70710@saturn.example.com
CSeq: 3 REGISTER
Contact: <sip:+19725552222@gw1.example.net;unknownparam>
l: 0

""",
        405,
    ),
    Case(
        "regescrt",
        "an escaped Route in a Contact's URI",
        "to be read",
        """REGISTER sip:example.com SIP/2.0
To: sip:user@example.com
From: sip:user@example.com;tag=8
Max-Forwards: 70
Call-ID: regescrt.k345asrl3fdbv@192.0.2.1
CSeq: 14398234 REGISTER
Via: SIP/2.0/UDP host5.example.com;branch=z9hG4bKkdjuw
M: <sip:user@example.com?Route=%3Csip:sip.example.com%3E>
L:0

""",
        405,
    ),
    Case(
        "sdp01",
        "an answer is asked for in a type that nobody knows",
        "406 is allowed; here nobody has the number, which is said first",
        """INVITE sip:user@example.com SIP/2.0
To: sip:j_user@example.com
Contact: <sip:caller@host15.example.net>
From: sip:caller@example.net;tag=234
Max-Forwards: 5
Call-ID: sdp01.ndaksdj9342dasdd
Accept: text/nobodyKnowsThis
CSeq: 8 INVITE
Via: SIP/2.0/UDP 192.0.2.15;branch=z9hG4bKkdjuw
Content-Length: 150
Content-Type: application/sdp

"""
        + sdp("192.0.2.5"),
        404,
    ),
    # 3.4, backward compatibility
    Case(
        "inv2543",
        "an INVITE of RFC 2543: no branch, tag, Max-Forwards, Content-Length, Contact",
        "to be taken by who wants to be compatible; " "here an INVITE needs a Contact",
        """INVITE sip:UserB@example.com SIP/2.0
Via: SIP/2.0/UDP iftgw.example.com
From: <sip:+13035551111@ift.client.example.net;user=phone>
Record-Route: <sip:UserB@example.com;maddr=ss1.example.com>
To: sip:+16505552222@ss1.example.net;user=phone
Call-ID: inv2543.1717@ift.client.example.com
CSeq: 56 INVITE
Content-Type: application/sdp

v=0
o=mhandley 29739 7272939 IN IP4 192.0.2.5
s=-
c=IN IP4 192.0.2.5
t=0 0
m=audio 49217 RTP/AVP 0
""",
        400,
    ),
]

# ---- RFC 5118 ----

SDP = "v=0\no=mhandley 29739 7272939 IN IP4 192.0.2.3\ns=-\nc=IN IP4 192.0.2.4\nt=0 0\nm=audio 49217 RTP/AVP 0\na=rtpmap:0 PCMU/8000\n"


def request(name, method="INVITE", uri="sip:vivekg@chair.example", replace=(), body=None):
    """A proper request, but for what is said."""
    headers = {
        "To": "To: sip:vivekg@chair.example",
        "From": "From: <sip:caller@example.net>;tag=7",
        "Call-ID": f"Call-ID: {name}.torture",
        "CSeq": f"CSeq: 8 {method}",
        "Via": f"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{name}",
        "Max-Forwards": "Max-Forwards: 70",
        "Contact": "Contact: <sip:caller@host.example.net>",
    }
    headers.update(dict(replace))
    body = SDP if body is None and method == "INVITE" else body or ""
    lines = (
        list(headers.values())
        + ["Content-Type: application/sdp"] * bool(body)
        + [f"Content-Length: {len(body) + body.count(chr(10))}"]
    )
    return f"{method} {uri} SIP/2.0\n" + "\n".join(lines) + "\n\n" + body


RFC_5118 = [
    Case(
        "ipv6-good",
        "4.1: an address in brackets",
        "to be read",
        request(
            "ipv6-good",
            "REGISTER",
            "sip:[2001:db8::10]",
            replace={"Contact": 'Contact: "Caller" <sip:caller@[2001:db8::1]>'},
        ),
        405,
    ),
    Case(
        "ipv6-bad",
        "4.2: an address without brackets",
        "400",
        request(
            "ipv6-bad",
            "REGISTER",
            "sip:2001:db8::10",
            replace={"Contact": 'Contact: "Caller" <sip:caller@2001:db8::1>'},
        ),
        400,
    ),
    Case(
        "port-ambiguous",
        "4.3: a port swallowed by the brackets",
        "to be read as an address",
        request("port-ambiguous", "REGISTER", "sip:[2001:db8::10:5070]"),
        405,
    ),
    Case(
        "port-unambiguous",
        "4.4: a port behind the brackets",
        "to be read",
        request("port-unambiguous", "REGISTER", "sip:[2001:db8::10]:5070"),
        405,
    ),
    Case(
        "via-received-param-with-delim",
        "4.5: received with brackets",
        "to be read",
        request(
            "via-received-param-with-delim",
            "OPTIONS",
            "sip:[2001:db8::9:255]",
            replace={"Via": "Via: SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=z9hG4bKas3-111"},
        ),
        200,
    ),
    Case(
        "via-received-param-no-delim",
        "4.5: received without brackets",
        "to be read",
        request(
            "via-received-param-no-delim",
            "OPTIONS",
            "sip:[2001:db8::9:255]",
            replace={"Via": "Via: SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255;branch=z9hG4bKas3"},
        ),
        200,
    ),
    Case(
        "ipv6-in-sdp",
        "4.6: addresses of IPv6 in the description",
        "to be read",
        request(
            "ipv6-in-sdp",
            body=SDP.replace("IP4 192.0.2.4", "IP6 2001:db8::20").replace("IP4 192.0.2.3", "IP6 2001:db8::20"),
        ),
        404,
    ),
    Case(
        "mult-ip-in-header",
        "4.7: both kinds in Via",
        "to be read",
        request(
            "mult-ip-in-header",
            "OPTIONS",
            "sip:user@host.example.net",
            replace={
                "Via": "Via: SIP/2.0/UDP [2001:db8::9:1]:6050;branch=z9hG4bKmult\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKjhja8781hjuaij65144"
            },
        ),
        200,
    ),
    Case(
        "mult-ip-in-sdp",
        "4.8: a media line of each kind",
        "to be read",
        request("mult-ip-in-sdp", body=SDP + "m=video 6000 RTP/AVP 31\nc=IN IP6 2001:db8::20\n"),
        404,
    ),
    Case(
        "ipv4-mapped-ipv6",
        "4.9: mapped addresses",
        "to be read",
        request(
            "ipv4-mapped-ipv6",
            replace={"Contact": 'Contact: "T. desk phone" <sip:ted@[::ffff:192.0.2.2]>'},
            body=SDP.replace("IP4 192.0.2.4", "IP6 ::ffff:192.0.2.2"),
        ),
        404,
    ),
    Case(
        "ipv6-bug-abnf-3-colons",
        "4.10: three colons, as an old grammar allowed",
        "400, or to be mended",
        request("ipv6-bug-abnf-3-colons", "OPTIONS", "sip:user@[2001:db8:::192.0.2.1]"),
        400,
    ),
]
