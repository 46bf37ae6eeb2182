#!/usr/bin/env bash
# Builds the fuzzers with clang and runs each over its corpus and SECONDS of new inputs.
#   scripts/fuzz.sh [SECONDS]               all of them
#   FUZZERS="sip sdp" scripts/fuzz.sh 600   some
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh
seconds=${1:-10}
out=build/fuzz
read -ra fuzzers <<<"${FUZZERS:-$(basename -a -s _fuzz.cc tests/fuzz/*_fuzz.cc | xargs)}"
build_preset fuzz "${fuzzers[@]/%/_fuzz}"

for name in "${fuzzers[@]}"; do
  mkdir -p "$out/corpus/$name"
  if "$out/${name}_fuzz" -max_total_time="$seconds" -max_len=4096 -timeout=10 -artifact_prefix="$out/$name-" "$out/corpus/$name" "tests/fuzz/corpus/$name" >"$out/$name.log" 2>&1; then
    printf '%-10s %s\n' "$name" "$(grep -oE 'Done [0-9]+ runs in [0-9]+ second' "$out/$name.log" | tail -1)"
  else
    tail -40 "$out/$name.log" >&2
    echo "fuzzer $name failed; its input is $out/$name-*" >&2
    exit 1
  fi
done
