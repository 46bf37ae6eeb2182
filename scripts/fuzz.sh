#!/usr/bin/env bash
# Builds the fuzzers with clang and runs each over its corpus and SECONDS of new inputs.
# Lists of files and of flags are words, to be split:
# shellcheck disable=SC2010,SC2086
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-10}
out=build/fuzz
mkdir -p "$out"
base="vas/base/base64.cc vas/base/clock.cc vas/base/endpoint.cc vas/base/json.cc vas/base/random.cc vas/base/text.cc vas/base/thread_check.cc"
media="media/codec.cc media/receive_stats.cc media/rtcp_packet.cc media/rtp_packet.cc media/srtp_suite.cc media/stream_splicer.cc media/telephone_event.cc media/voice_quality.cc"
srtp="media/srtp_cipher.cc media/srtp_key_derivation.cc media/srtp_libsrtp.cc media/srtp_mki.cc media/srtp_openssl.cc media/srtp_session.cc media/srtp_streams.cc"
dtls="media/client_hello.cc media/dtls_association.cc media/dtls_context.cc media/dtls_session.cc media/early_hellos.cc"
ice="ice/candidate.cc ice/consent_checks.cc ice/ice_lite.cc ice/stun_message.cc"
gateway="signaling/reason_header.cc signaling/reason_phrase.cc signaling/user_of.cc signaling/gateway/display_name.cc signaling/gateway/flow.cc signaling/gateway/framer.cc signaling/gateway/guard.cc signaling/gateway/header_bounds.cc signaling/gateway/message_lines.cc
  signaling/gateway/message_secrets.cc signaling/gateway/message_trace.cc signaling/gateway/node_relay.cc signaling/gateway/sip_message.cc signaling/gateway/stateless_answer.cc signaling/gateway/via_editor.cc"
declare -A sources=(
  [sip]="$gateway signaling/gateway/keep_alive.cc ice/stun_message.cc vas/calls/caller_identity.cc $base"
  [text]="signaling/gateway/message_lines.cc signaling/gateway/message_secrets.cc signaling/gateway/sip_message.cc signaling/sdes.cc signaling/sdp.cc
    media/dtls_context.cc vas/records/cdr.cc vas/records/cdr_json.cc ice/candidate.cc $media $base"
  [digest]="signaling/digest.cc signaling/gateway/sip_message.cc vas/base/host_port.cc $base"
  [websocket]="signaling/gateway/connection.cc signaling/gateway/flow.cc signaling/gateway/listener_table.cc signaling/gateway/sip_message.cc
    vas/tls/tls_record_guard.cc signaling/gateway/websocket_connection.cc signaling/gateway/websocket_door.cc $base"
  [sdp]="signaling/sdes.cc signaling/sdp.cc signaling/offer_answer.cc media/codec.cc media/dtls_context.cc media/srtp_suite.cc ice/candidate.cc $base"
  [stun]="$ice $base"
  [dtls]="$dtls media/srtp_suite.cc $base"
  [media]="bridge/bridge.cc bridge/latch.cc bridge/leg.cc bridge/leg_handover.cc bridge/secure_path.cc $media $srtp $dtls $ice $base"
  [api]="$(ls vas/api/*.cc | grep -vE '/(http_connection|http_server|tls_door|byte_stream).cc') vas/directory/directory.cc vas/directory/directory_json.cc vas/directory/fields.cc vas/directory/misspelling.cc vas/sessions/creation_keys.cc vas/sessions/session.cc vas/webhooks/signature.cc
    vas/sessions/session_registry.cc vas/sessions/token_index.cc vas/calls/call_instructions.cc vas/calls/routing_plan.cc signaling/gateway/flow.cc vas/records/cdr.cc vas/base/host_port.cc $media $base"
  [dialogs]="signaling/gateway/live_dialogs.cc signaling/gateway/flow.cc $base"
  [journal]="vas/records/cdr.cc vas/records/cdr_json.cc vas/records/journal_format.cc ice/candidate.cc $media $base"
)
# The OpenAPI document as the release build made it a part of the program.
generated=build/release/generated
fuzzers=${FUZZERS:-sip text digest websocket sdp stun dtls media journal api dialogs}
export flags="-std=c++20 -g -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -DSPDLOG_COMPILED_LIB
  -DSPDLOG_FMT_EXTERNAL -DSPDLOG_SHARED_LIB -DFMT_SHARED -I. -I$generated" out

# Each source once, however many fuzzers it is part of.
object_of() { echo "$out/objects/${1//\//_}.o"; }
compile() { ccache clang++ $flags -c "$1" -o "$(object_of "$1")"; }
export -f compile object_of
mkdir -p "$out/objects"
for name in $fuzzers; do printf '%s\n' "tests/fuzz/${name}_fuzz.cc" ${sources[$name]}; done | sort -u |
  xargs -P "$(nproc)" -I{} bash -c 'compile {}'

for name in $fuzzers; do
  binary=$out/${name}_fuzz
  objects=$(for source in "tests/fuzz/${name}_fuzz.cc" ${sources[$name]}; do object_of "$source"; done)
  clang++ -fsanitize=fuzzer,address,undefined $objects -o "$binary" -lspdlog -lfmt -lssl -lcrypto -lboost_json -lsrtp2 -lpthread
  mkdir -p "$out/corpus/$name"
  if "$binary" -max_total_time="$seconds" -max_len=4096 -timeout=10 -artifact_prefix="$out/$name-" "$out/corpus/$name" "tests/fuzz/corpus/$name" >"$out/$name.log" 2>&1; then
    printf '%-10s %s\n' "$name" "$(grep -oE 'Done [0-9]+ runs in [0-9]+ second' "$out/$name.log" | tail -1)"
  else
    tail -40 "$out/$name.log" >&2
    echo "fuzzer $name failed; its input is $out/$name-*" >&2
    exit 1
  fi
done
