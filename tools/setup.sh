#!/usr/bin/env bash
# Brings a machine and a clone to the point where everything runs; says nothing and costs little when nothing is missing.
#
#   tools/setup.sh          Debian packages, user gi4over6, npm packages, addons, fast path, compiled TypeScript
#   tools/setup.sh native   only the addons and the fast path
#   tools/setup.sh fast-path   only that
#
# 1. What a Debian package or root must give is looked up in one question each, and fetched only if missing.
# 2. npm packages follow package-lock.json, addons and fast path the hash of their sources; all are remembered by stamps.
# 3. A lock keeps two runs in one clone apart.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly DEBIAN_PACKAGES=(
  libyang2-dev libnetconf2-dev libyang2-tools libyuma-base yangcli yangdump python3-ncclient ansible openssh-client
  gobgpd frr dhcpcd-base kea-dhcp6-server iproute2 iputils-ping iperf3 nftables procps tcpdump traceroute curl clang-format g++ make python3
)
# Packages that bring a service of their own name.
readonly DAEMON_PACKAGES=(gobgpd frr kea-dhcp6-server)
readonly ADDONS=(src/datapath/node-tuntap2 src/mgmt/netconf-server tools/bench/native)
# The fast path, in AssemblyScript: a WebAssembly module over memory that threads share. It takes constants of layout.ts.
readonly FAST_PATH=src/datapath/fast-path
readonly FAST_PATH_SOURCES=("$FAST_PATH"/*.ts src/datapath/{batch-layout,layout}.ts tools/setup.sh node_modules/assemblyscript/package.json)
readonly WASM_FEATURES=(--enable-simd --enable-threads --enable-bulk-memory)
readonly SERVICE_USER=gi4over6
readonly WORK_DIR=build/setup
readonly LOG="$WORK_DIR/setup.log"
readonly NPM_STAMP=node_modules/.gi4over6-lock

say() { printf 'setup: %s\n' "$*" >&2; }
fail() {
  say "$*"
  exit 1
}

# Runs a command with its output in the log; the log's end is shown only if it fails.
quietly() {
  if "$@" >"$LOG" 2>&1 </dev/null; then return 0; fi
  tail -n 30 "$LOG" >&2
  return 1
}

check_node() {
  command -v node >/dev/null || fail 'Node.js 20.17 or newer is needed and there is none: install it (deb.nodesource.com or nodejs.org), then run this again'
  local version
  version=$(node --version)
  local major minor
  IFS=. read -r major minor _ <<<"${version#v}"
  ((major > 20 || (major == 20 && minor >= 17))) || fail "Node.js 20.17 or newer is needed, this is $version"
}

missing_debian_packages() {
  local installed package
  installed=$(dpkg-query -W -f='${db:Status-Abbrev}${Package}\n' "${DEBIAN_PACKAGES[@]}" 2>/dev/null || true)
  for package in "${DEBIAN_PACKAGES[@]}"; do
    [[ $'\n'"$installed"$'\n' == *$'\n'"ii $package"$'\n'* ]] || printf '%s\n' "$package"
  done
}

install_debian_packages() {
  local missing
  command -v dpkg-query >/dev/null || fail "this is no Debian system: install by other means ${DEBIAN_PACKAGES[*]}"
  mapfile -t missing < <(missing_debian_packages)
  ((${#missing[@]} > 0)) || return 0
  ((EUID == 0)) || fail "root is needed to install Debian packages: ${missing[*]}"
  say "installing Debian packages: ${missing[*]}"
  local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}")
  if ! "${install[@]}" >"$LOG" 2>&1 </dev/null; then
    say 'that failed with the package lists as they are; fetching new ones'
    quietly apt-get update || fail 'apt-get update failed: is there a network and a package mirror?'
    quietly "${install[@]}" || fail "apt-get could not install ${missing[*]}"
  fi
  silence_services "${missing[@]}"
}

# The program and the tests start these daemons themselves; a service that has just come with its package would take their ports.
silence_services() {
  [[ -d /run/systemd/system ]] || return 0
  local package
  for package in "$@"; do
    [[ " ${DAEMON_PACKAGES[*]} " == *" $package "* ]] || continue
    systemctl disable --now "$package" >>"$LOG" 2>&1 || say "the service $package could not be turned off"
  done
}

create_user() {
  if getent passwd "$SERVICE_USER" >/dev/null && getent group "$SERVICE_USER" >/dev/null; then return 0; fi
  ((EUID == 0)) || fail "root is needed to create the system user $SERVICE_USER"
  getent group "$SERVICE_USER" >/dev/null || quietly groupadd --system "$SERVICE_USER" || fail "groupadd could not create $SERVICE_USER"
  getent passwd "$SERVICE_USER" >/dev/null && return 0
  quietly useradd --system --gid "$SERVICE_USER" --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$SERVICE_USER" ||
    fail "useradd could not create $SERVICE_USER"
}

install_npm_packages() {
  local hash
  hash=$(sha256sum package-lock.json)
  [[ -f $NPM_STAMP && $(<"$NPM_STAMP") == "$hash" ]] && return 0
  say 'installing npm packages'
  quietly npm ci || fail 'npm ci failed'
  printf '%s\n' "$hash" >"$NPM_STAMP"
}

# node-gyp comes with npm; npx fetches it where a distribution took it out.
node_gyp() {
  local script headers
  script="$(npm root -g 2>/dev/null)/npm/node_modules/node-gyp/bin/node-gyp.js"
  headers="$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")"
  local options=()
  [[ -f $headers/include/node/node_api.h ]] && options=("--nodedir=$headers")
  if [[ -f $script ]]; then node "$script" "$@" "${options[@]}"; else npx --yes node-gyp "$@" "${options[@]}"; fi
}

build_addon() {
  local dir=$1 hash stamp=$1/build/.sources
  hash=$(find "$dir" \( -name build -o -name dist -o -name node_modules \) -prune -o -type f \
    \( -name '*.cc' -o -name '*.h' -o -name binding.gyp \) -print0 | sort -z | xargs -0r sha256sum | sha256sum)
  [[ -f $stamp && $(<"$stamp") == "$hash" ]] && compgen -G "$dir/build/Release/*.node" >/dev/null && return 0
  [[ -f $dir/binding.gyp ]] || fail "$dir/binding.gyp is missing: is the clone complete?"
  say "building $dir"
  quietly node_gyp rebuild --directory="$dir" || fail "the addon in $dir does not build: are g++, make and the -dev packages there?"
  printf '%s\n' "$hash" >"$stamp"
}

# binaryen puts small functions in the place of their calls, which asc does with some only.
build_fast_path() {
  local hash out=dist/$FAST_PATH.wasm stamp=dist/$FAST_PATH.sources
  hash=$(sha256sum "${FAST_PATH_SOURCES[@]}")
  [[ -f $stamp && -f $out && $(<"$stamp") == "$hash" ]] && return 0
  say "building $FAST_PATH"
  mkdir -p "$(dirname "$out")"
  local features=(--enable threads --enable bulk-memory --enable simd)
  local memory=(--importMemory --sharedMemory --maximumMemory 65536)
  quietly node_modules/.bin/asc "$FAST_PATH/exports.ts" -o "$WORK_DIR/fast-path.wasm" -O3 --noAssert --runtime stub "${memory[@]}" "${features[@]}" ||
    fail "$FAST_PATH does not compile"
  quietly node_modules/.bin/wasm-opt "$WORK_DIR/fast-path.wasm" -O4 -aimfs 140 "${WASM_FEATURES[@]}" -o "$out" ||
    fail "$FAST_PATH cannot be optimised"
  printf '%s\n' "$hash" >"$stamp"
}

compile() {
  node_modules/.bin/tsc -b || fail 'the TypeScript sources do not compile'
  chmod +x dist/src/main.js
}

main() {
  local what=${1-all}
  [[ $# -le 1 && $what =~ ^(all|native|fast-path)$ ]] || fail "expected no argument, 'native' or 'fast-path', got: $*"
  mkdir -p "$WORK_DIR" || fail "cannot write in $PWD: the clone must belong to you"
  exec 9>"$WORK_DIR/lock"
  flock -w 900 9 || fail 'another setup has been running in this clone for 15 minutes: stop it, then run this again'
  check_node
  if [[ $what == all ]]; then
    install_debian_packages
    create_user
    install_npm_packages
  fi
  if [[ $what != fast-path ]]; then
    local addon
    for addon in "${ADDONS[@]}"; do build_addon "$addon"; done
  fi
  build_fast_path
  if [[ $what == all ]]; then compile; fi
}

main "$@"
