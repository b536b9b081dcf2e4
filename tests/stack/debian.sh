# For installers to source: installs Debian packages, and says loudly what went wrong.

fail() {
  printf '\n*** tests/stack/%s: %s\n*** The tests against the real stack cannot run without it.\n' "$(basename "$0")" "$1" >&2
  exit 1
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
said() { tail -30 "$log" >&2; }

# Debian starts a service when it installs one; this stack brings its own, on ports of its own.
apt_install() {
  local policy=/usr/sbin/policy-rc.d made=no status=0
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' > "$policy" && chmod +x "$policy" && made=yes
  fi
  DEBIAN_FRONTEND=noninteractive timeout 900 apt-get -o DPkg::Lock::Timeout=300 \
    install -y -qq --no-install-recommends "$@" > "$log" 2>&1 || status=$?
  [ "$made" = no ] || rm -f "$policy"
  return "$status"
}

# Installs the packages that are named, if any.
debian_install() {
  [ $# -gt 0 ] || return 0
  echo "installing $*"
  [ "$(id -u)" = 0 ] || fail "needs root to install: $*"
  timeout 300 apt-get -o DPkg::Lock::Timeout=300 update -qq > "$log" 2>&1 || { said; fail "apt-get update failed"; }
  apt_install "$@" || { said; fail "apt-get could not install: $*"; }
}
