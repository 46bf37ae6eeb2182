"""What doc_figures.py looks for: each page's figures with their constants, and the figures that repeat none of ours."""

_RELAY = [
    (
        "quiet for a while ({}, doubled each time up to {})",
        "bridge/worker/fast_path.h: kShortestPause",
        "bridge/worker/fast_path.h: kLongestPause",
    ),
    ("a datagram of more than {} bytes", "bridge/io/packet_io.h: kLargestDatagram"),
    ("through a packet socket, {} in one system call", "bridge/kernel/frame_sender.h: kBatch"),
    ("it waits up to {} for more packets", "bridge/io/packet_io.h: kGather"),
    (
        "Receive buffers are small ({} a leg, {} for all that share a port)",
        "bridge/worker/media_worker.h: kReceiveBufferBytes",
        "bridge/worker/media_worker.h: kSharedReceiveBufferBytes",
    ),
    ("Another port of that address only where a stream from it has gone on for {}", "bridge/leg/latch.h: kWindow"),
    ("a window opens with its first packet and lasts {}", "bridge/leg/latch.h: kWindow"),
    ("without a gap of {}", "bridge/leg/latch.h: kLongestGap"),
    ("where it goes on for {} and nothing comes from another port", "bridge/leg/latch.h: kWindow"),
    ("at most `media-leg-packets` ({}) RTP packets a second", "bridge/leg/leg_config.h: kLegPacketsPerSecond"),
    ("Our sockets send with {}.", "bridge/io/packet_ttl.h: kMediaTtl"),
    (
        "up to {} numbers ahead, after the time that so many take, where they are more than {}",
        "media/rtp/rtp_stream_state.h: kRtpMaxDropout",
        "media/rtp/rtp_stream_state.h: kRtpPlainGap",
    ),
    ("is more than {} ahead of what a network can bring", "media/rtp/rtp_stream_state.h: kRtpEarliest * 1e-9"),
    (
        "up to {} numbers behind, with a timestamp that was there, at most {} late",
        "media/rtp/rtp_stream_state.h: kRtpMaxMisorder",
        "media/rtp/rtp_stream_state.h: kRtpLatest * 1e-9",
    ),
    ("{} copies in a row", "1 + media/rtp/rtp_stream_state.h: kRtpMaxRepeats"),
    ("payload type {} is understood", "media/codec/codec.h: kComfortNoisePayloadType"),
    ("BYE and feedback do not pass; {} packets a second at most", "bridge/relay/bridge.h: kMaxRtcpPerSecond"),
    ("only towards a party whose counterpart has sent none for {}", "bridge/relay/bridge.h: kRtcpSilence"),
    ("for `hold-timeout` ({}; a domain may have its own)", "vas/app/config.h: hold_timeout"),
]

_ENCRYPTION = [
    ("there before (a window of {})", "media/srtp/srtp_index.h: kBits"),
    ("{} times a second at most; once keys are agreed", "media/srtp/dtls_session.h: kMaxAttemptsPerSecond"),
    ("Of several fingerprints (RFC 8122 §5), {} at most", "media/srtp/dtls_context.h: kMost"),
    ("the one that brings it is kept, {} at most a socket", "media/srtp/early_hellos.h: kMostKept"),
    ("in the first two cases, for {}.", "media/srtp/dtls_association.h: kRenewal"),
    ("one for each announcement: {} are known at a time", "media/srtp/srtp_session.h: kSrtpMaxStreams"),
    ("it goes on behind them. {} are remembered like that", "media/srtp/srtp_session.h: kSrtpMostFormerStreams"),
]

_ICE = [
    ("gathers candidates (at most {}, before the answer)", "ice/agent/nice_agents.h: kLongestGathering"),
    ("takes nothing of the {} responses a second that the party gets", "ice/agent/ice_lite.h: kMaxChecksPerSecond"),
    ("from addresses that were proved in the last {}", "ice/agent/ice_lite.h: kConsent"),
    (
        "Who goes on checking for {}, as browsers do, is held to it: {} after its last good check",
        "ice/agent/ice_lite.h: kAgreement",
        "ice/agent/ice_lite.h: kConsent",
    ),
    ("{} without any of them, and such a phone", "ice/agent/ice_lite.h: kConsent"),
    ("music on hold stops after {}", "ice/agent/ice_lite.h: kConsent"),
    ("kept alive like that is in use for {} after each sign", "ice/agent/ice_lite.h: kQuiet"),
    ("(it sent a good check within {})", "ice/agent/ice_lite.h: kAbandoned"),
    ("The port's receive buffer is {} where privilege", "bridge/worker/media_worker.h: kSharedReceiveBufferBytes"),
]

