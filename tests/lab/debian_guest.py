"""Machines of Debian's own package ganeti-instance-debootstrap, unchanged: a variant, hooks, and its cache, filled outside of the lab (tree/build)."""
import lab as labs

SETTINGS = "/etc/ganeti/instance-debootstrap"
CACHE = "/var/cache/ganeti-instance-debootstrap"
# What the cache has been filled with.
VARIANT = """SUITE=bookworm
EXTRA_PKGS="linux-image-cloud-amd64,grub-pc,systemd-sysv,udev,ifupdown,fdisk,openssh-server,acpi-support-base"
"""
# As the package's example does, without the network.
GRUB_HOOK = r"""#!/bin/bash
set -e
[ -d "$TARGET" ]
trap 'rm -f $TARGET/dev/sda $TARGET/dev/sda1' EXIT
mknod $TARGET/dev/sda b $(stat -L -c "0x%t 0x%T" $BLOCKDEV)
mknod $TARGET/dev/sda1 b $(stat -L -c "0x%t 0x%T" $FSYSDEV)
mkdir -p $TARGET/boot/grub
echo '(hd0) /dev/sda' > $TARGET/boot/grub/device.map
uuid=$(blkid -s UUID -o value $FSYSDEV)
cat > $TARGET/boot/grub/grub.cfg <<CFG
linux $(cd $TARGET && ls /boot/vmlinuz-* boot/vmlinuz-* 2>/dev/null | sed 's#^/*#/#' | tail -1) root=UUID=$uuid console=ttyS0 quiet
initrd $(cd $TARGET && ls boot/initrd.img-* | sed 's#^#/#' | tail -1)
boot
CFG
grub-install --target=i386-pc --no-floppy --modules='part_msdos ext2' --root-directory="$TARGET" "$BLOCKDEV"
"""


# Addresses stand in a file for each machine, as in the package's example; and no machine has the host keys of another.
NETWORK_HOOK = r"""#!/bin/sh
set -e
cp "/etc/ganeti/instance-debootstrap/hooks/confdata/$INSTANCE_NAME.network" "$TARGET/etc/systemd/network/lan.network"
chroot "$TARGET" systemctl -q enable systemd-networkd
echo "$INSTANCE_NAME" > "$TARGET/etc/hostname"
rm -f "$TARGET"/etc/ssh/ssh_host_*
chroot "$TARGET" ssh-keygen -q -A
mkdir -p "$TARGET/root/.ssh"
cp /root/.ssh/id_ed25519.pub "$TARGET/root/.ssh/authorized_keys"
"""


def write(node, path, text, mode="644"):
    assert node.run(f"mkdir -p $(dirname {path}) && cat > {path} && chmod {mode} {path}", stdin=text).returncode == 0


def prepare(node, addresses):
    """What an administrator has: a variant, hooks, an address on the bridge; addresses are those of machines by their names."""
    node.send(labs.debian_tree(), "/root/tree.tar.zst")
    node.ok(f"mkdir -p {CACHE} && zstd -q -d --rm /root/tree.tar.zst -o {CACHE}/cache-bookworm-amd64.tar")
    write(node, f"{SETTINGS}/variants/bookworm.conf", VARIANT)
    node.ok(f"echo bookworm >> {SETTINGS}/variants.list && ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519")
    write(node, f"{SETTINGS}/hooks/grub", GRUB_HOOK, "755")
    write(node, f"{SETTINGS}/hooks/network", NETWORK_HOOK, "755")
    for name, address in addresses.items():
        write(node, f"{SETTINGS}/hooks/confdata/{name}.network", f"[Match]\nName=en*\n[Network]\nAddress={address}/24\nLinkLocalAddressing=no\n")
    node.ok("ip address add 198.51.100.1/24 dev br-rzn-205")
