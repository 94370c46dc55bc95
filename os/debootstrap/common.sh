# Shared by the scripts of this OS definition; hooks may source it too (it only defines things and reads the settings).
#
# What the kernel undoes by itself when a script dies, even by SIGKILL: every script runs in a mount and a PID namespace
# of its own (no mount and no process survives), and its loop device is detached lazily as soon as it's attached (it
# goes when its last user goes). Only files can be left over: everything of that kind is in $CACHE_DIR, under names
# which the next run and ./cleanup know.

umask 022
export LC_ALL=C

OS_DIR=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
SCRIPT_NAME=$(basename -- "$0")
PREFIX=${FLOTTE_ROOT:-}
PREFIX=${PREFIX%/}
DEFAULTS_FILE=$PREFIX/etc/default/ganeti-instance-debootstrap
CONFIG_DIR=$PREFIX/etc/ganeti/instance-debootstrap
CACHE_DIR=$PREFIX/var/cache/ganeti-instance-debootstrap
MOUNT_POINT=$CACHE_DIR/target # every run mounts its own disk here, in its own namespace
CLEANUP=()

log_error() { printf '%s\n' "$*" >&2; }
progress() { printf '* %s\n' "$*"; }
die() {
  log_error "$SCRIPT_NAME: error: $*"
  exit 1
}

# Runs the commands in CLEANUP, last one first. For hooks, as in Ganeti's common.sh.
cleanup() {
  local i
  for ((i = ${#CLEANUP[@]} - 1; i >= 0; i--)); do ${CLEANUP[i]}; done
  CLEANUP=()
}

# --- settings ----------------------------------------------------------------------------------------------------------

list_has() { [ -f "$1" ] && grep -qxF -- "$2" "$1"; }

# The variant's settings: the administrator's file counts before the one which comes with this OS definition.
load_variant() {
  local name=$1 directory
  [[ $name =~ ^[A-Za-z0-9][A-Za-z0-9._+-]*$ ]] || die "'$name' is no valid name of a variant"
  for directory in "$VARIANTS_DIR" "$OS_DIR/variants"; do
    if [ -f "$directory/$name.conf" ]; then
      . "$directory/$name.conf"
      return
    fi
  done
  if list_has "$CONFIG_DIR/variants.list" "$name" || list_has "$OS_DIR/variants.list" "$name"; then
    die "the published variant '$name' has no settings: create $VARIANTS_DIR/$name.conf" \
      "or remove '$name' from variants.list"
  fi
  die "unknown variant '$name': create $VARIANTS_DIR/$name.conf to support it"
}

load_settings() {
  # shellcheck disable=SC1090
  [ ! -f "$DEFAULTS_FILE" ] || . "$DEFAULTS_FILE"
  : "${VARIANTS_DIR:=$CONFIG_DIR/variants}"
  [ -z "${OS_VARIANT:-}" ] || load_variant "$OS_VARIANT"

  : "${SUITE:=bookworm}" "${MIRROR:=}" "${PROXY:=}" "${COMPONENTS:=}"
  : "${CUSTOMIZE_DIR:=$CONFIG_DIR/hooks}" "${PARTITION_STYLE:=msdos}" "${PARTITION_ALIGNMENT:=2048}"
  : "${GENERATE_CACHE:=yes}" "${OSP_FILESYSTEM:=ext4}"
  : "${CLEAN_CACHE=14}" # days; empty: never
  : "${ARCH:=$(dpkg --print-architecture)}"
  # What a guest needs to boot by itself; EXTRA_PKGS is what the administrator wants besides.
  : "${KERNEL_PKGS=linux-image-cloud-ARCH}"
  case $ARCH in
    amd64 | i386) : "${BASE_PKGS=grub-pc,dbus,udev,systemd-sysv,systemd-resolved,kmod,zstd}" ;;
    *) : "${BASE_PKGS=dbus,udev,systemd-sysv,kmod,zstd}" ;;
  esac
  : "${EXTRA_PKGS=openssh-server}"

  [[ $SUITE =~ ^[a-z][a-z0-9.-]*$ ]] || die "SUITE='$SUITE' is no valid name of a suite"
  [[ $ARCH =~ ^[a-z][a-z0-9-]*$ ]] || die "ARCH='$ARCH' is no valid architecture"
  [[ $PARTITION_ALIGNMENT =~ ^[1-9][0-9]{0,8}$ ]] || die "PARTITION_ALIGNMENT='$PARTITION_ALIGNMENT' is no number of sectors"
  [[ $CLEAN_CACHE =~ ^[0-9]{0,6}$ ]] || die "CLEAN_CACHE='$CLEAN_CACHE' is no number of days"
  case $PARTITION_STYLE in
    msdos | none) ;;
    *) die "unknown PARTITION_STYLE '$PARTITION_STYLE': use msdos or none" ;;
  esac
  check_filesystem
}

