#!/bin/sh
# Puts the sources of libraries that no Debian package holds as an archive into DIR, for third_party/CMakeLists.txt.
#
#   fetch.sh DIR NAME[=FROM]...    fills DIR/NAME; FROM is a folder or an archive with the sources
#
# NAME.pin, beside this script, says what DIR/NAME is: `files` of `version`, and the SHA-256 of them all, which holds
# whatever way they came:
#
#   cd DIR/NAME && find FILES -type f | LC_ALL=C sort | xargs sha256sum | sha256sum
#
# Without FROM the ways are tried in turn, until one gives just these files:
#   pool      Debian's source archive, from the mirrors in apt's sources. It is found by its path and known by its
#             SHA-256, so no suite, signature or date matters
#   git, tag  upstream
#   snapshot  the same archive where Debian keeps what mirrors drop
#
# Needs no root, and no setting of apt or git changes. Quick when DIR is filled. An interrupted run leaves nothing that
# looks complete: folders are renamed into place.
set -eu

CMAKE=${CMAKE:-cmake}
APT_HELPER=/usr/lib/apt/apt-helper

[ $# -ge 2 ] || { sed -n '4s/^# *//p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
dir=$(cd "$1" && pwd)
shift

exec 3>&2
say() { echo "third_party: $*" >&3; }
die() { say "$*"; exit 1; }

digest() {  # FOLDER: of `files` in it
  (cd "$1" && find $files -type f 2>/dev/null | LC_ALL=C sort | xargs -r -d '\n' sha256sum | sha256sum | cut -d ' ' -f 1)
}

is_pinned() {  # FOLDER
  [ -d "$1" ] && [ "$(digest "$1")" = "$sha256" ]
}

# Puts the files of a folder, or of the one folder in it, into DIR/NAME, unless they are there.
install() {  # FOLDER
  from=$1
  is_pinned "$from" || from=$(find "$1" -mindepth 1 -maxdepth 1 -type d | head -n 1)
  [ -n "$from" ] && is_pinned "$from" || { echo "other sources than those of $name $version" >&2; return 1; }
  ! is_pinned "$dir/$name" || return 0
  mkdir "$work/chosen"
  (cd "$from" && for file in $files; do
    mkdir -p "$work/chosen/$(dirname "$file")" && cp -pR "$file" "$work/chosen/$file" || exit 1
  done) || return 1
  is_pinned "$work/chosen" || { echo "the copy is not what was copied" >&2; return 1; }
  rm -rf "${dir:?}/$name"
  mv "$work/chosen" "$dir/$name"
  say "took $name $version from $what"
}

unpack() {  # ARCHIVE
  mkdir "$work/unpacked"
  (cd "$work/unpacked" && "$CMAKE" -E tar xf "$1") && install "$work/unpacked"
}

verified() {  # FILE
  echo "$archive_sha256  $1" | sha256sum --check --status || { echo "another SHA-256 than $archive_sha256" >&2; return 1; }
}

# The ways. Each says on standard error why it fails.

from_pool() {  # MIRROR
  "$APT_HELPER" -q -o APT::Sandbox::User="$(id -un)" -o Acquire::Retries=1 -o Acquire::http::Timeout=20 \
    -o Acquire::https::Timeout=20 download-file "$1/$pool" "$work/archive" "SHA256:$archive_sha256" >&2 &&
    verified "$work/archive" && unpack "$work/archive"
}

from_git() {
  GIT_TERMINAL_PROMPT=0 timeout 300 git -c core.autocrlf=false -c advice.detachedHead=false -c http.lowSpeedLimit=1000 \
    -c http.lowSpeedTime=20 clone --quiet --depth 1 --branch "$tag" "$git" "$work/clone" && install "$work/clone"
}

from_snapshot() {
  echo "file(DOWNLOAD \"$snapshot\" \"$work/archive\" INACTIVITY_TIMEOUT 20 TIMEOUT 300 TLS_VERIFY ON STATUS status)
    if(NOT status MATCHES \"^0;\")
      message(FATAL_ERROR \"\${status}\")
    endif()" >"$work/download.cmake"
  "$CMAKE" -P "$work/download.cmake" && verified "$work/archive" && unpack "$work/archive"
}

from_given() {  # FOLDER_OR_ARCHIVE
  if [ -d "$1" ]; then
    install "$(cd "$1" && pwd)"
  else
    unpack "$(realpath "$1")"
  fi
}

try() {  # WHAT  WAY [ARGUMENT]: true when it gave the files; why not goes to tried
  what=$1
  shift
  rm -rf "$work"
  mkdir "$work"
  if "$@" 2>"$dir/said"; then return 0; fi
  tried="$tried
  $what:
$(sed '/^[[:space:]]*$/d; s/^ */    /' "$dir/said" | head -n 8)"
  return 1
}

any_way() {
  if [ -x "$APT_HELPER" ]; then
    for mirror in $("$here/mirrors.sh"); do
      if try "$mirror/$pool" from_pool "$mirror"; then return 0; fi
    done
  fi
  if try "$git $tag" from_git; then return 0; fi
  try "$snapshot" from_snapshot
}

exec 9>"$dir/.lock"
flock 9
work=$dir/.work
for wanted; do
  name=${wanted%%=*}
  [ -f "$here/$name.pin" ] || die "there is no $here/$name.pin"
  . "$here/$name.pin"
  given=${wanted#"$name"}
  given=${given#=}
  [ -z "$given" ] || [ "$(realpath -m "$given")" != "$dir/$name" ] || given=''
  tried=''
  if [ -n "$given" ]; then
    try "$given" from_given "$given" || die "what was given for $name is not what $here/$name.pin names:$tried"
  elif ! is_pinned "$dir/$name"; then
    any_way || die "cannot get the sources of $name $version:$tried
third_party: check the network, or give cmake a folder or an archive that has them (third_party/README.md)"
  fi
done
rm -rf "$work" "$dir/said"
