"""The torture messages of RFC 4475 by their names there, and those of RFC 5118, written anew from what they are to show.

A case: name, what it shows, the message, and what is expected: a status, None for silence, or a tuple of what is expected over
(UDP, TCP, WebSocket). They come from a trunk that is trusted, so a proper INVITE gets as far as call control and ends there with 404:
nobody has that number. `\n` stands for CRLF. `drop` closes a stream: nobody can tell where the next message would begin.
"""

DROP = "drop"


class Case:
    def __init__(self, name, shows, message, expected):
        self.name, self.shows, self.message = name, shows, message
        self.expected = expected if isinstance(expected, tuple) else (expected,) * 3

    def raw(self, transport):
        """Each transport's has a Call-ID of its own: they are no retransmissions of each other."""
        message = self.message if isinstance(self.message, bytes) else self.message.encode("utf-8", "surrogateescape")
        return message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n").replace(b".torture", f".{transport}".encode())

    def is_answered_by(self, message, transport):
        """Late answers of other cases come too. One case has no Call-ID."""
        call_id = message.header("Call-ID")
        return f"{self.name}.{transport}" in call_id or (not call_id and self.name in message.header("Via"))


SDP = "v=0\no=mhandley 29739 7272939 IN IP4 192.0.2.3\ns=-\nc=IN IP4 192.0.2.4\nt=0 0\nm=audio 49217 RTP/AVP 0\na=rtpmap:0 PCMU/8000\n"


def crlf_length(text):
    return len(text.replace("\n", "\r\n").encode())


def request(name, method="INVITE", uri="sip:vivekg@chair.example", drop=(), replace=(), more="", body=None, version="SIP/2.0", cseq=None):
    """A proper request, but for what is said."""
    headers = {"To": "To: sip:vivekg@chair.example", "From": "From: <sip:caller@example.net>;tag=7", "Call-ID": f"Call-ID: {name}.torture",
               "CSeq": f"CSeq: {cseq or f'8 {method}'}", "Via": f"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{name}", "Max-Forwards": "Max-Forwards: 70",
               "Contact": "Contact: <sip:caller@host.example.net>"}
    for key, line in dict(replace).items():
        headers[key] = line
    lines = [line for key, line in headers.items() if key not in drop]
    if more:
        lines.append(more)
    if body is None and method == "INVITE":
        body = SDP
    if body and "Content-Type" not in drop:
        lines.append("Content-Type: application/sdp")
    if "Content-Length" not in drop:
        lines.append(f"Content-Length: {crlf_length(body or '')}")
    return f"{method} {uri} {version}\n" + "\n".join(lines) + "\n\n" + (body or "")


def response(name, start, **options):
    text = request(name, method="INVITE", body="", **options)
    return start + text[text.index("\n"):]


BOUNDARY = "7a9cbec02ceef655"
MULTIPART = (f"--{BOUNDARY}\nContent-Type: text/plain\nContent-Transfer-Encoding: binary\n\nHello\n--{BOUNDARY}\n"
             f"Content-Type: application/octet-stream\n\n\x01\x02\udc80\udcff\n--{BOUNDARY}--\n")