check_filesystem() {
  case ${OSP_FILESYSTEM:-ext4} in
    ext2 | ext3 | ext4) ;;
    *) die "invalid value '$OSP_FILESYSTEM' for the parameter filesystem: use ext2, ext3 or ext4" ;;
  esac
}

# All packages to install, comma-separated. A kernel that EXTRA_PKGS names replaces ours.
packages() {
  local kernel=${KERNEL_PKGS//ARCH/$ARCH}
  [ "$ARCH" != i386 ] || kernel=${kernel//linux-image*-i386/linux-image-686}
  [[ ,$EXTRA_PKGS, != *[,\ ]linux-image* ]] || kernel=
  printf '%s\n' "$BASE_PKGS,$kernel,$EXTRA_PKGS" | tr -s ', \n' ',,,' | sed 's/^,//; s/,$//'
}

# --- the interface's variables --------------------------------------------------------------------------------------------

require_variable() {
  local name
  for name; do [ -n "${!name:-}" ] || die "the OS interface's variable $name is missing"; done
}

# Sets `disk` to the path that this script works on.
check_environment() {
  require_variable OS_API_VERSION
  case $OS_API_VERSION in
    10 | 15 | 20) ;;
    *) die "unknown OS API version '$OS_API_VERSION'" ;;
  esac
  require_variable INSTANCE_NAME HYPERVISOR DISK_COUNT
  [[ $DISK_COUNT =~ ^[0-9]+$ ]] && [ "$DISK_COUNT" -ge 1 ] && [ -n "${DISK_0_PATH:-}" ] ||
    die "at least one disk is needed (with a path on this node)"
  case $SCRIPT_NAME in
    export) require_variable EXPORT_DEVICE && disk=$EXPORT_DEVICE ;;
    import) require_variable IMPORT_DEVICE && disk=$IMPORT_DEVICE ;;
    rename) require_variable OLD_INSTANCE_NAME && disk=$DISK_0_PATH ;;
    *) disk=$DISK_0_PATH ;;
  esac
  [ -b "$disk" ] || [ -f "$disk" ] || die "the disk $disk is neither a block device nor a file"
}

# --- the sandbox -------------------------------------------------------------------------------------------------------

# Runs this script again in namespaces of its own; returns only inside. Outside stays a guard: it takes signals (even
# while a program inside runs for minutes), waits until the disk is really free, and removes temporary files.
enter_sandbox() {
  if [ "${FLOTTE_OS_SANDBOX:-}" = inside ]; then
    unset FLOTTE_OS_SANDBOX
    trap 'detach_disk quietly' EXIT
    return
  fi
  [ "$(id -u)" = 0 ] || die "must be run by root"
  mkdir -p -- "$MOUNT_POINT" 2> /dev/null || die "can't create $MOUNT_POINT: $(mkdir -p -- "$MOUNT_POINT" 2>&1)"
  lock_disk
  local status=0
  trap 'end_sandbox 143 SIGTERM' TERM
  trap 'end_sandbox 130 SIGINT' INT
  trap 'end_sandbox 129 SIGHUP' HUP
  # In a chroot whose root is no mount point mounts can't be made private: there they are undone one by one.
  local propagation=private
  unshare --mount true 2> /dev/null || propagation=unchanged
  FLOTTE_OS_SANDBOX=inside setpriv --pdeathsig KILL \
    unshare --mount --propagation "$propagation" --pid --fork --kill-child --mount-proc -- "$OS_DIR/$SCRIPT_NAME" "$@" <&0 &
  sandbox_pid=$!
  wait "$sandbox_pid" || status=$?
  [ "$status" -le 128 ] || log_error "$SCRIPT_NAME: error: killed by signal $((status - 128))"
  wait_until_released "$disk" || status=1
  [ "$status" = 0 ] || remove_leftover_files
  unlock_disk
  exit "$status"
}

