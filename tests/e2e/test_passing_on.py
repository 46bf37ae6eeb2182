"""What goes from one party to the other beside media, and what phones and carriers of the field say in their own way:
why a call ended, INFO, numbers, who calls, names."""
import json
import re
import time
import unittest

from harness import ALICE, BOB, DOMAIN, TRUNK, E2eTest, Phone

STRANGER = "127.0.0.11"  # a trunk that its domain knows and the system does not
OTHER = "127.0.0.12"  # one that is told nothing


class Party(Phone):
    """A phone that sends requests in its dialog whichever side it is."""

    local = None

    def next(self, *wanted, seconds=5):
        """The next message that is one of them: a method or a status."""
        deadline = time.monotonic() + seconds
        while True:
            message = self.receive(max(0.05, deadline - time.monotonic()))
            if message.status in wanted or message.method in wanted:
                return message

    def adopt(self, request):
        """The dialog of an INVITE that came."""
        self.local = f"{request.header('To')};tag={self.tag}"
        self.remote_to, self.call_id = request.header("From"), request.header("Call-ID")
        self.target = re.search(r"<([^>]+)>", request.header("Contact")).group(1)

    def join(self, answer):
        """The dialog, early or not, that an answer to its own INVITE makes."""
        self.remote_to = answer.header("To")
        self.target = re.search(r"<([^>]+)>", answer.header("Contact")).group(1)

    def ask(self, method, headers=(), body="", content_type="application/sdp", cseq=None, branch=None):
        self.cseq += cseq is None
        self.branch = branch or f"z9hG4bK{time.monotonic_ns()}"
        lines = [
            f"{method} {self.target} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.address}:{self.port};branch={self.branch};rport",
            f"From: {self.local or f'<sip:phone@{self.address}>;tag={self.tag}'}",
            f"To: {self.remote_to}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {self.cseq if cseq is None else cseq} {method}",
            "Max-Forwards: 70",
            f"Contact: <sip:phone@{self.address}:{self.port}>",
            *headers,
            *([f"Content-Type: {content_type}"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        self.transmit("\r\n".join(lines) + "\r\n\r\n" + body)

    def call(self, uri, caller="<sip:+15155558484@carrier.example>", headers=(), to=None):
        """A new INVITE with every word of it given."""
        self.cseq += 1
        self.branch, self.uri, self.to = f"z9hG4bK{time.monotonic_ns()}", uri, to or f"<sip:{BOB}@{self.server}>"
        self.local = f"{caller};tag={self.tag}"
        body = self.sdp()
        lines = [
            f"INVITE {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.address}:{self.port};branch={self.branch};rport",
            f"From: {self.local}",
            f"To: {self.to}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {self.cseq} INVITE",
            "Max-Forwards: 70",
            f"Contact: <sip:gw@{self.address}:{self.port}>",
            *headers,
            "Content-Type: application/sdp",
            f"Content-Length: {len(body)}",
        ]
        self.transmit("\r\n".join(lines) + "\r\n\r\n" + body)

    def give_up(self, headers=()):
        lines = [
            f"CANCEL {self.uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.address}:{self.port};branch={self.branch};rport",
            f"From: {self.local}",
            f"To: {self.to}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {self.cseq} CANCEL",
            "Max-Forwards: 70",
            *headers,
            "Content-Length: 0",
        ]
        self.transmit("\r\n".join(lines) + "\r\n\r\n")


class PassingOnTest(E2eTest):
    def party(self, address="127.0.0.1"):
        party = Party(address, self.vas.sip)
        self.addCleanup(party.close)
        return party

    def ringing(self):
        """A caller, a carrier whose phone rings, the token, and the INVITE that it got."""
        near, far = self.party(), self.party(TRUNK)
        plan = {"routes": [{"termination_ip": f"{TRUNK}:{far.port}", "termination_number": "999"}]}
        token = self.vas.make_outgoing(routing=plan)["token"]
        near.invite(token)
        request = far.next("INVITE")
        far.adopt(request)
        far.answer(request, 183, "Session Progress", far.sdp())
        near.join(near.next(183))
        return near, far, token, request

    def connected(self):
        near, far, token, request = self.ringing()
        far.answer(request, 200, "OK", far.sdp())
        near.ack(near.final())
        far.next("ACK")
        return near, far, token


class Reasons(PassingOnTest):
    """RFC 3326, RFC 6432."""

    def told(self, message):
        return ", ".join(message.all("Reason"))

    def test_all_of_a_bye(self):
        for given in (
            ['Reason: SIP;cause=486;text="Busy, really"', 'Reason: Q.850;cause=17;text="User busy"'],
            ['Reason: SIP;cause=486;text="Busy, really", Q.850;cause=17;text="User busy"'],
        ):
            for from_caller in (False, True):
                near, far, _ = self.connected()
                first, second = (near, far) if from_caller else (far, near)
                first.ask("BYE", given)
                self.assertEqual(first.next(200).status, 200)
                bye = second.next("BYE")
                second.answer(bye, 200, "OK")
                self.assertEqual(self.told(bye), 'SIP;cause=486;text="Busy, really", Q.850;cause=17;text="User busy"')

    def test_what_is_none_is_left_out(self):
        near, far, _ = self.connected()
        far.ask("BYE", ['Reason: SIP;cause=;text="a', f"Reason: X;text=\"{'y' * 600}\"", "Reason: Q.850;cause=16"])
        self.assertEqual(self.told(near.next("BYE")), "Q.850;cause=16")

    def test_of_a_cancel(self):
        near, far, token, request = self.ringing()
        near.send(
            "CANCEL",
            cseq=1,
            branch=near.branch,
            to=f"<sip:any@{near.server}>",
            target=f"sip:any@{near.server}",
            headers=['Reason: SIP;cause=200;text="Call completed elsewhere"'],
        )
        cancel = far.next("CANCEL")
        self.assertEqual(self.told(cancel), 'SIP;cause=200;text="Call completed elsewhere"')
        far.answer(cancel, 200, "OK")
        far.answer(request, 487, "Request Terminated")
        self.assertEqual(self.vas.record_of(token)["disposition"], "CANCELLED")

    def test_of_a_cancel_before_anything_rings(self):
        near, far = self.party(), self.party(TRUNK)
        plan = {"routes": [{"termination_ip": f"{TRUNK}:{far.port}", "termination_number": "999"}]}
        near.invite(self.vas.make_outgoing(routing=plan)["token"])
        request = far.next("INVITE")
        near.send("CANCEL", cseq=1, branch=near.branch, headers=["Reason: SIP;cause=200"])
        near.next(487)
        far.answer(request, 180, "Ringing")
        self.assertEqual(self.told(far.next("CANCEL")), "SIP;cause=200", "it waited for the first answer")

    def test_of_a_refusal_with_its_retry_after(self):
        near, far, token, request = self.ringing()
        far.answer(
            request, 480, "Nobody Here", "", ['Reason: Q.850;cause=18;text="No user responding"', "Retry-After: 30"]
        )
        refused = near.final()
        self.assertEqual(
            (refused.start, self.told(refused), refused.header("Retry-After")),
            ("SIP/2.0 480 Temporarily Unavailable", 'Q.850;cause=18;text="No user responding"', "30"),
        )
        self.assertEqual(self.vas.record_of(token)["last_sip_code"], 480)


class Infos(PassingOnTest):
    def test_whole_both_ways(self):
        near, far, _ = self.connected()
        body = "--b1\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b1--\r\n"
        for one, two in ((near, far), (far, near)):
            one.ask(
                "INFO",
                [
                    "Info-Package: foo;x=y",
                    "Content-Disposition: Info-Package;handling=optional",
                    "Content-Language: en",
                ],
                body,
                'multipart/mixed;boundary="b1"',
            )
            info = two.next("INFO")
            two.answer(info, 200, "OK")
            one.next(200)
            self.assertEqual(
                (re.sub(r"\s", "", info.header("Content-Type")), info.body), ('multipart/mixed;boundary="b1"', body)
            )
            self.assertEqual(
                [
                    re.sub(r"\s", "", info.header(name))
                    for name in ("Info-Package", "Content-Disposition", "Content-Language")
                ],
                ["foo;x=y", "Info-Package;handling=optional", "en"],
            )
            one.ask("INFO")
            info = two.next("INFO")
            two.answer(info, 200, "OK")
            self.assertEqual((info.header("Content-Type"), info.body), ("", ""))
            one.next(200)

    def test_the_answer_comes_back_with_what_would_have_been_taken(self):
        near, far, _ = self.connected()
        near.ask("INFO", (), "x", "application/x")
        far.answer(far.next("INFO"), 415, "No", "", ["Accept: application/dtmf-relay"])
        refused = near.final()
        self.assertEqual((refused.status, refused.header("Accept")), (415, "application/dtmf-relay"))
        near.ask("INFO", (), "x", "application/x")
        far.answer(far.next("INFO"), 481, "No Such Call")
        refused = near.final()
        self.assertEqual(refused.status, 500, "481 would end the dialog of who asked")
        self.assertTrue(refused.header("Retry-After"))
        self.assertEqual(near.bye().status, 200)

    def test_in_an_early_dialog(self):
        near, far, _, request = self.ringing()
        for one, two in ((near, far), (far, near)):
            one.ask("INFO", (), "Signal=1\r\nDuration=160\r\n", "application/dtmf-relay")
            info = two.next("INFO")
            self.assertEqual(
                (info.header("Content-Type"), info.body), ("application/dtmf-relay", "Signal=1\r\nDuration=160\r\n")
            )
            two.answer(info, 200, "OK")
            one.next(200)
        far.answer(request, 200, "OK", far.sdp())
        answer = near.final()
        near.ask("ACK", cseq=1)
        self.assertEqual(
            (answer.status, far.next("ACK").header("CSeq")), (200, request.header("CSeq").replace("INVITE", "ACK"))
        )
        self.assertEqual(near.bye().status, 200)

    def test_the_way_of_an_early_dialog_ends_with_it(self):
        near, far, other = self.party(), self.party(TRUNK), self.party(TRUNK)
        plan = {"routes": [{"termination_ip": f"{TRUNK}:{far.port}", "termination_number": "999"}]}
        near.invite(self.vas.make_outgoing(routing=plan)["token"])
        request = far.next("INVITE")
        far.answer(request, 180, "Ringing")
        near.next(180)
        far.answer(request, 200, "OK", far.sdp(), [f"Record-Route: <sip:{TRUNK}:{other.port};lr>"])
        near.ack(near.final())
        ack = other.next("ACK")
        self.assertIn(f"{TRUNK}:{other.port}", ack.header("Route"), "the 200's route (RFC 3261 §13.2.2.4)")
        near.send("BYE")
        other.next("BYE")

    def test_while_the_caller_is_parked_it_is_refused_and_nothing_ends(self):
        caller = self.party(TRUNK)
        caller.call(f"sip:{BOB}@{self.vas.sip}")
        caller.join(caller.next(180))
        caller.ask("INFO", (), "Signal=1\r\n", "application/dtmf-relay")
        refused = caller.final()
        self.assertEqual((refused.status, bool(refused.header("Retry-After"))), (500, True))
        self.assertEqual(self.vas.session(self.notification()["session"])[1]["status"], "ringing")


class InDialog(PassingOnTest):
    def test_what_is_asked_for(self):
        for who in self.connected()[:2]:
            who.ask("OPTIONS")
            answer = who.final()
            self.assertEqual(answer.status, 200)
            self.assertIn("UPDATE", answer.header("Allow"))
            self.assertTrue(answer.header("Supported") and answer.header("Accept"))
            for method in ("OPTIONS", "INFO", "UPDATE"):
                who.ask(method, ["Require: foo, timer, bar"])
                answer = who.final()
                self.assertEqual((answer.status, answer.header("Unsupported")), (420, "foo, bar"), method)
            who.ask("REFER", ["Refer-To: <sip:5@x>"])
            answer = who.final()
            self.assertEqual((answer.status, "INVITE" in answer.header("Allow")), (405, True))

    def test_a_re_invite_that_requires_what_nobody_has_leaves_the_call(self):
        near, far, _ = self.connected()
        near.ask("INVITE", ["Require: replaces"], near.sdp(version=2))
        answer = near.final()
        self.assertEqual((answer.status, answer.header("Unsupported")), (420, "replaces"))
        near.ask("ACK", cseq=near.cseq, branch=near.branch)
        near.ask("BYE", ["Require: foo"])
        self.assertEqual(near.final().status, 200, "a BYE ends the call whatever it asks for")
        far.next("BYE")

    def test_an_offer_over_another_is_put_off(self):
        near, far, _ = self.connected()
        near.ask("INVITE", (), near.sdp("sendonly", version=2))
        first, first_branch = near.cseq, near.branch
        offer = far.next("INVITE")
        for method in ("INVITE", "UPDATE"):
            near.ask(method, (), near.sdp("sendrecv", version=3))
            answer = near.final()
            self.assertIn(int(answer.header("Retry-After")), range(11))
            self.assertEqual(answer.status, 500)
            if method == "INVITE":
                near.ask("ACK", cseq=near.cseq, branch=near.branch)
        far.answer(offer, 200, "OK", far.sdp("recvonly", version=2))
        far.next("ACK")
        self.assertEqual(near.final().status, 200)
        near.ask("ACK", cseq=first, branch=first_branch + "a")
        self.assertEqual(near.bye().status, 200)


class Unanswered(PassingOnTest):
    def answered_before_its_prack(self):
        """A caller that wants reliable answers and says nothing to its 183, and the carrier's 200."""
        near, far = self.party(), self.party(TRUNK)
        plan = {"routes": [{"termination_ip": f"{TRUNK}:{far.port}", "termination_number": "999"}]}
        token = self.vas.make_outgoing(routing=plan)["token"]
        near.invite(token, headers=["Require: 100rel"])
        request = far.next("INVITE")
        far.adopt(request)
        far.answer(request, 183, "Session Progress", far.sdp())
        self.assertIn("100rel", near.next(183).header("Require"))
        far.answer(request, 200, "OK", far.sdp())
        far.next("ACK")
        return near, far, token

    def test_a_caller_that_sends_no_prack_has_no_answered_call(self):
        near, far, token = self.answered_before_its_prack()
        bye = far.next("BYE", seconds=60)  # after 64 T1
        self.assertIn("cause=408", bye.header("Reason"))
        far.answer(bye, 200, "OK")
        self.assertEqual(near.next(*range(200, 700)).status, 503, "and no 200 before it")
        record = self.vas.record_of(token)
        self.assertEqual(
            [record[name] for name in ("disposition", "answer", "billsec", "local_cause", "termination_reason")],
            ["FAILED", None, 0, 915, "no PRACK"],
        )

    def test_a_caller_that_cancels_while_our_200_waits_for_its_prack(self):
        near, far, token = self.answered_before_its_prack()
        near.send("CANCEL", cseq=1, branch=near.branch)
        near.next(487)
        far.next("BYE")
        record = self.vas.record_of(token)
        self.assertEqual((record["disposition"], record["answer"], record["billsec"]), ("CANCELLED", None, 0))


class Unreadable(PassingOnTest):
    def test_an_offer(self):
        for body, warning, cause in (
            ("v=0\r\no=broken", "307", 922),
            ("hello", "307", 922),
            ("v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 40000 RTP/AVP 18\r\n", "305", 906),
        ):
            near = self.party()
            token = self.vas.make_outgoing(
                routing={"routes": [{"termination_ip": f"{TRUNK}:9", "termination_number": "9"}]}
            )["token"]
            near.invite(token, body=body)
            refused = near.final()
            self.assertEqual((refused.status, refused.header("Warning")[:3]), (488, warning), body)
            self.assertEqual(self.vas.record_of(token)["local_cause"], cause, body)

    def test_an_answer(self):
        near, far = self.party(), self.party(TRUNK)
        plan = {"routes": [{"termination_ip": f"{TRUNK}:{far.port}", "termination_number": "999"}]}
        token = self.vas.make_outgoing(routing=plan)["token"]
        near.invite(token)
        far.answer(far.next("INVITE"), 200, "OK", "v=0\r\no=broken")
        far.next("ACK")
        self.assertIn("No readable answer", far.next("BYE").header("Reason"))
        self.assertEqual(near.final().status, 488)
        self.assertEqual(self.vas.record_of(token)["local_cause"], 922)


class Numbers(PassingOnTest):
    """RFC 3261 §19.1.6, RFC 3966, RFC 4694, RFC 4904."""

    def notified(self, uri, *rest, **more):
        """What the backend is told of an INVITE from a trusted trunk."""
        self.backend.notifications.clear()
        caller = self.party(TRUNK)
        caller.call(uri, *rest, **more)
        answer = caller.next(180, *range(300, 700))
        self.assertEqual(answer.status, 180, f"{uri} {rest} {more}: {answer.start}")
        told = self.notification()
        caller.give_up()
        caller.next(487)
        return told

    def test_the_called_number_is_found_however_it_is_written(self):
        at = f"@{self.vas.sip}"
        for uri in (
            f"sip:+{BOB}{at}",
            f"sip:%2B{BOB}{at}",
            f"sip:+{BOB}{at};user=phone",
            f"SIP:{BOB}{at}",
            f"sip:{BOB}:x{at}",
            f"sip:+{BOB};npdi=yes;rn=+15550009999{at};user=phone",
            f"sip:+{BOB};npdi{at}",
            f"sip:+{BOB};isub=1234{at};user=phone",
            f"sip:+{BOB};tgrp=tg1;trunk-context=carrier.example{at};user=phone",
            f"sip:+1-555-0002{at};user=phone",
            f"sip:1-555-(0002){at};user=phone",
            f"tel:+{BOB}",
            f"tel:{BOB};phone-context=+1",
            "tel:+1-555-0002",
        ):
            self.assertEqual(self.notified(uri)["dnid"], BOB, uri)

    def test_the_calling_number_is_the_number(self):
        for caller in (
            "<sip:+15155558484;cpc=ordinary@carrier.example;user=phone>",
            "<tel:+15155558484>",
            "<tel:+1-515-555-8484;ext=2>",
            "<sip:%2B15155558484@carrier.example>",
            "<sip:+15155558484;npdi;rn=+15150001111@carrier.example>",
            "sip:+15155558484@carrier.example",
            "<sip:+15155558484@carrier.example>;isup-oli=24",
        ):
            self.assertEqual(self.notified(f"sip:{BOB}@{self.vas.sip}", caller)["caller-id"], "+15155558484", caller)

    def test_names_do_no_harm(self):
        for name in ('"Zoë \\"Z\\" Ö, GmbH"', "Zoë Müller", "jo@x.example", "Tel: 5", "'single'", "HQ\\jo", "日本"):
            caller = f"{name} <sip:+15155558484@carrier.example>"
            self.assertEqual(
                self.notified(f"sip:{BOB}@{self.vas.sip}", caller, to=f"{name} <sip:{BOB}@h>")["caller-id"],
                "+15155558484",
                name,
            )


class Names(PassingOnTest):
    def test_of_contacts_in_an_invite_and_in_its_answer(self):
        for name in ('"Doe; Jane, Dr."', "Jürgen Müller", "user@dom", "1.2-3 x:y", '""', '"a\\"b"'):
            near, far = self.party(), self.party(TRUNK)
            plan = {"routes": [{"termination_ip": f"{TRUNK}:{far.port}", "termination_number": "999"}]}
            token = self.vas.make_outgoing(routing=plan)["token"]
            near.invite(token, contact=f"Contact: {name} <sip:u@{near.address}:{near.port}>")
            request = far.next("INVITE")
            far.adopt(request)
            answer = "\r\n".join(
                [
                    "SIP/2.0 200 OK",
                    *[f"Via: {value}" for value in request.all("Via")],
                    f"From: {request.header('From')}",
                    f"To: {name} {request.header('To')};tag={far.tag}",
                    f"Call-ID: {request.header('Call-ID')}",
                    f"CSeq: {request.header('CSeq')}",
                    f"Contact: {name} <sip:u@{far.address}:{far.port}>",
                    "Content-Type: application/sdp",
                    f"Content-Length: {len(far.sdp())}",
                ]
            )
            far.transmit(answer + "\r\n\r\n" + far.sdp())
            near.ack(near.final())
            self.assertEqual(far.next("ACK").method, "ACK", name)
            far.local = f"{request.header('To')};tag={far.tag}"
            far.ask("BYE")
            self.assertEqual(near.next("BYE").start, f"BYE sip:u@{near.address}:{near.port} SIP/2.0", name)


class Identities(PassingOnTest):
    """RFC 3325: who calls, as a trusted network says it."""

    @classmethod
    def edit_directory(cls, directory):
        directory["domains"][0]["profile"]["call-routing-application"] = cls.backend.url + "/application"
        directory["trunks"] += [
            {"id": 9, "domainId": 3, "name": "stranger", "sources": [STRANGER], "trusted": False},
            {"id": 10, "domainId": 3, "name": "public", "identity": "public"},
            {"id": 11, "domainId": 3, "name": "other", "identity": "none"},
        ]

    def called(self, by, over, headers):
        """The INVITE that leaves over trunk `over` for one that came `by` an address."""
        caller, far = self.party(by), self.party(OTHER)
        route = {"termination_ip": f"{OTHER}:{far.port}", "termination_number": "999"} | (
            {"cx_trunk_id": over} if over else {}
        )
        self.backend.answer, self.backend.instructions = (
            200,
            json.dumps({"action": "route", "routing": {"routes": [route]}}).encode(),
        )
        caller.call(f"sip:{BOB}@{self.vas.sip}", '"Anonymous" <sip:anonymous@anonymous.invalid>', headers)
        request = far.next("INVITE")
        far.answer(request, 486, "Busy Here")
        caller.next(486)
        return request

    def test_are_shown_unless_the_caller_keeps_them(self):
        asserted = 'P-Asserted-Identity: "Jo" <sip:+15155558484;cpc=ordinary@carrier.example>, <tel:+15155558484>'
        for by, headers, shown in (
            (TRUNK, [asserted], "+15155558484"),
            (TRUNK, [asserted, "Privacy: id"], "anonymous"),
            (TRUNK, [asserted, "Privacy: none"], "+15155558484"),
            (STRANGER, [asserted], "anonymous"),
            (TRUNK, ["P-Asserted-Identity: <sip:carrier.example>"], "anonymous"),
        ):
            self.backend.notifications.clear()
            request = self.called(by, None, headers)
            self.assertEqual(self.notification()["caller-id"], shown, (by, headers))
            self.assertIn(f"<sip:{shown}@", request.header("From"))
            self.assertEqual(
                request.all("P-Asserted-Identity") + request.all("Privacy"), [], "to nobody without a rule"
            )

    def test_who_keeps_himself_from_the_called_is_nobody_to_its_backend(self):
        self.backend.answer, self.backend.instructions = 200, b'{"action": "park"}'
        caller = self.party(TRUNK)
        caller.call(f"sip:{BOB}@{self.vas.sip}", "<sip:+15155558484@carrier.example>", ["Privacy: user"])
        said = self.notification()
        session = self.vas.session(said["session"])[1]
        self.assertEqual(
            {said["caller-id"], session["origination"], session["remote"], session["callerId"]}, {"anonymous"}
        )
        self.vas.request("DELETE", f"/calls/{DOMAIN}/sessions/{said['session']}")
        caller.next(480)

    def test_go_on_by_the_rule_of_the_trunk(self):
        asserted = '"Jo" <sip:+15155558484@carrier.example>, <tel:+15155558484>'
        for over, privacy, told in (
            (7, None, (asserted, "")),
            (7, "id", (asserted, "id")),
            (10, None, (asserted, "")),
            (10, "id", ("", "")),
            (10, "none", (asserted, "")),
            (11, None, ("", "")),
            (9, None, ("", "")),
        ):
            headers = [f"P-Asserted-Identity: {asserted}", *([f"Privacy: {privacy}"] if privacy else [])]
            request = self.called(TRUNK, over, headers)
            self.assertEqual((request.header("P-Asserted-Identity"), request.header("Privacy")), told, (over, privacy))
        request = self.called(STRANGER, 7, [f"P-Asserted-Identity: {asserted}"])
        self.assertEqual(request.header("P-Asserted-Identity"), "", "of who says so and is nobody")

    def test_of_a_caller_with_a_token_are_his_own_words(self):
        near, far = self.party(), self.party(TRUNK)
        plan = {"routes": [{"termination_ip": f"{TRUNK}:{far.port}", "termination_number": "999", "cx_trunk_id": 7}]}
        near.invite(
            self.vas.make_outgoing(routing=plan)["token"], headers=["P-Asserted-Identity: <sip:+1@h>", "Privacy: id"]
        )
        request = far.next("INVITE")
        self.assertEqual(request.all("P-Asserted-Identity") + request.all("Privacy"), [])
        self.assertIn(f"<sip:{ALICE}@", request.header("From"))


if __name__ == "__main__":
    unittest.main()
