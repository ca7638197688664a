#!/bin/sh
# Decides where the sources of cpp-httplib and Catch2 come from, for third_party/CMakeLists.txt.
#
#   fetch.sh DIR
#
# Prints one word on standard output:
#   upstream   the upstream repositories answer; FetchContent takes the pinned commits from there
#   debian     DIR/cpp-httplib and DIR/catch2 hold the sources, taken from Debian's source packages
#
# The Debian way uses an apt configuration of its own: lists, cache and sources.list live under DIR and are made from
# the mirror that this machine's apt already uses. Nothing of the system's settings changes and root is not needed.
# apt verifies the archive's signature against Debian's keyring, and through it every file's checksum.
# Quick when DIR is filled. An interrupted run leaves nothing that looks complete: folders are renamed into place.
set -eu

UPSTREAM_PROBES='https://github.com/yhirose/cpp-httplib.git https://github.com/catchorg/Catch2.git'
SUITE=testing
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

[ $# -eq 1 ] || { echo "usage: fetch.sh DIR" >&2; exit 2; }
mkdir -p "$1"
dir=$(cd "$1" && pwd)

say() { echo "third_party: $*" >&2; }
die() { say "$*"; exit 1; }

complete() {  # NAME
  [ -f "$dir/$1/.origin" ]
}

upstream_answers() {
  for url in $UPSTREAM_PROBES; do
    GIT_TERMINAL_PROMPT=0 timeout 15 git ls-remote --quiet "$url" HEAD >/dev/null 2>&1 || return 1
  done
}

# The archive URIs in apt's sources, one a line, both formats. Security archives hold other packages.
mirrors() {
  {
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
      sed -n 's/^[[:space:]]*deb[[:space:]]\{1,\}\(\[[^]]*\][[:space:]]*\)\{0,1\}\([^[:space:]]\{1,\}\)[[:space:]].*/\2/p'
    cat /etc/apt/sources.list.d/*.sources 2>/dev/null | awk 'tolower($1) == "uris:" { for (i = 2; i <= NF; i++) print $i }'
  } | sed 's:/*$::' | grep -v security | awk '!seen[$0]++'
}

private_apt() {  # COMMAND [ARGUMENTS]
  command=$1
  shift
  DEBIAN_FRONTEND=noninteractive "$command" -q \
    -o Dir::Etc::SourceList="$dir/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::State::Lists="$dir/apt/lists" -o Dir::Cache="$dir/apt/cache" \
    -o APT::Sandbox::User="$(id -un)" -o APT::Update::Error-Mode=any \
    -o APT::Update::Post-Invoke::= -o Acquire::Languages=none "$@"
}

update_lists() {
  mkdir -p "$dir/apt/lists/partial" "$dir/apt/cache/archives/partial"
  for uri in $(mirrors); do
    echo "deb-src [signed-by=$KEYRING] $uri $SUITE main" >"$dir/apt/sources.list"
    if private_apt apt-get update >"$dir/apt/update.log" 2>&1; then
      return 0
    fi
  done
  [ ! -f "$dir/apt/update.log" ] || tail -n 5 "$dir/apt/update.log" >&2
  die "neither the upstream repositories nor a Debian mirror with source packages answers; check the network or" \
    "pass -DFETCHCONTENT_SOURCE_DIR_HTTPLIB=... and -DFETCHCONTENT_SOURCE_DIR_CATCH2=... to cmake"
}

unpack() {  # NAME  FILE_THAT_MUST_EXIST
  work=$dir/apt/$1
  rm -rf "$work"
  mkdir -p "$work"
  (
    cd "$work"
    private_apt apt-get source --download-only "$1" >download.log 2>&1 || { tail -n 5 download.log >&2; exit 1; }
    dpkg-source -x ./*.dsc tree >unpack.log 2>&1 || { tail -n 5 unpack.log >&2; exit 1; }
  ) || die "cannot fetch Debian's source package $1"
  [ -f "$work/tree/$2" ] || die "Debian's source package $1 has no $2"
  version=$(sed -n 's/^Version: //p' "$work"/*.dsc | head -n 1)
  echo "Debian source package $1 $version" >"$work/tree/.origin"
  rm -rf "${dir:?}/$1"
  mv "$work/tree" "$dir/$1"
  say "took $1 $version from Debian's source package"
}

exec 9>"$dir/.lock"
flock 9

if complete cpp-httplib && complete catch2; then
  echo debian
  exit 0
fi
if upstream_answers; then
  echo upstream
  exit 0
fi
say "upstream repositories do not answer, using Debian's source packages"
for tool in apt-get dpkg-source; do
  command -v "$tool" >/dev/null || die "$tool is missing (run 'make deps')"
done
update_lists
complete cpp-httplib || unpack cpp-httplib httplib.h
complete catch2 || unpack catch2 src/catch2/catch_all.hpp
rm -rf "$dir/apt"
echo debian