end_sandbox() {
  trap '' TERM INT HUP
  # Its first process takes all others with it, and is waited for by unshare.
  local first
  first=$(cat "/proc/$sandbox_pid/task/$sandbox_pid/children" 2> /dev/null)
  kill -KILL ${first:-"$sandbox_pid"} 2> /dev/null
  wait "$sandbox_pid" 2> /dev/null
  wait_until_released "$disk"
  remove_leftover_files
  unlock_disk
  log_error "$SCRIPT_NAME: error: interrupted by $2; everything it had begun was undone"
  exit "$1"
}

# One run at a time works on a disk. Its lock is held by all its processes, so whoever gets it knows that all are gone.
run_file() {
  printf '%s/.run-%s' "$CACHE_DIR" "$(realpath -- "$1" | sha256sum | cut -c1-16)"
}

# take_lock FILE [--nonblock]: sets lock_fd; 1 if somebody else has the lock. Whoever has it may remove the file.
take_lock() {
  while true; do
    exec {lock_fd}>> "$1" || die "can't write to $CACHE_DIR"
    flock --exclusive ${2:+"$2"} "$lock_fd" || {
      exec {lock_fd}>&-
      return 1
    }
    # With its number: a bare return in a signal handler returns what was before the signal.
    [ "$1" -ef "/proc/self/fd/$lock_fd" ] && return 0
    exec {lock_fd}>&-
  done
}

lock_disk() {
  run_lock=$(run_file "$disk")
  take_lock "$run_lock" --nonblock ||
    die "another run is working on $disk (process $(cat "$run_lock")); ./cleanup ends it"
  printf '%s\n' "$$" > "$run_lock"
  release_disk "$disk" || die "$disk is in use: $(losetup --associated "$disk")"
  remove_leftover_files
}

unlock_disk() { rm -f -- "$run_lock"; }

# Detaches what a killed run may have left attached.
release_disk() {
  local loop
  for loop in $(loops_of "$1"); do
    for upper in $(loops_of "$loop"); do losetup --detach "$upper"; done
    partx --delete "$loop" > /dev/null 2>&1
    losetup --detach "$loop"
  done
  wait_until_released "$1"
}

loops_of() { losetup --associated "$1" 2> /dev/null | cut -d: -f1; }

# The last reference to a loop device goes a moment after the process that held it.
wait_until_released() {
  local try
  for ((try = 0; try < 100; try++)); do
    [ -n "$(loops_of "$1")" ] || return 0
    sleep 0.05
  done
  log_error "$SCRIPT_NAME: error: $1 is still attached to $(loops_of "$1" | tr '\n' ' ')"
  return 1
}

# --- the disk ----------------------------------------------------------------------------------------------------------

# Attaches the disk to a loop device, also when it's a block device: that way a partition of it can be had on every
# kernel, whether or not it has the device mapper or can parse partition tables. Sets loop_device.
# attach_disk DISK [readonly]
attach_disk() {
  local options=(--find --show --partscan)
  [ "${2:-}" != readonly ] || options+=(--read-only)
  # Direct, so that nothing is copied and kept in memory twice, where the file system below can do it.
  loop_device=$(losetup "${options[@]}" --direct-io=on -- "$1" 2> /dev/null || losetup "${options[@]}" -- "$1") || die "can't attach $1 to a loop device"
  exec {loop_fd}< "$loop_device" || die "can't open $loop_device"
  losetup --detach "$loop_device" # lazily: we hold it open
  flock --exclusive "$loop_fd"    # udev keeps its hands off a locked disk
  # A kernel that parses partition tables has found the old ones.
  partx --delete "$loop_device" > /dev/null 2>&1 || true
}