RFC_4475 = [
    # 3.1.1, valid messages
    Case("wsinv", "folded lines, blanks wherever they are allowed, leading zeros, compact names, unknown headers",
         "INVITE sip:vivekg@chair.example;unknownparam SIP/2.0\nTO :\n sip:vivekg@chair.example ;   tag    = 1918181833n\n"
         "from   : \"J Rosenberg \\\\\\\"\"       <sip:jdrosen@example.com>\n  ;\n  tag = 98asjd8\nMaX-fOrWaRdS: 0068\n"
         "Call-ID: wsinv.torture\nContent-Length   : 0\ncseq: 0009\n  INVITE\nVia  : SIP  /   2.0\n /UDP\n    192.0.2.2;branch=390skdjuw\n"
         "s :\nNewFangledHeader:   newfangled value\n continued newfangled value\nUnknownHeaderWithUnusualValue: ;;,,;;,;\n"
         "Route:\n <sip:services.example.com;lr;unknownwith=value;unknown-no-value>\nv:  SIP  / 2.0  / TCP     spindle.example.com   ;\n"
         "  branch  =   z9hG4bK9ikj8  ,\n SIP  /    2.0   / UDP  192.168.255.111   ; branch=\n z9hG4bK30239\n"
         "m:\"Quoted string \\\"\\\"\" <sip:jdrosen@example.com> ; newparam =\n      newvalue ;\n  secondparam ; q = 0.33\n\n", 481),
    Case("intmeth", "every character that a method, a user part and a tag may hold",
         request("intmeth", "!interesting-Method0123456789_*+`.%indeed'~",
                 "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com",
                 replace={"To": "To: \"BEL:\\\x07 NUL:\\\x01 DEL:\\\x7f\" <sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com>",
                          "From": "From: token1~` token2'+_ token3*%!.- <sip:mundane@example.com>;fromParam''~+*_!.-%=\"\u0440\u0430\u0431\";tag=_token~1'+`*%!-."},
                 more="extensionHeader-!.%*+_`'~: \ufffd\u20ac"), 405),
    Case("esc01", "escapes in user part and URI headers; %25 is not unescaped twice",
         request("esc01", uri="sip:sips%3Auser%40example.com@example.net", replace={"To": "To: sip:%75se%72@example.com",
                 "From": "From: <sip:I%20have%20spaces@example.net>;tag=938", "Contact": "Contact: <sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31>"}), 404),
    Case("escnull", "an escaped NUL in a user part is a character like any other",
         request("escnull", "REGISTER", "sip:example.com", replace={"To": "To: sip:null-%00-null@example.com", "From": "From: sip:null-%00-null@example.com;tag=8",
                 "Contact": "Contact: <sip:%00@host5.example.com>\nContact: <sip:%00%00@host5.example.com>"}), 405),
    Case("esc02", "a percent sign that is no escape, in method and display name", request("esc02", "RE%47IST%45R", "sip:registrar.example.com",
         replace={"To": "To: \"%Z%45\" <sip:resource@example.com>", "From": "From: \"%Z%45\" <sip:resource@example.com>;tag=f2"}), 405),
    Case("lwsdisp", "no blank between display name and angle bracket", request("lwsdisp", "OPTIONS", "sip:user@example.com",
         replace={"To": "To: sip:user@example.com", "From": "From: caller<sip:caller@example.com>;tag=323"}), 200),
    Case("longreq", "long values and many Vias",
         request("longreq", uri="sip:user@example.com", replace={
             "To": "To: \"I have a user name of " + "extreme" * 40 + " proportion\"<sip:user@example.com:6000;unknownparam1=very" + "long" * 40 + "value;longparam"
                   + "name" * 40 + "=shortvalue;very" + "long" * 40 + "ParameterNameWithNoValue>",
             "From": "From: sip:" + "amazinglylongcallername" * 10 + "@example.net;tag=12" + "982" * 80 + "424;unknownheaderparam"
                     + "name" * 40 + "=unknowheaderparam" + "value" * 40,
             "Call-ID": "Call-ID: longreq.torture" + "really" * 20 + "longcallid",
             "Via": "Via: SIP/2.0/TCP sip33.example.com\n" + "".join(f"v: SIP/2.0/TCP sip{i}.example.com\n" for i in range(32, 2, -1))
                    + "v: SIP/2.0/UDP host.example.com;received=192.0.2.5;branch=very" + "long" * 50 + "branchvalue"}), 404),
    Case("dblreq", "a datagram's bytes after the body are ignored; on a stream they are the next message",
         request("dblreq", "REGISTER", "sip:example.com") + request("dblreq2", uri="sip:joe@example.com"), 405),
    Case("semiuri", "a semicolon in a user part parts no parameter",
         request("semiuri", "OPTIONS", "sip:user;par=u%40example.net@example.com"), 200),
    Case("transports", "Vias with transports that nobody knows", request("transports", "OPTIONS", "sip:user@example.com", replace={
         "Via": "Via: SIP/2.0/UDP t1.example.com;branch=z9hG4bKtransports\nVia: SIP/2.0/SCTP t2.example.com;branch=z9hG4bK2\n"
                "Via: SIP/2.0/TLS t3.example.com;branch=z9hG4bK3\nVia: SIP/2.0/UNKNOWN t4.example.com;branch=z9hG4bK4\nVia: SIP/2.0/TCP t5.example.com;branch=z9hG4bK5"}), 200),
    Case("mpart01", "a multipart body with binary in it", request("mpart01", "MESSAGE", "sip:kumiko@example.org", drop=("Content-Type", "Content-Length"),
         more=f"Content-Type: multipart/mixed;boundary={BOUNDARY}\nContent-Length: {len(MULTIPART.replace(chr(10), chr(13) + chr(10)).encode('utf-8', 'surrogateescape'))}",
         body=MULTIPART), 405),
    Case("unreason", "a reason phrase in another script", response("unreason", "SIP/2.0 200 = 2**3 * 5**2 \u043d\u043e \u0441\u0442\u043e \u0434\u0435\u0432\u044f\u043d\u043e\u0441\u0442\u043e"), None),
    Case("noreason", "an empty reason phrase", response("noreason", "SIP/2.0 100 "), None),
    # 3.1.2, invalid messages
    Case("badinv01", "separators without anything between them", request("badinv01", replace={
         "To": "To: \"Mr. J. User <sip:j.user@example.com> ;tag", "From": "From: sip:caller@example.net;tag=134161461246;;,;;,",
         "Via": "Via: SIP/2.0/UDP 192.0.2.15;;,;,,", "Contact": "Contact: \"Joe\" <sip:joe@example.org>;;;;"}), 400),
    Case("clerr", "a Content-Length that is larger than the body", request("clerr", drop=("Content-Length",), more="Content-Length: 9999"), (400, DROP, 400)),
    Case("ncl", "a negative Content-Length", request("ncl", drop=("Content-Length",), more="Content-Length: -999"), 400),
    Case("scalar02", "numbers beyond their range, in a request", request("scalar02", "REGISTER", "sip:example.com", cseq="36893488147419103232 REGISTER",
         replace={"Max-Forwards": "Max-Forwards: 300"}, more="Expires: 10000000000000000000000000000000"), 400),
    Case("scalarlg", "numbers beyond their range, in a response",
         response("scalarlg", "SIP/2.0 503 Service Unavailable", cseq="9292394834772304023312 OPTIONS", more="Retry-After: 949302838503028349304023988"), None),
    Case("quotbal", "a quoted display name that does not end", request("quotbal", replace={"To": "To: \"Mr. J. User <sip:j.user@example.com>"}), 400),
    Case("ltgtruri", "angle brackets around the Request-URI", request("ltgtruri", uri="<sip:user@example.com>"), 400),
    Case("lwsruri", "a blank inside the Request-URI", request("lwsruri", uri="sip:user@example.com; lr"), 400),
    Case("lwsstart", "two blanks between the parts of the request line", request("lwsstart").replace("INVITE ", "INVITE  ", 1).replace(" SIP/2.0", "  SIP/2.0", 1), 400),
    Case("trws", "blanks at the end of the request line", request("trws", "OPTIONS", version="SIP/2.0  "), 400),
    Case("escruri", "escaped headers in the Request-URI", request("escruri", uri="sip:user@example.com?Route=%3Csip:example.com%3E"), 400),
    Case("baddate", "a date that is not in GMT: nobody asks for it, so it is ignored", request("baddate", more="Date: Fri, 01 Jan 2010 16:00:00 EST"), 404),
    Case("regbadct", "an address with URI headers in it and no angle brackets", request("regbadct", "REGISTER", "sip:example.com", replace={
         "Contact": "Contact: sip:user@example.com?Route=%3Csip:sip.example.com%3E"}), 400),
    Case("badaspec", "blanks inside an address", request("badaspec", "OPTIONS", "sip:user@example.org", replace={
         "To": "To: \"Watson, Thomas\" < sip:t.watson@example.org >"}), 400),
    Case("baddn", "a display name that is neither quoted nor of tokens alone", request("baddn", "OPTIONS", "sip:t.watson@example.org", replace={
         "From": "From: Bell, Alexander <sip:a.g.bell@example.com>;tag=43"}), 400),
    Case("badvers", "another version of SIP", request("badvers", "OPTIONS", version="SIP/7.0"), 505),
    Case("mismatch01", "a method that is not CSeq's", request("mismatch01", "OPTIONS", cseq="8 INVITE"), 400),
    Case("mismatch02", "an unknown method that is not CSeq's", request("mismatch02", "NEWMETHOD", cseq="8 INVITE"), 400),
    Case("bigcode", "a status code beyond all codes", response("bigcode", "SIP/2.0 4294967301 better not break the receiver"), None),
    # 3.2, transactions
    Case("badbranch", "a branch of the cookie alone: taken as of RFC 2543", request("badbranch", "OPTIONS", replace={
         "Via": "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK"}), 200),
    # 3.3, the application
    Case("insuf", "Call-ID, From and To are missing", "INVITE sip:user@example.com SIP/2.0\nCSeq: 193942 INVITE\n"
         "Via: SIP/2.0/UDP 192.0.2.95;branch=z9hG4bKinsuf\nMax-Forwards: 12\nContent-Length: 0\n\n", 400),
    Case("unkscm", "a scheme that nobody knows", request("unkscm", "OPTIONS", "nobodyKnowsThisScheme:totallyopaquecontent"), 416),
    Case("novelsc", "a known scheme that is no SIP", request("novelsc", "OPTIONS", "soap.beep://192.0.2.103:3002"), 416),
    Case("unksm2", "unknown schemes in To, From and Contact", request("unksm2", "REGISTER", "sip:example.com", replace={
         "To": "To: isbn:2983792873", "From": "From: <http://www.example.com>;tag=32", "Contact": "Contact: <name:John_Smith>"}), 405),
    Case("bext01", "extensions that are required and that nobody has", request("bext01", "OPTIONS", more="Require: nothingSupportsThis, nothingSupportsThisEither\n"
         "Proxy-Require: noProxiesSupportThis, norDoAnyProxiesSupportThis"), 420),
    Case("invut", "a body of a type that nobody knows", request("invut", drop=("Content-Type",), more="Content-Type: application/unknownformat", body="<audio>\n <pcmu port=\"443\"/>\n</audio>\n"), 404),
    Case("regaut01", "an unknown scheme of authorization", request("regaut01", "REGISTER", "sip:example.com", more="Authorization: NoOneKnowsThisScheme opaque-data=here"), 405),
    Case("multi01", "headers twice that may be there once", request("multi01", more="CSeq: 59 INVITE\nCall-ID: another\nFrom: sip:x@example.com;tag=1\nTo: sip:y@example.com\nMax-Forwards: 5"), 400),
    Case("mcl01", "two Content-Lengths that differ", request("mcl01", "OPTIONS", more="Content-Length: 13\nContent-Length: 5", drop=("Content-Length",), body="There's no way to know"), 400),
    Case("bcast", "a response whose Via is a broadcast address", response("bcast", "SIP/2.0 200 OK", replace={
         "Via": "Via: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bKbcast\nVia: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1saber23"}), None),
    Case("zeromf", "no hop is left", request("zeromf", "OPTIONS", replace={"Max-Forwards": "Max-Forwards: 0"}), 200),
    Case("cparam01", "an unknown parameter in Contact", request("cparam01", "REGISTER", "sip:example.com", replace={"Contact": "Contact: sip:+19725552222@gw1.example.net;unknownparam"}), 405),
    Case("cparam02", "an unknown parameter of a Contact's URI", request("cparam02", "REGISTER", "sip:example.com", replace={"Contact": "Contact: <sip:+19725552222@gw1.example.net;unknownparam>"}), 405),
    Case("regescrt", "an escaped Route in a Contact's URI", request("regescrt", "REGISTER", "sip:example.com", replace={
         "Contact": "Contact: <sip:user@example.com?Route=%3Csip:sip.example.com%3E>"}), 405),
    Case("sdp01", "a body may be answered with another type", request("sdp01", "OPTIONS", more="Accept: text/nobodyKnowsThis"), 200),
    # 3.4, backward compatibility
    Case("inv2543", "an INVITE of RFC 2543: no branch, no tag, no Max-Forwards", "INVITE sip:UserB@example.com SIP/2.0\nVia: SIP/2.0/UDP iftgw.example.com\n"
         "From: <sip:+13035551111@ift.client.example.net;user=phone>\nRecord-Route: <sip:UserB@example.com;maddr=ss1.example.com>\n"
         "To: sip:+16505552222@ss1.example.net;user=phone\nCall-ID: inv2543.torture\nCSeq: 56 INVITE\nContact: sip:UserA@192.0.2.7\n"
         f"Content-Type: application/sdp\nContent-Length: {crlf_length(SDP)}\n\n{SDP}", 404),
]