FIGURES = {
    "docs/api.md": [
        ("Nobody dials it within `session-ttl` ({})", "vas/directory/directory.h: session_ttl"),
        ("E.164 is meant: 1 to {} digits", "vas/api/destination.h: kMaxE164Digits"),
        (
            "of digits alone up to {} ({}, behind",
            "vas/api/destination.h: kMaxDialledDigits",
            "vas/api/destination.h: kMaxE164Digits",
        ),
        ("up to {} printable characters", "vas/api/idempotency_key.h: kMaxIdempotencyKey"),
        (
            "the key gets 409 for {}, or until a restart, or until {} others",
            "vas/sessions/creation_keys.h: kMemory",
            "vas/sessions/creation_keys.h: kMaxEndedOfDomain",
        ),
        ("is tried {} times more", "vas/control/call_controller_backend.cc: kBackendTries - 1"),
        ("Up to {} polls wait on one session", "vas/sessions/session_registry.h: kMaxWaiters"),
        ("All tries of a notification have {} together", "vas/app/config.h: control_endpoint_timeout_s"),
        ("be a list of up to {}, say", "vas/directory/fields.cc: kMostSecrets"),
        (
            "- {} to connect, {} in all.",
            "vas/webhooks/webhook_client.cc: kConnectTimeoutMs",
            "vas/webhooks/webhook_client.cc: kTotalTimeoutMs",
        ),
        (
            "tried again after {}, 2, 4 … s, at most {}, with jitter, for {}; {} ends it",
            "vas/webhooks/outbox.cc: kFirstBackoff",
            "vas/webhooks/outbox.cc: kLongestBackoff",
            "vas/webhooks/outbox.h: kLongestTrying",
            "vas/webhooks/outbox.cc: kGone",
        ),
        (
            "After {} failures in a row an endpoint rests for {} to {}",
            "vas/webhooks/outbox.h: kFailuresThatBreak",
            "vas/webhooks/outbox.cc: kFirstPause",
            "vas/webhooks/outbox.cc: kLongestPause",
        ),
        ("drops it. Kept {}.", "vas/control/callback_dispatcher.cc: kDeadLettersAreKept"),
        (
            "`api-requests-per-second` of its profile ({}) and {} as many",
            "vas/directory/directory.h: requests_per_second",
            "vas/api/rate_limit.h: kBurst",
        ),
        (
            "counted by address: after {}, and {} a minute then, a wrong one gets 429 {} later",
            "vas/api/client_ledger.h: kFailuresAtOnce",
            "vas/api/client_ledger.h: failures_per_minute",
            "vas/api/api.cc: kDelayOfGuesses",
        ),
        ("What needs no key is given {} times a second", "vas/api/client_ledger.h: keyless_per_second"),
        ("makes room for others: {} of one address", "vas/api/http_server.h: strangers_of_address"),
        ("comes in pages of up to `limit` ({}, at most", "base/page.h: limit"),
        (
            "A body has up to {}, JSON up to {} levels",
            "vas/api/http_server.h: kMaxBodyBytes",
            "vas/api/json_body.h: kMaxJsonDepth",
        ),
    ],
    "docs/cdr.md": [
        ("Beyond {} `records.jsonl` is put aside", "vas/records/record_files.h: kRotateAt"),
        ("the journal gets a sign of life each {}.", "vas/records/cdr_journal.h: kSignEach"),
        ("that last sign, {} seconds too short at most", "vas/records/cdr_journal.h: kSignEach"),
        ("Beyond {} the journal is replaced", "vas/records/cdr_journal.h: kRenewAt"),
    ],
    "docs/cluster.md": [
        ("up to {} may join", "vas/app/server.cc: kMaxNodes"),
        ("remainder modulo {}, so", "vas/store/change_feed.cc: kNodes"),
        ("in the database once, at most {} at a time", "signaling/gateway/gateway_receive.cc: kMaxLookUps"),
        ("when it has done them, or after {}", "vas/control/cluster_link.h: kPatience"),
    ],
    "docs/configuration.md": [
        ("or uid {}, which is nobody's", "vas/app/service_user.h: kUidOfNobodyElse"),
        ("listening at ports below {}", "vas/app/privileges.cc: kFirstFreePort"),
        ("and have {} from the accept", "vas/api/tls_door.h: kHandshakeDeadline"),
        (
            "`callTimeout`): {} with the defaults",
            "vas/directory/directory.h: session_ttl + vas/app/config.h: control_endpoint_timeout_s"
            " + vas/directory/directory.h: call_timeout",
        ),
        ("silent for {}, each {} and three times", "vas/api/http_server.cc: idle", "vas/api/http_server.cc: between"),
        ("Idle connections to `vas` below {}", "vas/api/http_connection.cc: kIdleDeadline"),
    ],
    "docs/directory.md": [
        ("a list of up to {}: [api]", "vas/directory/fields.cc: kMostSecrets"),
        ("`maxCallsPerSecond` ({})", "vas/directory/caps.h: kMaxCallsPerSecondOfTrunk"),
        (
            "`call-timeout` ({}), `hold-timeout` (the node's, {}), `session-ttl` ({}), `api-requests-per-second` ({})",
            "vas/directory/directory.h: call_timeout",
            "vas/app/config.h: hold_timeout",
            "vas/directory/directory.h: session_ttl",
            "vas/directory/directory.h: requests_per_second",
        ),
        (
            "`no-answer-timeout` ({}), `progress-timeout` ({})",
            "vas/directory/directory.h: no_answer",
            "vas/directory/directory.h: progress",
        ),
        (
            "a source wider than /{} (IPv6: /{})",
            "vas/api/trunk_resource.cc: kWidestIpv4",
            "vas/api/trunk_resource.cc: kWidestIpv6",
        ),
    ],
    "docs/glossary.md": [("the {} in which a latch compares streams", "bridge/leg/latch.h: kWindow")],
    "docs/health.md": [
        ("has not moved for {} |", "base/watchdog.h: kGivenUp"),
        (
            "asks each of them once {}, by the way that its work comes, and looks {} later",
            "base/watchdog.h: kEach",
            "base/watchdog.h: kPatience",
        ),
        ("(less than {} left is full", "vas/records/cdr_journal.h: kLeastFree"),
        ("names one {} at most", "vas/store/set_aside.cc: kTellAgainAfter"),
        ("The file stops growing at {};", "vas/store/set_aside.h: kMaxBytes"),
        ("has an end: {} for a statement", "vas/store/call_guard.h: kLongest"),
        ("{} for a SQLite file", "vas/store/database.cc: kLongestLock"),
        ("or from less than {} of room", "vas/records/cdr_journal.h: kLeastFree"),
    ],
    "docs/limits.md": [
        ("is raised to the hard one and divided: {} (a quarter", "vas/app/descriptor_budget.cc: kReserved"),
        (
            "a trunk has {} sources, {} targets and {} prefixes at most, a domain {} aliases, a subscriber {}.",
            "vas/api/openapi.json: NewTrunk.sources",
            "vas/api/openapi.json: NewTrunk.targets",
            "vas/api/openapi.json: NewTrunk.prefixes",
            "vas/api/openapi.json: NewDomain.aliases",
            "vas/api/openapi.json: NewSubscriber.aliases",
        ),
    ],
    "docs/media.md": [("a returned pair rests {} at least", "bridge/plane/port_pool.h: kRest")],
    "docs/media-ice.md": _ICE,
    "docs/media-relay.md": _RELAY,
    "docs/media-security.md": _ENCRYPTION,
    "docs/security.md": [
        (
            "names public ones, up to a /{} (IPv6: /{})",
            "vas/api/trunk_resource.cc: kWidestIpv4",
            "vas/api/trunk_resource.cc: kWidestIpv6",
        ),
        ("with a live token up to {} copies of each message", "1 + signaling/gateway/sender.cc: kRepeatsOfResponse"),
        ("no more than {} of silence", "signaling/gateway/policy/source_ledger.h: kDatagramBan"),
        ("ends after {} rounds", "bridge/io/packet_ttl.h: kMediaTtl"),
        ("a descriptor each for {}, bounded by address", "signaling/gateway/net/connection.h: kHeaderDeadline"),
        (
            "| {} records in {}, then the connection is closed",
            "tls/tls_record_guard.h: kMaxRecords",
            "tls/tls_record_guard.h: kWindow",
        ),
        ("make room, {} of one address; the sum", "vas/api/http_server.h: strangers_of_address"),
        (
            "| after {}, and {} a minute then, 429 {} later",
            "vas/api/client_ledger.h: kFailuresAtOnce",
            "vas/api/client_ledger.h: failures_per_minute",
            "vas/api/api.cc: kDelayOfGuesses",
        ),
        (
            "{} places of one address, {} to the end of the handshake, {} records in {} |",
            "vas/api/tls_door.h: kMaxNewcomersOfAddress",
            "vas/api/tls_door.h: kHandshakeDeadline",
            "tls/tls_record_guard.h: kMaxRecords",
            "tls/tls_record_guard.h: kWindow",
        ),
        ("| {} a second of one address, then 429", "vas/api/client_ledger.h: keyless_per_second"),
        (
            "| {} unparsed, {} of bodies in all, {} of one address",
            "vas/api/http_connection.h: kMaxUnparsedBytes",
            "vas/api/http_server.h: kMaxBodiesBytes",
            "vas/api/http_server.h: kMaxBodiesOfAddress",
        ),
        ("no sign of life: {} later the party", "ice/agent/ice_lite.h: kConsent"),
        ("heard no more, {} after its last check", "ice/agent/ice_lite.h: kConsent"),
        ("of those that answer it {} are kept", "media/srtp/early_hellos.h: kMostKept"),
        ("the highest indices of the last {} are kept", "media/srtp/srtp_session.h: kSrtpMostFormerStreams"),
        ("what is over {} packets a second is dropped", "bridge/leg/leg_config.h: kLegPacketsPerSecond"),
        ("each request is said again {} times at most", "signaling/ua/dialog_requests.cc: kMostRepeats"),
        ("as large; {} a second |", "signaling/gateway/policy/source_ledger.h: kRefusalsPerSecond"),
        (
            "{} in all, {} of one address; the oldest goes",
            "signaling/gateway/net/connection_table.h: kMaxSilentPages",
            "signaling/gateway/policy/transports_config.h: max_connections_of_address",
        ),
        (
            "| {} copies of a message; {} |",
            "1 + signaling/gateway/sender.cc: kRepeatsOfResponse",
            "1 + signaling/gateway/sender.cc: kRepeatsOfRequest",
        ),
        ("are dropped for {}; connections and calls go on", "signaling/gateway/policy/source_ledger.h: kDatagramBan"),
        ("the window of {} takes the stream", "bridge/leg/latch.h: kWindow"),
        ("brings its victim up to {} copies", "1 + signaling/gateway/sender.cc: kRepeatsOfResponse"),
    ],
    "docs/signaling.md": [
        (
            "{} headers and {} a line",
            "signaling/sip/sip_message.h: kMaxHeaders",
            "signaling/sip/sip_message.h: kMaxLineBytes",
        ),
        ("{} a message (513)", "signaling/sip/sip_message.h: kMaxBytes"),
        (
            "{} Vias, {} Routes, {} Record-Routes, {} Contacts, {} commas and semicolons",
            "signaling/sip/header_bounds.h: kMaxVias",
            "signaling/sip/header_bounds.h: kMaxRoutes",
            "signaling/sip/header_bounds.h: kMaxRoutes",
            "signaling/sip/header_bounds.h: kMaxContacts",
            "signaling/sip/header_bounds.h: kMaxSeparators",
        ),
        ("refusals are {} a second to one address", "signaling/gateway/policy/source_ledger.h: kRefusalsPerSecond"),
        ("(or lived until {} ago)", "signaling/gateway/policy/live_dialogs.h: kLinger"),
        ("A dialog may send {} requests a second", "signaling/gateway/policy/live_dialogs.h: kRequestsPerSecond"),
        ("and up to {} repeats of it", "signaling/gateway/sender.cc: kRepeatsOfResponse"),
        ("brings its victim up to {} copies", "1 + signaling/gateway/sender.cc: kRepeatsOfResponse"),
        ("bad tokens within {}, or one message", "signaling/gateway/policy/source_ledger.h: kOffenceWindow"),
        ("concerns datagrams alone, lasts {} at most", "signaling/gateway/policy/source_ledger.h: kDatagramBan"),
        ("Every {} a probe goes", "signaling/gateway/net/stack_link.cc: kProbeEvery"),
        ("When that takes longer than {} some new INVITEs", "signaling/gateway/policy/load_shedder.h: kLightAge"),
        (
            "with a `Retry-After` of {} to {}, beyond {} all of them",
            "signaling/gateway/policy/load_shedder.h: kRetryFrom",
            "signaling/gateway/policy/load_shedder.h: kRetryTo",
            "signaling/gateway/policy/load_shedder.h: kHeavyAge",
        ),
        ("is not read while {} of its messages wait", "signaling/gateway/net/connection.h: kMaxWaiting"),
        (
            "{} for the handshake and the first whole message, {} for the rest of a message that has begun, {} of silence; "
            "{} queued",
            "signaling/gateway/net/connection.h: kHeaderDeadline",
            "signaling/gateway/net/connection.h: kHeaderDeadline",
            "signaling/gateway/net/connection.h: kIdleDeadline",
            "signaling/gateway/net/connection.h: kMaxQueuedBytes",
        ),
        ("dials when it likes; {} such may be", "signaling/gateway/net/connection_table.h: kMaxSilentPages"),
        ("half of a connection is responded to for {}", "signaling/gateway/net/connection.h: kHalfClosedDeadline"),
        (
            "crumbs of a handshake {} times in {} is cut off",
            "tls/tls_record_guard.h: kMaxRecords",
            "tls/tls_record_guard.h: kWindow",
        ),
        ("anything shorter than {} bytes", "signaling/gateway/policy/keep_alive.cc: kShorterThanSip"),
        ("which {} bytes without attributes", "ice/stun/stun_message.h: kHeaderBytes"),
        ("(`trace-buffer`, {} MiB)", "vas/app/config_options.h: trace_mib"),
        ("the {} digits that the log shows", "signaling/gateway/trace/message_secrets.cc: kHintDigits"),
        ("up to {} after the first one's 2xx", "signaling/ua/dialog_uac.cc: kLatestResponse"),
        ("intervals below {} get 422", "signaling/ua/session_timer.h: kMinSessionExpires"),
        (
            "is tried again after {}, then 4, 8, 16, {},",
            "signaling/ua/session_timer.h: kFirstRetry",
            "signaling/ua/session_timer.h: kFirstRetry * 2 ** signaling/ua/session_timer.h: kDoublings",
        ),
        ("another waits gets 500 with a `Retry-After` of 0 to {}", "signaling/ua/dialog_received.cc: kLongestWaitS"),
        ("up to {}; each is answered at once in every later request", "signaling/sip/authentication.h: kMaxRealms"),
        ("One request is said again {} times at most", "signaling/ua/dialog_requests.cc: kMostRepeats"),
        ("within `no-answer-timeout` ({}: the server", "vas/directory/directory.h: no_answer"),
        ("of its first 100 ({}: it is there", "vas/directory/directory.h: progress"),
        ("All values, {} at most", "signaling/sip/reason_header.h: kMaxReasons"),
    ],
}

# Of a page the phrases with figures that repeat no constant of ours.
OTHERS = {
    "docs/building.md": ["for 180 s"],  # of ./test
    "docs/configuration.md": [
        "takes 16 KiB, 12 more",
        "take 800 MiB",  # measured
        "`proxy_read_timeout` is 60 s",  # nginx'
    ],
    "docs/glossary.md": ["round trip, 500 ms", "repeats, 4 s"],  # RFC 3261's own
    "docs/health.md": ["2 s to connect"],  # a parameter in PostgreSQL's URL
    "docs/media-ice.md": [
        "asks for each 15 s",  # RFC 5245 §10
        "every 4 to 6 s",  # RFC 7675 §5.1, drawn anew each time
    ],
    "docs/security.md": [
        "`ffdhe8192`: 160 ms",  # measured
        "each for 10 s",
        "`text` 266 s",
        "`websocket` 81 s",
        "`dtls` 56 s",
        "`dialogs` 20 s",
        "0.13 hours",  # of the fuzzers
    ],
    "docs/signaling.md": ["up to 32 s before the end", "calls abroad take 5 to 12 s"],  # RFC 4028 §10  # measured
}
