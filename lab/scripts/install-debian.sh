#!/bin/sh
# Installs the Debian programs that the lab calls, those that are missing; says nothing when all are there.
#   lab/scripts/install-debian.sh              what the testbed and the attacks need
#   lab/scripts/install-debian.sh PACKAGE…     these as well
set -eu

missing=''
want() { # PROGRAM PACKAGE
  command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}

want ip iproute2
want nsenter util-linux
want openssl openssl
want slowhttptest slowhttptest
for package in "$@"; do
  dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed ||
    missing="$missing $package"
done

[ -n "$missing" ] || exit 0
if [ "$(id -u)" -ne 0 ]; then
  echo "install-debian.sh: needs root to install:$missing" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Unquoted on purpose: a list of words.
# shellcheck disable=SC2086
if ! { apt-get update && apt-get install --yes --no-install-recommends $missing; } >"$log" 2>&1; then
  cat "$log" >&2
  exit 1
fi
