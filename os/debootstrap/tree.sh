# Making the tree of a new guest and keeping it in the cache; sourced by ./create inside its sandbox.

CACHE_FORMAT=2 # change it when prepare_tree changes: trees of another format aren't used

# The sources to install from, as sources.list lines: MIRROR, else those of this node (the suite's name exchanged),
# else the public mirror. Nothing for a suite that isn't Debian's: its debootstrap script knows the mirror.
package_sources() {
  local components=${COMPONENTS//,/ }
  components=${components:-main}
  if [ -n "$MIRROR" ]; then
    printf 'deb %s %s %s\n' "$MIRROR" "$SUITE" "$components"
  elif is_debian_suite; then
    node_sources "$components" | grep . || printf 'deb http://deb.debian.org/debian %s %s\n' "$SUITE" "$components"
  fi
}

is_debian_suite() {
  local script=/usr/share/debootstrap/scripts/$SUITE
  [ ! -e "$script" ] || [ "$(basename "$(readlink -f "$script")")" = sid ]
}

node_sources() {
  local codename uri release component origin
  codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
  [ -n "$codename" ] || return 0
  apt-get indextargets --format '$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)' 'Created-By: Packages' 2> /dev/null |
    while IFS='|' read -r uri release component origin; do
      [ "$component" = main ] || continue
      case $release in "$codename" | "$codename-updates" | "$codename-security") ;; *) continue ;; esac
      # Without downloaded lists apt doesn't know the origin.
      [ "$origin" = Debian ] || [[ $uri =~ /debian(-security)?/?$ ]] || continue
      printf 'deb %s %s %s\n' "$uri" "$SUITE${release#"$codename"}" "$1"
    done | awk '!seen[$0]++'
}

# The guest's own sources.list: the sources used, but public ones in place of those that only this node can reach.
guest_sources() {
  local kind uri suite rest
  if package_sources | grep -qE '^deb (file|copy|cdrom):|^deb [a-z+]+://(localhost|127\.|10\.|192\.168\.|172\.(1[6-9]|2[0-9]|3[01])\.|169\.254\.|\[|[^./]+[:/])' ||
    [ -z "$MIRROR" ]; then
    cat << EOF
deb http://deb.debian.org/debian $SUITE ${COMPONENTS:-main}
deb http://deb.debian.org/debian $SUITE-updates ${COMPONENTS:-main}
deb http://deb.debian.org/debian-security $SUITE-security ${COMPONENTS:-main}
EOF
  else
    package_sources
  fi | tr ',' ' ' | case $SUITE in
    sid | unstable) head -n 1 ;;
    *) cat ;;
  esac
}

# How this node's apt reaches the sources (the environment, where a proxy might be, is cleared by the node daemon).
apt_options() {
  apt-config dump 2> /dev/null | grep -iE '^Acquire::(http|https|ftp|Retries|Check-Valid-Until|Check-Date|ForceIPv)' |
    grep -v ' "";$'
  printf 'Acquire::Languages "none";\n'
  [ -z "$PROXY" ] || printf 'Acquire::http::Proxy "%s";\nAcquire::https::Proxy "%s";\n' "$PROXY" "$PROXY"
}

# --- the cache -----------------------------------------------------------------------------------------------------------

# Everything that decides what the tree contains is in the name, so that a changed variant counts at once.
cache_file() {
  local key
  key=$(printf '%s\n' "$CACHE_FORMAT" "$(packages)" "$COMPONENTS" "$MIRROR" | sha256sum)
  printf '%s/cache-%s-%s-%s.tar' "$CACHE_DIR" "$SUITE" "$ARCH" "${key:0:12}"
}

remove_old_caches() {
  [ -n "$CLEAN_CACHE" ] || return 0
  find "$CACHE_DIR" -maxdepth 1 -name 'cache-*.tar' -type f -daystart -mtime "+$CLEAN_CACHE" -delete
}

