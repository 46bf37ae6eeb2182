"""The API against its own OpenAPI document: every operation and status of it, every scope, and what must be refused."""
import concurrent.futures
import json
import os
import socket
import sqlite3
import time
import unittest

import jsonschema

from api_harness import DOCUMENT, INACTIVE, KEYS, MSISDN, OTHER_MSISDN, ApiTest
from harness import TRUNK, wait_until, Phone

OPERATIONS = {
    definition["operationId"]: (method.upper(), path, definition)
    for path, item in DOCUMENT["paths"].items()
    for method, definition in item.items()
}


def schema_of(definition):
    """A part of the document as a schema of its own, its references resolved within the document."""
    return {**definition, "components": DOCUMENT["components"]}


class Operations(ApiTest):
    """Drives every operation into every status that the document
    promises, and checks each answer against its schema."""

    flags = ("--http-keyless-per-second", "10")

    def setUp(self):
        super().setUp()
        self.seen = set()

    def drive(self, operation, expect, body=None, key="system", query="", headers=(), raw_body=None, **parameters):
        method, path, definition = OPERATIONS[operation]
        for name, value in {
            "domain": "example.com",
            "msisdn": MSISDN,
            "tenant": 1,
            "token": "0" * 32,
            "key": 999,
            "trunk": 999,
            "id": "none",
            "source": "192.0.2.99",
            **parameters,
        }.items():
            path = path.replace("{" + name + "}", str(value))
        public = not definition["security"]
        answer = self.call(method, path + query, body, None if public else key, headers, raw_body)
        self.assertEqual(answer.status, expect, f"{operation}: {answer.body}")
        self.check(definition, answer)
        self.seen.add((operation, str(expect)))
        return answer

    def check(self, definition, answer):
        promised = definition["responses"][str(answer.status)]
        if "$ref" in promised:
            promised = DOCUMENT["components"]["responses"][promised["$ref"].rpartition("/")[2]]
        if "content" not in promised:
            return self.assertEqual(answer.body, b"")
        ((kind, content),) = promised["content"].items()
        self.assertTrue(answer.headers["Content-Type"].startswith(kind), answer.headers["Content-Type"])
        if kind != "text/plain":
            jsonschema.validate(answer.json, schema_of(content["schema"]))
        if kind == "application/problem+json":
            self.assertEqual(answer.json["status"], answer.status)
            self.assertGreater(len(answer.json["detail"]), 15)

    def test_every_operation_reaches_every_status_of_the_document(self):
        self.successes()
        self.refusals()
        self.conflicts()
        self.too_many()
        self.failures_of_the_store()
        self.draining()
        promised = {
            (name, status) for name, (_, _, definition) in OPERATIONS.items() for status in definition["responses"]
        }
        promised -= {("isUp", "503")}  # takes a part that is stuck: test_faults.py
        promised.discard(
            ("isUp", 503)
        )  # a thread that has been stuck for 10 s: nobody can bring that about from outside
        self.assertEqual(sorted(promised - self.seen), [])

    def successes(self):
        drive = self.drive
        token = drive("createOutgoingSession", 200, {"destination": "1"}).json["token"]
        waiting = drive("createIncomingSession", 200, {"origination": "1"}).json["token"]
        drive("listSessions", 200)
        for kind, each in (("", token), ("Outgoing", token), ("Incoming", waiting)):
            drive(f"get{kind}Session", 200, token=each)
            drive(f"update{kind}Session", 200, {"timeLimit": 5}, token=each)
        self.poll_to_its_end(waiting)
        drive("deleteSession", 204, token=token)
        self.picked_up()

        tenant = drive("createTenant", 201, {"name": "new"}).json["id"]
        domain = drive("createDomain", 201, {"name": "new.example", "aliases": ["newer.example"]}, tenant=tenant).json
        subscriber = drive(
            "createSubscriber", 201, {"msisdn": "+15550009", "aliases": ["9"]}, domain="new.example"
        ).json
        trunk = drive("createTrunk", 201, {"name": "t", "sources": ["192.0.2.0/24"]}, domain="new.example")
        self.assertEqual(trunk.headers["Location"], f"/domains/new.example/trunks/{trunk.json['id']}")
        made = drive("createApiKey", 201, {"scope": "domain", "domainId": domain["id"], "name": "for a test"}).json
        self.assertRegex(made["key"], "^XI[0-9a-f]{32}$")
        self.assertEqual(self.call("GET", "/domains/newer.example/trunks", key=made["key"]).status, 200)
        for plural, names in (
            ("Tenants", {}),
            ("Domains", {"tenant": tenant}),
            ("Subscribers", {"domain": "new.example"}),
            ("Trunks", {"domain": "new.example"}),
            ("ApiKeys", {}),
        ):
            self.assertGreaterEqual(len(drive(f"list{plural}", 200, **names).json), 1)
        here = {"tenant": tenant, "domain": "new.example"}
        for name, names, change in (
            ("Tenant", here, {"name": "renamed"}),
            ("Domain", here, {"profile": {"call-timeout": 9}}),
            ("Subscriber", {**here, "msisdn": "9"}, {"active": False}),
            ("Trunk", {**here, "trunk": trunk.json["id"]}, {"priority": 5}),
            ("ApiKey", {"key": None}, {"name": "renamed"}),
        ):
            if name == "ApiKey":
                self.drive_key(made["id"], change)
                continue
            drive(f"get{name}", 200, **names)
            changed = drive(f"update{name}", 200, change, **names).json
            self.assertEqual({k: changed[k] for k in change}, change)
        self.assertEqual(subscriber["msisdn"], "15550009")
        drive("deleteTrunk", 204, **here | {"trunk": trunk.json["id"]})
        drive("deleteSubscriber", 204, **here | {"msisdn": "15550009"})
        drive("deleteDomain", 204, **here)
        self.assertEqual(
            self.call("GET", "/getMediaResources", key=made["key"]).status, 401, "the domain's keys went with it"
        )
        drive("deleteTenant", 204, tenant=tenant)

        self.dead_letters()
        self.gateway(token)
        resources = drive("getMediaResources", 200, query="?with_mediaservers&with_sbcs").json
        self.assertEqual(
            (resources["mediaservers"][0]["addresses"], resources["sbcs"][0]["addresses"]),
            (["127.0.0.1"], [self.vas.sip]),
        )
        self.assertEqual(drive("getOpenApi", 200).json, DOCUMENT)
        drive("isUp", 200)
        drive("isReady", 200)
        self.assertIn(b"\nvas_sessions ", drive("getMetrics", 200).body)

    def drive_key(self, number, change):
        """`key` is a path parameter and the harness's word for who asks: driven by hand."""
        for name, method, body in (
            ("getApiKey", "GET", None),
            ("updateApiKey", "PATCH", change),
            ("deleteApiKey", "DELETE", None),
        ):
            expect = 204 if method == "DELETE" else 200
            if method == "DELETE":
                continue  # its domain's end removes it; another one is deleted below
            answer = self.call(method, f"/apikeys/{number}", body)
            self.assertEqual(answer.status, expect)
            self.check(OPERATIONS[name][2], answer)
            self.seen.add((name, str(expect)))
        other = self.call("POST", "/apikeys", {"scope": "application", "domainId": 3}).json["id"]
        self.assertEqual(self.call("DELETE", f"/apikeys/{other}").status, 204)
        self.seen.add(("deleteApiKey", "204"))

    def poll_to_its_end(self, token):
        with socket.create_connection(("127.0.0.1", self.vas.http_port)) as connection:
            connection.sendall(f"GET /calls/example.com/ringing/{MSISDN}/{token} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            self.wait_for_polls(1)
            self.call("DELETE", f"/calls/example.com/sessions/{token}")
            answer = self.read_answer(connection)
        self.assertEqual(answer.status, 205)
        self.check(OPERATIONS["pollRinging"][2], answer)
        self.seen.add(("pollRinging", "205"))

    def picked_up(self):
        caller = self.caller(
            "trunk", "--listen", f"{TRUNK}:0", "--dial", f"sip:{MSISDN}@{self.vas.sip}", "--seconds", 0
        )
        token = self.notification()["session"]
        with socket.create_connection(("127.0.0.1", self.vas.http_port)) as connection:
            connection.sendall(f"GET /calls/example.com/ringing/{MSISDN}/{token} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            self.wait_for_polls(1)
            self.caller(
                "app", "--dial", f"sip:any@{self.vas.sip}", "--token", token, "--domain", "example.com", "--seconds", 1
            ).result()
            answer = self.read_answer(connection)
        self.assertEqual(answer.status, 200)
        self.check(OPERATIONS["pollRinging"][2], answer)
        self.seen.add(("pollRinging", "200"))
        caller.result()

    def gateway(self, used):
        scanner, caller = Phone("127.0.1.50", self.vas.sip), Phone("127.0.1.51", self.vas.sip)
        self.addCleanup(scanner.close)
        self.addCleanup(caller.close)
        scanner.send("OPTIONS", headers=["User-Agent: friendly-scanner"])
        wait_until(lambda: self.call("GET", "/gateway/bans").json, 5, "the ban")
        self.assertEqual(self.drive("listBans", 200).json[0]["source"], "127.0.1.50")
        self.drive("liftBan", 204, source="127.0.1.50")
        self.drive("liftBan", 400, source="nonsense")
        token = self.outgoing()["token"]
        caller.send(
            "INVITE", body=caller.sdp(), headers=[f"X-Cloudonix-Session: {token}", "X-Cloudonix-Domain: example.com"]
        )
        caller.receive()
        self.assertGreaterEqual(len(self.drive("getTrace", 200, token=token).json["messages"]), 1)

    def dead_letters(self):
        self.backend.callback_answer = lambda path, body: 410
        for _ in range(2):
            token = self.outgoing(callback=self.backend.url + "/gone")["token"]
            self.call("DELETE", f"/calls/example.com/sessions/{token}")
        wait_until(lambda: len(self.call("GET", "/domains/3/deadletters").json) == 2, 5, "the dead letters")
        letters = self.drive("listDeadLetters", 200).json
        self.assertEqual((letters[0]["lastError"], letters[0]["tries"]), ("answered 410", 1))
        self.backend.callback_answer = lambda path, body: 200
        self.backend.callbacks.clear()
        self.drive("replayDeadLetter", 202, id=letters[0]["id"])
        _, headers = wait_until(lambda: self.backend.callbacks, 5, "the replay")[0]
        self.assertEqual(headers["webhook-id"], letters[0]["id"])
        self.drive("deleteDeadLetter", 204, id=letters[1]["id"])
        wait_until(lambda: self.call("GET", "/domains/3/deadletters").json == [], 5, "an empty list")

    def refusals(self):
        for name, (method, path, definition) in OPERATIONS.items():
            responses = definition["responses"]
            if "401" in responses:
                self.drive(name, 401, key="nobody")
            if "404" in responses:
                if "{domain}" in path:
                    self.drive(name, 404, {}, domain="no.example")
                else:
                    self.drive(name, 404, {}, tenant=999)
            if "400" in responses:
                self.drive(
                    name,
                    400,
                    {"nonsense": 1} if "requestBody" in definition else None,
                    query="?nonsense=1" if "requestBody" not in definition else "",
                    token=self.a_token(name),
                    **self.that_exist(path),
                )
            if "413" in responses:
                self.drive(name, 413, raw_body=b"{" + b" " * 262144 + b"}", **self.that_exist(path))
            if "415" in responses:
                self.drive(name, 415, raw_body=b"<xml/>", headers=["Content-Type: text/xml"], **self.that_exist(path))
        self.drive("pollRinging", 403)
        self.drive("pollRinging", 400, query="?nonsense=1")

    def a_token(self, operation):
        return (
            self.incoming()["token"]
            if "Incoming" in operation
            else self.outgoing()["token"]
            if "Session" in operation
            else "0" * 32
        )

    @staticmethod
    def that_exist(path):
        names = {"key": 3, "trunk": 7} if "{key}" in path or "{trunk}" in path else {}
        return {name: value for name, value in names.items() if "{" + name + "}" in path and name != "key"}

    def conflicts(self):
        drive = self.drive
        drive("deleteTenant", 409, tenant=1)
        drive("createDomain", 409, {"name": "alias.example.com"})
        drive("updateDomain", 409, {"aliases": ["sister.example"]})
        token = self.outgoing()["token"]
        drive("deleteDomain", 409)
        self.call("DELETE", f"/calls/example.com/sessions/{token}")
        for name, body in (
            ("createOutgoingSession", {"destination": "1"}),
            ("createIncomingSession", {"origination": "1"}),
        ):
            drive(name, 409, body, msisdn=INACTIVE)
            drive(name, 200, body, headers=[f"Idempotency-Key: {name}"])
            drive(name, 422, {**body, "timeLimit": 5}, headers=[f"Idempotency-Key: {name}"])
        drive("createSubscriber", 409, {"msisdn": MSISDN})
        drive("updateSubscriber", 409, {"aliases": [OTHER_MSISDN]})
        drive("createTrunk", 409, {"name": "greedy", "sources": ["198.51.100.7"]}, key="tenant")
        drive("updateTrunk", 409, {"sources": ["198.51.0.0/16"]}, key="domain", trunk=7)
        answer = self.call("DELETE", "/apikeys/1")
        self.assertEqual(answer.status, 409)
        self.check(OPERATIONS["deleteApiKey"][2], answer)
        self.seen.add(("deleteApiKey", "409"))

    def too_many(self):
        limited = [name for name, (_, _, definition) in OPERATIONS.items() if "429" in definition["responses"]]
        self.call("PATCH", "/tenants/1/domains/3", {"profile": {"api-requests-per-second": 1}})
        for name in limited:
            if name == "pollRinging" or "{domain}" not in OPERATIONS[name][1]:
                continue
            for _ in range(4):  # two at once, and one a second
                method, path, _ = OPERATIONS[name]
                answer = self.call(
                    method,
                    path.replace("{domain}", "3")
                    .replace("{tenant}", "1")
                    .replace("{msisdn}", MSISDN)
                    .replace("{token}", "0" * 32),
                    {},
                )
                if answer.status == 429:
                    break
            self.assertEqual(answer.status, 429, name)
            self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)
            self.check(OPERATIONS[name][2], answer)
            self.seen.add((name, "429"))
        wait_until(
            lambda: self.call("PATCH", "/tenants/1/domains/3", {"profile": {"api-requests-per-second": None}}).status
            == 200,
            5,
            "the limit's end",
        )
        time.sleep(0.1)
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            list(
                pool.map(
                    self.guess_too_much,
                    [name for name in limited if name != "pollRinging" and "{domain}" not in OPERATIONS[name][1]],
                )
            )
        token = self.incoming()["token"]
        request = f"GET /calls/example.com/ringing/{MSISDN}/{token} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        waiting = [socket.create_connection(("127.0.0.1", self.vas.http_port)) for _ in range(16)]
        for connection in waiting:
            connection.sendall(request)
        self.wait_for_polls(16)
        self.drive("pollRinging", 429, token=token)
        for connection in waiting:
            connection.close()
        self.wait_for_polls(0)

    def guess_too_much(self, name):
        """By a client of a proxy: wrong keys, or too many requests where
        none is needed. Each operation has an address of its own."""
        method, path, definition = OPERATIONS[name]
        path = (
            path.replace("{tenant}", "1")
            .replace("{key}", "1")
            .replace("{source}", "192.0.2.9")
            .replace("{token}", "0" * 32)
            .replace("{id}", "none")
        )
        address = f"X-Forwarded-For: 203.0.113.{1 + list(OPERATIONS).index(name)}"
        for _ in range(150):
            answer = self.call(method, path, None, "XIguess" if definition["security"] else None, [address])
            if answer.status == 429:
                break
        self.assertEqual(answer.status, 429, name)
        self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)
        self.check(definition, answer)
        self.seen.add((name, "429"))

    def failures_of_the_store(self):
        """Tables are taken away under the server: nothing is
        acknowledged, calls go on, and all is well when they are back."""
        token = self.outgoing(routing={"routes": []})["token"]
        database = sqlite3.connect(self.vas.folder / "data/vas.sqlite")
        for table in ("sessions", "events", "directory"):
            database.execute(f"ALTER TABLE {table} RENAME TO away_{table}")
        bodies = {
            "createOutgoingSession": {"destination": "1"},
            "createIncomingSession": {"origination": "1"},
            "createTenant": {"name": "x"},
            "createDomain": {"name": "x.example"},
            "createSubscriber": {"msisdn": "15550077"},
            "createTrunk": {"name": "x"},
            "createApiKey": {"scope": "system"},
        }
        for name, (method, path, definition) in OPERATIONS.items():
            if "503" in definition["responses"] and name not in (
                "isUp",
                "isReady",
                "replayDeadLetter",
                "deleteDomain",
                "deleteTenant",
                "updateApiKey",
                "deleteApiKey",
            ):
                self.drive(name, 503, bodies.get(name, {}), trunk=7)
        for name, path, method in (
            ("deleteDomain", "/tenants/1/domains/12", "DELETE"),
            ("deleteApiKey", "/apikeys/8", "DELETE"),
            ("updateApiKey", "/apikeys/8", "PATCH"),
        ):
            answer = self.call(method, path, {} if method == "PATCH" else None)
            self.assertEqual(answer.status, 503)
            self.seen.add((name, "503"))
        self.a_call_goes_on(token)
        for table in ("sessions", "events", "directory"):
            database.execute(f"ALTER TABLE away_{table} RENAME TO {table}")
        database.close()
        wait_until(lambda: token not in str(self.call("GET", "/calls/example.com/sessions").json), 5, "the catching up")
        empty = self.call("POST", "/tenants", {"name": "empty"}).json["id"]
        database = sqlite3.connect(self.vas.folder / "data/vas.sqlite")
        database.execute("ALTER TABLE directory RENAME TO away")
        self.drive("deleteTenant", 503, tenant=empty)
        database.execute("ALTER TABLE away RENAME TO directory")
        database.close()
        self.outgoing()
        self.assertEqual(self.call("GET", f"/domains/3/subscribers/{MSISDN}").status, 200)
        self.assertEqual(
            self.call("GET", "/domains/3/subscribers/15550077").status, 404, "what was refused is not there"
        )

    def a_call_goes_on(self, token):
        """No route: the caller hears 404 once its call was admitted, from memory; the token is used up."""
        for expect in (404, 403):
            phone = self.scripted()
            phone.invite(headers=[f"X-Cloudonix-Session: {token}", "X-Cloudonix-Domain: example.com"])
            answer = phone.final(5)
            phone.ack(answer)
            self.assertEqual(answer.status, expect)
        self.assertEqual(self.vas.record_of(token)["termination_reason"], "no-route")

    def draining(self):
        self.backend.notifications.clear()
        caller = self.caller("late", "--listen", f"{TRUNK}:0", "--dial", f"sip:{MSISDN}@{self.vas.sip}", "--seconds", 0)
        token = self.notification()["session"]
        app = self.caller(
            "app2", "--dial", f"sip:any@{self.vas.sip}", "--token", token, "--domain", "example.com", "--seconds", 0
        )
        wait_until(
            lambda: self.call("GET", f"/calls/example.com/sessions/{token}").json.get("status") == "connected",
            5,
            "the connection",
        )
        self.vas.process.terminate()  # its farewell lasts a moment
        wait_until(lambda: self.call("GET", "/readyz").status == 503, 5, "the signal's arrival")
        self.drive("isReady", 503)
        self.drive("replayDeadLetter", 503)
        self.drive("createOutgoingSession", 503, {"destination": "1"})
        self.addCleanup(self.vas.start)
        self.assertEqual(self.vas.process.wait(20), 0)
        app.result()
        caller.result()