RFC_5118 = [
    Case("ipv6-good", "4.1: an address in brackets", request("ipv6-good", "REGISTER", "sip:[2001:db8::10]", replace={
         "Contact": "Contact: \"Caller\" <sip:caller@[2001:db8::1]>"}), 405),
    Case("ipv6-bad", "4.2: an address without brackets", request("ipv6-bad", "REGISTER", "sip:2001:db8::10", replace={
         "Contact": "Contact: \"Caller\" <sip:caller@2001:db8::1>"}), 400),
    Case("port-ambiguous", "4.3: a port swallowed by the brackets", request("port-ambiguous", "REGISTER", "sip:[2001:db8::10:5070]"), 405),
    Case("port-unambiguous", "4.4: a port behind the brackets", request("port-unambiguous", "REGISTER", "sip:[2001:db8::10]:5070"), 405),
    Case("via-received-param-with-delim", "4.5: received with brackets", request("via-received-param-with-delim", "OPTIONS", "sip:[2001:db8::9:255]", replace={
         "Via": "Via: SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=z9hG4bKas3-111"}), 200),
    Case("via-received-param-no-delim", "4.5: received without brackets", request("via-received-param-no-delim", "OPTIONS", "sip:[2001:db8::9:255]", replace={
         "Via": "Via: SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255;branch=z9hG4bKas3"}), 200),
    Case("ipv6-in-sdp", "4.6: addresses of IPv6 in the description", request("ipv6-in-sdp", body=SDP.replace("IP4 192.0.2.4", "IP6 2001:db8::20").replace("IP4 192.0.2.3", "IP6 2001:db8::20")), 404),
    Case("mult-ip-in-header", "4.7: both kinds in Via", request("mult-ip-in-header", "OPTIONS", "sip:user@host.example.net", replace={
         "Via": "Via: SIP/2.0/UDP [2001:db8::9:1]:6050;branch=z9hG4bKmult\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKjhja8781hjuaij65144"}), 200),
    Case("mult-ip-in-sdp", "4.8: a media line of each kind", request("mult-ip-in-sdp", body=SDP + "m=video 6000 RTP/AVP 31\nc=IN IP6 2001:db8::20\n"), 404),
    Case("ipv4-mapped-ipv6", "4.9: mapped addresses", request("ipv4-mapped-ipv6", replace={"Contact": "Contact: \"T. desk phone\" <sip:ted@[::ffff:192.0.2.2]>"},
         body=SDP.replace("IP4 192.0.2.4", "IP6 ::ffff:192.0.2.2")), 404),
    Case("ipv6-bug-abnf-3-colons", "4.10: three colons, as an old grammar allowed", request("ipv6-bug-abnf-3-colons", "OPTIONS", "sip:user@[2001:db8:::192.0.2.1]"), 400),
]