# Opens the tree's archive as file descriptor tree_fd, building it first if it's missing. One run builds at a time, the
# others wait for it; the archive gets its name when it's complete.
open_tree() {
  local archive lock lock_fd build=
  archive=$(cache_file)
  remove_old_caches
  remove_leftover_files
  if ! { exec {tree_fd}< "$archive"; } 2> /dev/null; then
    lock=$CACHE_DIR/.lock-${archive##*/}
    take_lock "$lock" --nonblock || {
      progress "waiting for another creation, which is making the same tree"
      take_lock "$lock"
    }
    if ! { exec {tree_fd}< "$archive"; } 2> /dev/null; then
      build=$CACHE_DIR/.build-${archive##*/}
      rm -rf --one-file-system -- "$build"
      build_archive "$build"
      exec {tree_fd}< "$build/tree.tar" || die "can't read $build/tree.tar"
      # On the disk before it gets its name: a power failure must not leave half of it under that name.
      [ "$GENERATE_CACHE" != yes ] || { sync --data "$build/tree.tar" && mv -f -- "$build/tree.tar" "$archive"; } ||
        die "can't write $archive"
      rm -rf --one-file-system -- "$build"
    fi
    rm -f -- "$lock"
    exec {lock_fd}>&-
    [ -z "$build" ] || return 0
  fi
  progress "taking the tree from the cache (${archive##*/}, made $(date -r "$archive" '+%F %H:%M'))"
}

# --- building ------------------------------------------------------------------------------------------------------------

build_archive() {
  local started=$SECONDS
  mkdir -- "$1" && mkdir -- "$1/tmp" && apt_options > "$1/apt.conf" || build_failed "$1" "can't write to $CACHE_DIR"
  export TMPDIR=$1/tmp
  progress "debootstrap: nothing in the cache yet: making $SUITE for $ARCH (takes a minute or more)"
  if [ -x "$(command -v mmdebstrap)" ] && [ -n "$(package_sources)" ]; then
    build_with_mmdebstrap "$1"
  else
    build_with_debootstrap "$1"
  fi
  prepare_tree "$1/tree" || build_failed "$1" "can't prepare the new tree"
  progress "debootstrap: packing the tree ($(du -sm "$1/tree" | cut -f1) MiB)"
  tar --create --file "$1/tree.tar" --directory "$1/tree" --one-file-system --numeric-owner --acls --selinux \
    --xattrs --xattrs-include='*' . 2> "$1/tar.log" || {
    cat "$1/tar.log" >&2
    build_failed "$1" "can't write the archive"
  }
  rm -rf --one-file-system -- "$1/tree"
  progress "debootstrap: done after $((SECONDS - started)) s"
}

# Says why, and leaves nothing half-written.
build_failed() {
  local free
  free=$(df --output=avail --block-size=MiB "$CACHE_DIR" 2> /dev/null | tail -n 1 | tr -d ' ')
  unset TMPDIR
  rm -rf --one-file-system -- "$1"
  if [ "${free%MiB}" -lt 64 ] 2> /dev/null; then
    die "$2: $CACHE_DIR was full (a tree needs about 1 GiB while it's being made; free some space there)"
  fi
  die "$2"
}

# ": why", from what apt, dpkg or debootstrap said.
first_error() {
  grep -m 1 -A 1 -E '^(Err:|E:|dpkg: error)' "$1" | grep -v '^--' | tr -s '\n ' '  ' |
    sed -E 's/^(Err:[0-9]*|E:|dpkg: error) */: /; s/ (E|I|Ign):?.*//; s/ *$//'
}

build_with_mmdebstrap() {
  local status merged=/usr/share/mmdebstrap/hooks/maybe-merged-usr
  printf '  %s\n' "mirror: $(package_sources | head -n 1)" "packages: $(packages)"
  [ -d "$merged" ] || merged= # with it the package usrmerge, and with that perl, needn't be installed
  set -o pipefail
  package_sources | mmdebstrap --mode=root --format=directory --variant=important --architectures="$ARCH" \
    --include="$(packages)" --components="${COMPONENTS:-main}" --aptopt="$1/apt.conf" \
    ${merged:+--hook-dir="$merged"} --essential-hook="$OS_DIR/tree-settings"' "$1"' "$SUITE" "$1/tree" - 2>&1 | tee "$1/log" |
    sed -u -n -e 's/^I: \(running apt-get update\|downloading\|extracting\|installing\|cleaning\)/debootstrap: \1/p' \
      -e '/^[EW]:/p' -e '/rror/p'
  status=$?
  set +o pipefail
  [ "$status" = 0 ] || build_failed "$1" "mmdebstrap failed$(first_error "$1/log")"
}

build_with_debootstrap() {
  local proxy uri=
  proxy=$(sed -n 's/^Acquire::http::[Pp]roxy "\(.*\)";/\1/p' "$1/apt.conf" | tail -n 1)
  [ -z "$proxy" ] || export http_proxy=$proxy https_proxy=$proxy
  [ -x "$(command -v debootstrap)" ] || build_failed "$1" "neither mmdebstrap nor debootstrap is installed here"
  uri=$(package_sources | grep -m 1 -E " $SUITE " | cut -d' ' -f2)
  printf '  %s\n' "mirror: ${uri:-the default of $SUITE}" "packages: $(packages)"
  set -o pipefail
  debootstrap --arch "$ARCH" --include="$(packages)" ${COMPONENTS:+--components="$COMPONENTS"} "$SUITE" "$1/tree" \
    ${uri:+"$uri"} 2>&1 | tee "$1/log" |
    sed -u -n -e '/^[EW]:/p' -e '0,/^I: Retrieving/s/^I: Retrieving.*/debootstrap: retrieving packages/p' \
      -e 's/^I: \(Resolving dependencies.*\|Installing core.*\|Unpacking.*\|Configuring \(required\|the\).*\)/debootstrap: \1/p'
  local status=$?
  set +o pipefail
  [ "$status" = 0 ] || build_failed "$1" "debootstrap failed$(first_error "$1/log")"
  "$OS_DIR/tree-settings" "$1/tree"
  chroot "$1/tree" update-initramfs -u > /dev/null 2>&1 || true
}

# What all guests from this tree have in common: nothing in it may identify a machine.
prepare_tree() {
  local tree=$1
  guest_sources > "$tree/etc/apt/sources.list" || return
  rm -f "$tree"/etc/apt/sources.list.d/*mmdebstrap* "$tree"/etc/apt/apt.conf.d/99mmdebstrap
  rm -f "$tree"/etc/ssh/ssh_host_*_key* "$tree"/etc/udev/rules.d/*persistent-net.rules
  rm -f "$tree"/var/lib/dbus/machine-id "$tree"/var/lib/systemd/random-seed "$tree"/var/cache/apt/*.bin
  find "$tree/var/cache/apt/archives" "$tree/var/lib/apt/lists" "$tree/var/log" -type f -delete
  rm -f "$tree"/etc/systemd/system/*.wants/e2scrub_reap.service # looks for LVM snapshots at each boot
  if [ -d "$tree/usr/lib/grub/i386-pc" ]; then
    mkdir -p "$tree/boot/grub/i386-pc"
    cp -- "$tree"/usr/lib/grub/i386-pc/*.{mod,lst} "$tree/boot/grub/i386-pc/" || return
    # The package grub-pc asks where to install itself when it's upgraded: let it know.
    chroot "$tree" debconf-set-selections <<< "grub-pc grub-pc/install_devices multiselect /dev/vda" || return
  fi
}