# Makes partition 1 visible. Sets filesystem_device.
attach_partition() {
  local start sectors offset try
  if [ "$PARTITION_STYLE" = none ]; then
    filesystem_device=$loop_device
    return
  fi
  read -r start sectors < <(partx --raw --noheadings --nr 1 --output START,SECTORS "$loop_device" 2> /dev/null) &&
    [ -n "$sectors" ] || die "$disk has no first partition"
  if addpart "$loop_device" 1 "$start" "$sectors" 2> /dev/null; then
    for ((try = 0; try < 100; try++)); do
      if [ -b "${loop_device}p1" ]; then
        filesystem_device=${loop_device}p1
        return
      fi
      sleep 0.05
    done
  fi
  offset=$((start * 512))
  filesystem_device=$(losetup --find --show --offset "$offset" --sizelimit $((sectors * 512)) -- "$loop_device") ||
    die "can't get at the first partition of $disk"
  exec {partition_fd}< "$filesystem_device"
  losetup --detach "$filesystem_device"
}

detach_disk() {
  [ -z "${loop_device:-}" ] || [ "${1:-}" = quietly ] || progress "writing everything to the disk"
  if mountpoint --quiet -- "$MOUNT_POINT"; then
    # After an error the last line stays the error; what is busy is unmounted with the sandbox.
    if [ "${1:-}" = quietly ]; then
      umount --recursive -- "$MOUNT_POINT" 2> /dev/null
    else
      umount --recursive -- "$MOUNT_POINT" ||
        die "something still uses the guest's file system (a hook that started a daemon?)"
    fi
  fi
  [ -n "${loop_device:-}" ] || return 0
  [ -z "${partition_fd:-}" ] || exec {partition_fd}<&-
  [ ! -b "${loop_device}p1" ] || delpart "$loop_device" 1 2> /dev/null || true
  exec {loop_fd}<&-
  loop_device=
}

partition_disk() {
  local mib messages
  mib=$(($(blockdev --getsize64 "$loop_device") / 1048576))
  # 512 MiB, less what rounding may take.
  [ "$mib" -ge 511 ] || die "the disk is too small: it has $mib MiB, at least 512 MiB are needed"
  if [ "$PARTITION_STYLE" = msdos ]; then
    progress "partitioning (one partition, bootable, on $mib MiB)"
    messages=$(wipefs --all --quiet "$loop_device" 2>&1) || die "can't write to the disk $disk: $messages"
    sfdisk --quiet --no-reread --no-tell-kernel --wipe-partitions never "$loop_device" <<< "label: dos
start=$PARTITION_ALIGNMENT, type=83, bootable" || die "can't write the partition table of $disk"
  fi
}

make_filesystem() {
  progress "making the file system ($OSP_FILESYSTEM)"
  local plain=(-q -F -t "$OSP_FILESYSTEM" -E nodiscard,lazy_itable_init=1 "$filesystem_device")
  # Without what newer e2fsprogs turn on by default and GRUB or the kernel of an older guest can't read.
  mke2fs -O '^metadata_csum_seed,^orphan_file' "${plain[@]}" 2> /dev/null || mke2fs "${plain[@]}" ||
    die "can't make a file system on $disk"
}

mount_filesystem() {
  local type=auto flags=noatime
  if [ "${1:-}" = new ]; then
    type=$OSP_FILESYSTEM
    # Nobody sees the disk before we are done, and after a crash we start again: order and barriers only cost time.
    [ "$type" = ext2 ] || flags+=,data=writeback,barrier=0
  fi
  mount -t "$type" -o "$flags" "$filesystem_device" "$MOUNT_POINT" || die "can't mount the root file system of $disk"
}

