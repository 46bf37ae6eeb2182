# Debian packages, by what they are for; installing them, and building. Sourced by ./run and ./test.
# shellcheck shell=bash disable=SC2034
. scripts/progress.sh

build_packages=(g++ cmake ninja-build ccache lld pkg-config python3 libsofia-sip-ua-dev libboost1.81-dev libboost-json1.81-dev
  libssl-dev libsoci-dev libsqlite3-dev libpq-dev libcurl4-openssl-dev libspdlog-dev libfmt-dev libcli11-dev prometheus-cpp-dev libortp-dev libbctoolbox-dev
  libc-ares-dev clang bpftool libbpf-dev liburing-dev libmnl-dev libsrtp2-dev libnice-dev libseccomp-dev)
test_packages=(libgtest-dev libgmock-dev baresip-core sip-tester sox tshark tcpdump libre-dev gcc clang-format clang-tidy libclang-rt-14-dev python3-jsonschema python3-openssl curl
  linphone-cli iproute2 nftables iputils-ping ethtool util-linux valgrind libbenchmark-dev openssl chromium chromium-driver postgresql coturn
  black flake8 shellcheck universal-ctags)
command -v npm >/dev/null || test_packages+=(nodejs npm)

# Installs what is missing of its arguments; says nothing and is quick when nothing is.
install_packages() {
  local missing=() package
  for package in "$@"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  local as_root=()
  if [[ $(id -u) != 0 ]]; then
    command -v sudo >/dev/null || { echo "These packages are missing and there is no sudo: ${missing[*]}" >&2; return 1; }
    as_root=(sudo)
  fi
  echo "Installing ${#missing[@]} Debian packages: ${missing[*]}"
  echo "Fetching the lists of packages"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 update -qq
  # The status lines are apt's own, with a percentage of all there is to fetch, and then of all there is to set up.
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -o APT::Status-Fd=1 \
    install -y -qq --no-install-recommends "${missing[@]}" |
    sed -nuE 's/^(dlstatus|pmstatus):.*:([0-9]+)\.[0-9]+:(.*)/[\2%] \3/p; s/^pmerror:/apt: /p' | show_progress
}

# Configures and builds one preset; more arguments are targets.
build_preset() {
  local preset=$1
  shift
  echo "Configuring and building $preset"
  cmake --preset "$preset" >"build-$preset.log" 2>&1 || { cat "build-$preset.log" >&2; return 1; }
  rm -f "build-$preset.log"
  # pipefail, which all callers set, lets the build's own status through.
  NINJA_STATUS='[%f/%t] ' cmake --build --preset "$preset" ${1:+--target "$@"} |
    { grep --line-buffered -vE '^includes point down|^ninja: no work' || true; } | show_progress
}