class Scopes(ApiTest):
    """Every operation by every key: allowed as the document says, and nothing of one tenant for another."""

    def test_each_key_may_do_what_the_document_says_and_no_more(self):
        own, foreign = ("system", "tenant", "domain", "application"), (
            "foreign tenant",
            "foreign domain",
            "foreign application",
        )
        for name, (method, path, definition) in OPERATIONS.items():
            scopes = definition["security"][0]["bearer"] if definition["security"] else None
            filled = path
            for parameter, value in {
                "domain": 3,
                "tenant": 1,
                "msisdn": "999",
                "token": "0" * 32,
                "trunk": 999,
                "key": 999,
                "id": "none",
            }.items():
                filled = filled.replace("{" + parameter + "}", str(value))
            if method == "DELETE" and name in ("deleteDomain", "deleteTenant"):
                filled = (
                    filled.replace("/domains/3", "/domains/20") if name == "deleteDomain" else filled
                )  # never succeeds: wrong tenant, or domains left
            for key in (*own, *foreign, "nobody", None):
                status = self.call(method, filled, {}, key).status
                with self.subTest(operation=name, key=key):
                    names_ours = "{domain}" in path or "{tenant}" in path
                    if scopes is None:
                        self.assertNotEqual(status, 401)
                    elif key in own and key in scopes and name != "deleteDomain":
                        self.assertNotEqual(status, 401)
                    elif key == "system":
                        self.assertNotEqual(status, 401)
                    elif key in foreign and not names_ours and key.split()[-1] in scopes:
                        self.assertNotEqual(status, 401)
                    else:
                        self.assertEqual(status, 401)

    def test_nothing_leaks_between_tenants(self):
        token = self.outgoing(callback=self.backend.url)["token"]
        for key in ("foreign tenant", "foreign domain", "foreign application"):
            for path in (
                f"/calls/example.com/sessions/{token}",
                "/calls/example.com/sessions",
                "/domains/3/subscribers",
                "/domains/3/trunks",
                f"/domains/3/subscribers/{MSISDN}",
                "/tenants/1",
                "/tenants/1/domains",
                "/tenants/1/domains/3",
                "/domains/3/deadletters",
                "/calls/no.example/sessions",
                "/tenants/999/domains",
            ):
                answer = self.call("GET", path, key=key)
                self.assertEqual(answer.status, 401, (key, path))
            # Under their own name our token is nobody's.
            own = self.call("GET", f"/calls/rival.example/sessions/{token}", key=key)
            self.assertEqual(own.status, 404)
        seen = self.call("GET", "/tenants", key="foreign tenant").json
        self.assertEqual([each["id"] for each in seen], [2])
        names = {
            key: {each["name"] for each in self.call("GET", "/apikeys", key=key).json if each["name"]}
            for key in ("tenant", "domain", "foreign domain")
        }
        self.assertEqual(names["foreign domain"], {"foreign domain", "foreign application"})
        self.assertEqual(names["domain"], {"domain", "application"})
        self.assertEqual(names["tenant"], {"tenant", "domain", "application", "sister domain"})
        self.assertNotIn("key", json.dumps([list(each) for each in self.call("GET", "/apikeys").json]))
        # A path that mixes tenants leads nowhere, also for who may see both.
        self.assertEqual(self.call("GET", "/tenants/1/domains/20").status, 404)

    def test_no_key_makes_one_above_itself(self):
        for key, wanted in [
            ("tenant", {"scope": "system"}),
            ("domain", {"scope": "system"}),
            ("domain", {"scope": "tenant", "tenantId": 1}),
            ("domain", {"scope": "domain", "domainId": 20}),
            ("tenant", {"scope": "domain", "domainId": 20}),
            ("tenant", {"scope": "tenant", "tenantId": 2}),
            ("tenant", {"scope": "domain", "domainId": 999}),
            ("application", {"scope": "application", "domainId": 3}),
        ]:
            self.assertEqual(self.call("POST", "/apikeys", wanted, key).status, 401, (key, wanted))
        for key, wanted in [
            ("tenant", {"scope": "tenant", "tenantId": 1}),
            ("tenant", {"scope": "domain", "domainId": 12}),
            ("domain", {"scope": "application", "domainId": 3}),
            ("system", {"scope": "system"}),
        ]:
            self.assertEqual(self.call("POST", "/apikeys", wanted, key).status, 201, (key, wanted))
        for key, number in [("domain", 2), ("domain", 8), ("tenant", 5), ("foreign tenant", 3), ("tenant", 1)]:
            for method in ("GET", "PATCH", "DELETE"):
                self.assertEqual(
                    self.call(method, f"/apikeys/{number}", {} if method == "PATCH" else None, key).status,
                    404,
                    (key, number),
                )

    def test_a_tenant_cannot_claim_the_internet_as_its_carrier(self):
        for source, status in [
            ("0.0.0.0/0", 400),
            ("::/0", 400),
            ("192.0.0.0/15", 400),
            ("198.51.100.9", 409),
            ("198.51.0.0/16", 409),
            ("192.0.2.0/24", 201),
        ]:
            answer = self.call("POST", "/domains/3/trunks", {"name": "x", "sources": [source]}, "tenant")
            self.assertEqual(answer.status, status, source)