# --- the guest's tree --------------------------------------------------------------------------------------------------

# What programs in a chroot expect, all of it private to this run: /dev has only harmless nodes and the guest's disk.
prepare_chroot() {
  local target=$1 node
  mount -t proc proc "$target/proc"
  mount -t sysfs -o ro sysfs "$target/sys"
  mount -t tmpfs -o mode=755,size=64m tmpfs "$target/run"
  mount -t tmpfs -o mode=755,size=64m tmpfs "$target/dev"
  for node in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0; do
    IFS=: read -r name major minor <<< "$node"
    mknod -m 666 "$target/dev/$name" c "$major" "$minor"
  done
  ln -s /proc/self/fd "$target/dev/fd"
  mkdir "$target/dev/pts" "$target/dev/shm"
  mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$target/dev/pts"
  ln -s pts/ptmx "$target/dev/ptmx"
  for node in "$loop_device" "$filesystem_device"; do
    [ -b "$target$node" ] || mknod "$target$node" b "$(stat -c 0x%t "$node")" "$(stat -c 0x%T "$node")"
  done
  # So that update-grub in a hook names the root file system by its UUID.
  mkdir -p "$target/dev/disk/by-uuid"
  ln -s "$filesystem_device" "$target/dev/disk/by-uuid/$(blkid --probe --match-tag UUID --output value "$filesystem_device")"
  # So that hooks can call apt-get.
  if [ -L "$target/etc/resolv.conf" ] && [ -f /etc/resolv.conf ]; then
    mkdir -p "$target/run/systemd/resolve"
    cp /etc/resolv.conf "$target/run/systemd/resolve/stub-resolv.conf"
  elif [ -f /etc/resolv.conf ]; then
    cp /etc/resolv.conf "$target/etc/resolv.conf"
  fi
}

export_hook_variables() {
  export TARGET=$MOUNT_POINT SUITE ARCH PARTITION_STYLE EXTRA_PKGS BLOCKDEV=$loop_device FSYSDEV=$filesystem_device
  export PROXY OSP_FILESYSTEM
}

# run_hook FILE
run_hook() {
  local status=0
  "$1" < /dev/null {loop_fd}<&- || status=$?
  [ "$status" = 0 ] || log_error "$SCRIPT_NAME: error: the hook $1 failed (exit code $status)"
  return "$status"
}

# Whether our own hook of this name is to run: a file of the same name in CUSTOMIZE_DIR replaces it, and when that isn't
# executable it only turns ours off.
own_hook_counts() {
  [ -x "$OS_DIR/hooks/$1" ] && [ ! -e "$CUSTOMIZE_DIR/$1" ] && [ ! -L "$CUSTOMIZE_DIR/$1" ]
}

# Our own hooks, all at once, then the administrator's, one after the other. They get the interface's variables and
# those of instance-debootstrap.
run_hooks() {
  local hook job jobs=()
  export_hook_variables
  for hook in "$OS_DIR"/hooks/*; do
    own_hook_counts "${hook##*/}" || continue
    run_hook "$hook" &
    jobs+=($!)
  done
  for job in "${jobs[@]}"; do wait "$job" || exit 1; done
  [ -d "$CUSTOMIZE_DIR" ] || return 0
  while IFS= read -r hook; do
    progress "running the hook ${hook##*/}"
    run_hook "$hook" || exit 1
  done < <(run-parts --test -- "$CUSTOMIZE_DIR")
}

# --- leftovers ---------------------------------------------------------------------------------------------------------

# Temporary files of killed runs: those whose lock nobody holds any more.
remove_leftover_files() {
  local lock lock_fd
  for lock in "$CACHE_DIR"/.lock-*; do
    [ -f "$lock" ] && take_lock "$lock" --nonblock || continue
    rm -rf --one-file-system -- "$CACHE_DIR/.build-${lock##*/.lock-}"
    rm -f -- "$lock"
    exec {lock_fd}>&-
  done
}