CONTROL = ["\r", "\n", "\r\nX-Evil: 1", "\0", "\x1b[2J", "\x7f"]
OUT, IN = f"/calls/example.com/outgoing/{MSISDN}", f"/calls/example.com/incoming/{MSISDN}"
ROUTE = {"termination_ip": "192.0.2.1", "termination_number": "1"}


def wrong_fields():
    """(path, body, a word of the complaint): all 400."""
    yield from ((OUT, {"destination": value}, "destination") for value in (None, 5, 1.5, True, [], {}, "", "x" * 257))
    yield from ((IN, {"origination": value}, "origination") for value in (None, 5, True, [], {}, "", "x" * 257))
    yield from (
        (OUT, {"destination": "1", "timeLimit": value}, "timeLimit")
        for value in (0, -1, 86401, 1.5, "60", True, [], {}, 2**63, 2**64, 1e300)
    )
    yield from ((IN, {"origination": "1", "timeLimit": value}, "timeLimit") for value in (0, -1, 86401, 1.5, "60"))
    yield from (
        (OUT, {"destination": "1", "callback": value}, "callback")
        for value in (
            5,
            [],
            "ftp://a.example",
            "a.example",
            "file:///etc/passwd",
            "http://",
            "javascript:alert(1)",
            "http://10.0.0.1/",
            "http://169.254.169.254/",
            "http://[::ffff:10.0.0.1]/",
            "http://[fd00::1]/",
            "http://192.168.1.1:8080/x",
            "http://2852039166/",
            "http://a b/",
            "http://" + "a" * 2048,
        )
    )
    yield from (
        (OUT, {"destination": "1", "routing": value}, "routing")
        for value in (
            5,
            "x",
            [],
            {},
            {"routes": 5},
            {"routes": {}},
            {"routes": [5]},
            {"routes": [{}]},
            {"routes": [{"termination_ip": "192.0.2.1"}]},
            {"routes": [{**ROUTE, "termination_ip": "carrier example"}]},
            {"routes": [{**ROUTE, "termination_ip": "192.0.2.1:99999"}]},
            {"routes": [{**ROUTE, "termination_ip": "192.0.2.1;transport=sctp"}]},
            {"routes": [{**ROUTE, "termination_number": ""}]},
            {"routes": [{**ROUTE, "termination_number": 5}]},
            {"routes": [{**ROUTE, "termination_number": "1\r\nX: 1"}]},
            {"routes": [ROUTE] * 33},
        )
    )
    yield from ((IN, {"origination": "1", "routing": {"routes": [ROUTE]}}, "routing") for _ in range(1))
    for evil in CONTROL:
        yield OUT, {"destination": "1" + evil}, "destination"
        yield OUT, {"destination": "1", "callerId": evil}, "callerId"
        yield OUT, {"destination": "1", "callback": "http://a.example/" + evil}, "callback"
        yield IN, {"origination": evil + "1"}, "origination"
        yield "/tenants", {"name": "t" + evil}, "name"
        yield "/tenants/1/domains", {"name": "d" + evil}, "name"
        yield "/tenants/1/domains", {"name": "d.example", "aliases": ["a" + evil]}, "aliases"
        yield "/domains/3/subscribers", {"msisdn": "1" + evil}, "msisdn"
        yield "/domains/3/subscribers", {"msisdn": "1", "aliases": [evil]}, "aliases"
        yield "/domains/3/trunks", {"name": evil}, "name"
        for name in ("addPrefix", "stripPrefix"):
            yield "/domains/3/trunks", {"name": "t", name: evil}, name
        for name, value in (("sources", "192.0.2.1"), ("targets", "192.0.2.1:5060"), ("prefixes", "44")):
            yield "/domains/3/trunks", {"name": "t", name: [value + evil]}, name
        for name, value in (
            ("registration-free-control-endpoint", "https://a.example/"),
            ("call-routing-application", "https://a.example/"),
            ("webhook-secret", "s"),
        ):
            yield "/tenants/1/domains", {"name": "p.example", "profile": {name: value + evil}}, name
        yield OUT, {
            "destination": "1",
            "routing": {"routes": [{**ROUTE, "termination_number": "1" + evil}]},
        }, "termination_number"
        yield OUT, {
            "destination": "1",
            "routing": {"routes": [{**ROUTE, "termination_ip": "192.0.2.1" + evil}]},
        }, "termination_ip"
        yield "/apikeys", {"scope": "system", "name": evil}, "name"
    for name in ("Destination", "time_limit", "", "__proto__", "id", "token", "x" * 300):
        yield OUT, {"destination": "1", name: 1}, name[:20] or "field"
    yield from (("/tenants", body, "name") for body in ({}, {"name": ""}, {"name": 5}, {"name": "x" * 129}))
    yield "/tenants", {"name": "x", "id": 5}, "id"
    yield from (
        ("/tenants/1/domains", {"name": value}, "name") for value in ("", "12", "a b", "a/b", "x" * 254, "exa<mple>")
    )
    yield from (
        ("/tenants/1/domains", {"name": "p.example", "profile": value}, "profile")
        for value in (
            5,
            [],
            {"call-timeout": 0},
            {"call-timeout": "60"},
            {"session-ttl": 86401},
            {"call-timeout": 1.5},
            {"registration-free-control-endpoint": "x"},
            {"registration-free-control-endpoint": 5},
            {"call-routing-application": "ftp://x"},
            {"registration-free-control-endpoint": "http://10.0.0.1/"},
            {"webhook-secret": 5},
            {"api-requests-per-second": 0},
        )
    )
    yield from (
        ("/domains/3/subscribers", {"msisdn": value}, "msisdn")
        for value in ("", "abc", "1" * 16, "12a", "+", "++1", 15550001, "1 2")
    )
    yield "/domains/3/subscribers", {"msisdn": "15550005", "active": "yes"}, "active"
    yield "/domains/3/subscribers", {"msisdn": "15550005", "aliases": "100"}, "aliases"
    yield "/domains/3/subscribers", {"msisdn": "15550005", "aliases": [str(i) for i in range(17)]}, "aliases"
    yield from (
        ("/domains/3/trunks", {"name": "t", "sources": [value]}, "sources")
        for value in ("carrier.example", "1.2.3", "1.2.3.4/33", "::/129", "1.2.3.4/x")
    )
    yield from (
        ("/domains/3/trunks", {"name": "t", "targets": [value]}, "targets")
        for value in ("carrier example", "carrier.example:x", "-.example", "1.2.3.4:x", "", "[::1")
    )
    yield "/domains/3/trunks", {"name": "t", "priority": -1}, "priority"
    yield "/domains/3/trunks", {"name": "t", "priority": 65536}, "priority"
    yield from (
        ("/apikeys", body, word)
        for body, word in (
            ({}, "scope"),
            ({"scope": "root"}, "scope"),
            ({"scope": "tenant"}, "tenantId"),
            ({"scope": "domain"}, "domainId"),
            ({"scope": "domain", "domainId": 999}, "domainId"),
            ({"scope": "tenant", "tenantId": 0}, "tenantId"),
            ({"scope": "system", "key": "mine"}, "key"),
        )
    )


WRONG_JSON = [
    b"{",
    b"}",
    b"[",
    b"null",
    b"5",
    b'"x"',
    b"[]",
    b"{]",
    b"{'a':1}",
    b'{"a":}',
    b'{"a":1,}',
    b'{"destination":"1"} x',
    b"\xff\xfe",
    b'{"destination":"\xff"}',
    b'{"destination":"\\ud800"}',
    b'{"destination":"\\x"}',
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"routing":' + b"[" * 100_000,
    b"\0",
    b'{"destination":01}',
    b'{"destination":NaN}',
    b"<xml/>",
    b"destination=1",
    b'{"destination":"1"',
    b"{" + b'"a":1,' * 20_000 + b'"b":2}',
]


class BadInput(ApiTest):
    def test_each_wrong_field_is_named(self):
        count = 0
        for path, body, word in wrong_fields():
            with self.subTest(path=path, body=str(body)[:200]):
                answer = self.call("POST", path, body)
                self.assertEqual(answer.status, 400, answer.body)
                self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
                self.assertIn(word, answer.json["detail"])
            count += 1
        self.assertGreater(count, 150)

    def test_what_the_document_forbids_another_validator_forbids_too(self):
        """The server's checks and an independent JSON Schema implementation agree on every body above."""
        for path, body, _ in wrong_fields():
            template = next(
                each
                for each in DOCUMENT["paths"]
                if "post" in DOCUMENT["paths"][each]
                and len(each.split("/")) == len(path.split("/"))
                and all(a == b or a.startswith("{") for a, b in zip(each.split("/"), path.split("/")))
            )
            schema = schema_of(
                DOCUMENT["paths"][template]["post"]["requestBody"]["content"]["application/json"]["schema"]
            )
            detail = self.call("POST", path, body).json["detail"]
            by_schema = not jsonschema.Draft202012Validator(schema).is_valid(body)
            sentences = (
                " must be a",
                " must be text",
                " must be one of",
                " must be true",
                " must be an object",
                " is missing",
                "is not a field",
                "it must be",
                "may have up to",
            )
            if by_schema:
                self.assertTrue(any(each in detail for each in sentences), (body, detail))

    def test_what_is_not_json_is_refused_quickly(self):
        for body in WRONG_JSON:
            with self.subTest(body=body[:40]):
                begun = time.monotonic()
                answer = self.call("POST", OUT, raw_body=body)
                self.assertEqual(answer.status, 413 if len(body) > 262144 else 400, answer.body)
                self.assertLess(time.monotonic() - begun, 1)

    def test_what_is_not_json_is_told_where(self):
        for body, place in (
            (b'{\n  "destination": "1",\n  "timeLimit": 5x\n}', "line 3, column 17"),
            (b'{"destination": "1"', "line 1, column 20"),
            ('{"destination": "äöü", }'.encode(), "line 1, column 24"),
        ):
            answer = self.call("POST", OUT, raw_body=body)
            self.assertEqual(answer.status, 400)
            self.assertIn(place, answer.json["detail"])

    def test_wrong_methods_get_405_with_what_is_allowed(self):
        for path, item in DOCUMENT["paths"].items():
            for name in ("domain", "msisdn", "token", "tenant", "trunk", "key", "id"):
                path = path.replace("{" + name + "}", "3")
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE"):
                allowed = {
                    each
                    for other, ours in DOCUMENT["paths"].items()
                    for each in [*ours, *(["head"] if "get" in ours and "x-waits" not in ours["get"] else [])]
                    if len(other.split("/")) == len(path.split("/"))
                    and all(a == b or a.startswith("{") for a, b in zip(other.split("/"), path.split("/")))
                }
                if method.lower() in allowed:
                    continue
                answer = self.call(method, path)
                self.assertEqual(answer.status, 405, (method, path))
                self.assertEqual({each.strip().lower() for each in answer.headers["Allow"].split(",")}, allowed)

    def test_wrong_paths_and_queries(self):
        for path, status in [
            ("/", 404),
            ("/calls", 404),
            ("/calls/", 404),
            ("/calls/example.com", 404),
            ("/calls/example.com/", 404),
            (OUT + "/", 404),
            ("/calls//outgoing/1", 404),
            ("/calls/example.com/sessions/", 404),
            ("/nothing", 404),
            ("/calls/example.com/sessions%", 400),
            ("/calls/example.com/sessions/%zz", 400),
            ("/calls/example.com/sessions/%0d%0a", 400),
            ("/calls/example.com/sessions/%00", 400),
            ("/calls/example.com/sessions/%ff", 400),
            ("/calls/example.com/sessions?%ff=1", 400),
            ("/calls/example.com/sessions?limit=0", 400),
            ("/calls/example.com/sessions?limit=x", 400),
            ("/calls/example.com/sessions?limit=10001", 400),
            ("/calls/example.com/sessions?status=asleep", 400),
            ("/calls/example.com/sessions?bogus", 400),
            ("/calls/example.com/sessions?after=%0a", 400),
            ("/tenants/x", 404),
            ("/tenants/-1", 404),
            ("/tenants/99999999999999999999", 404),
            ("/tenants/1/domains/rival.example", 404),
            ("/domains/example.com/trunks/x", 404),
            ("/apikeys/x", 404),
            ("/calls/example.com/sessions/../sessions", 404),
        ]:
            self.assertEqual(self.call("GET", path).status, status, path)

    def raw_status(self, text, seconds=15):
        answer = self.raw(text.encode() if isinstance(text, str) else text, seconds)
        return answer.status if answer else None

    def test_what_smuggles_is_refused(self):
        head = f"POST {OUT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEYS['system']}\r\nContent-Type: application/json\r\n"
        body = '{"destination":"1"}'
        self.assertEqual(self.raw_status(head + f"Content-Length: {len(body)}\r\n\r\n{body}"), 200)
        chunked = f"{len(body):x}\r\n{body}\r\n0\r\n\r\n"
        self.assertEqual(self.raw_status(head + "Transfer-Encoding: chunked\r\n\r\n" + chunked), 200)
        for evil in (
            f"Content-Length: {len(body)}\r\nTransfer-Encoding: chunked\r\n\r\n{chunked}",
            f"Transfer-Encoding: chunked\r\nContent-Length: {len(body)}\r\n\r\n{chunked}",
            f"Content-Length: {len(body)}\r\nContent-Length: 5\r\n\r\n{body}",
            "Content-Length: -1\r\n\r\n",
            "Content-Length: 0x13\r\n\r\n" + body,
            "Content-Length: 99999999999999999999\r\n\r\n",
            f"Content-Length : {len(body)}\r\n\r\n{body}",
            "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
            "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
            f"X: a\0b\r\nContent-Length: {len(body)}\r\n\r\n{body}",
            f"X: {'a' * 20000}\r\n\r\n",
            "Bad Header\r\n\r\n",
            f"Transfer-Encoding: xchunked\r\n\r\n{chunked}",
            f"Transfer-Encoding: gzip, chunked\r\n\r\n{chunked}",
            f"Transfer-Encoding: identity\r\nContent-Length: {len(body)}\r\n\r\n{body}",
            f"Transfer-Encoding: chunked, identity\r\n\r\n{chunked}",
            f"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n{chunked}",
            f"Transfer-Encoding:\r\n\r\n{chunked}",
            f"Content-Length: {len(body)}\r\nContent-Length: {len(body)}\r\n\r\n{body}",
            f"Content-Length: {len(body)}, {len(body)}\r\n\r\n{body}",
            f"Content-Length: +{len(body)}\r\n\r\n{body}",
            f"X: a\r\n b\r\nContent-Length: {len(body)}\r\n\r\n{body}",
            f"X: a\r\n\tContent-Length: 5\r\nContent-Length: {len(body)}\r\n\r\n{body}",
            f"X: a\nContent-Length: {len(body)}\r\n\r\n{body}",
            f"X: a\rContent-Length: {len(body)}\r\n\r\n{body}",
            f"Host: y\r\nContent-Length: {len(body)}\r\n\r\n{body}",
            f"Transfer-Encoding: chunked\r\n\r\n{len(body):x} \r\n{body}\r\n0\r\n\r\n",
            f"Transfer-Encoding: chunked\r\n\r\n0x{len(body):x}\r\n{body}\r\n0\r\n\r\n",
            f"Transfer-Encoding: chunked\r\n\r\n{len(body):x}\n{body}\r\n0\r\n\r\n",
            f"Transfer-Encoding: chunked\r\n\r\n{len(body):x}\r\n{body}X\r\n0\r\n\r\n",
            f"Transfer-Encoding: chunked\r\n\r\n{len(body):x}\r\n{body}\r\n0\r\nAuthorization: Bearer x\r\n\r\n",
            f"Transfer-Encoding: chunked\r\n\r\n1;{'a' * 70000}",
        ):
            status = self.raw_status(head + evil)
            self.assertIn(status, (400, 413), evil[:60])
        # What follows on the connection is nobody's request any more.
        hidden = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        for field in (
            "Transfer-Encoding: xchunked",
            "Transfer-Encoding: gzip",
            "Transfer-Encoding: chunked, identity",
            f"Content-Length: {len(hidden)}\r\nTransfer-Encoding: chunked",
        ):
            with socket.create_connection(("127.0.0.1", self.vas.http_port), timeout=5) as connection:
                connection.sendall((head + field + "\r\n\r\n" + hidden).encode())
                got = self.all_of(connection)
                self.assertTrue(got.startswith(b"HTTP/1.1 400 "), field)
                self.assertNotIn(b"HTTP/1.1 200", got, field)
        for start in (
            "GET / HTTP/9.9\r\n\r\n",
            "GET /\r\n\r\n",
            "\0\0\0\0\r\n\r\n",
            "GET  / HTTP/1.1\r\n\r\n",
            "SIP/2.0 200 OK\r\n\r\n",
        ):
            self.assertIn(self.raw_status(start), (400, None), start)

    @staticmethod
    def all_of(connection):
        got = b""
        try:
            while piece := connection.recv(65536):
                got += piece
        except ConnectionResetError:
            pass  # closed with something unread
        return got

    def test_slow_bodies_and_headers_are_cut_off(self):
        begun = time.monotonic()
        slow = []
        for data in (f"POST {OUT} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{{", "GET /healthz HTTP/1.1\r\nHo"):
            connection = socket.create_connection(("127.0.0.1", self.vas.http_port), timeout=70)
            connection.sendall(data.encode())
            slow.append(connection)
        self.assertEqual(slow[0].recv(100), b"")
        self.assertLess(time.monotonic() - begun, 15)
        self.assertEqual(self.call("GET", "/healthz").status, 200)
        self.assertEqual(slow[1].recv(100), b"")
        self.assertLess(time.monotonic() - begun, 15)
        for connection in slow:
            connection.close()

    def test_a_client_that_leaves_between_requests_is_told_nothing(self):
        with socket.create_connection(("127.0.0.1", self.vas.http_port), timeout=5) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertEqual(self.read_answer(connection).status, 200)
            connection.shutdown(socket.SHUT_WR)
            self.assertEqual(connection.recv(100), b"")

    def test_after_all_this_the_server_still_answers_and_has_leaked_nothing(self):
        def descriptors():
            return len(os.listdir(f"/proc/{self.vas.process.pid}/fd"))

        before = descriptors()
        for _ in range(50):
            connection = socket.create_connection(("127.0.0.1", self.vas.http_port))
            connection.sendall(b"POST " + OUT.encode() + b" HTTP/1.1\r\nContent-Length: 1000\r\n\r\n")
            connection.close()
        self.assertEqual(self.call("GET", "/readyz").status, 200)
        self.outgoing()
        wait_until(lambda: descriptors() <= before, 15, "the return of the descriptors")


if __name__ == "__main__":
    unittest.main(verbosity=2)
