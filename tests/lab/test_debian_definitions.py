"""Debian's own package ganeti-instance-debootstrap, unchanged: a variant, a hook, and its cache, filled outside of the lab."""
import time

import pytest

import lab as labs

VARIANT = """SUITE=bookworm
EXTRA_PKGS="linux-image-cloud-amd64,grub-pc,systemd-sysv"
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


@pytest.mark.long
def test_O4_O5_debian_s_debootstrap_from_its_cache_to_login(node):
    cache = "/var/cache/ganeti-instance-debootstrap"
    node.send(labs.debian_tree(), "/root/tree.tar.zst")
    node.ok(f"mkdir -p {cache} && zstd -q -d --rm /root/tree.tar.zst -o {cache}/cache-bookworm-amd64.tar")
    node.ok(f"""cat > /etc/ganeti/instance-debootstrap/variants/bookworm.conf <<'END'
{VARIANT}END
echo bookworm >> /etc/ganeti/instance-debootstrap/variants.list
mkdir -p /etc/ganeti/instance-debootstrap/hooks
cat > /etc/ganeti/instance-debootstrap/hooks/grub <<'END'
{GRUB_HOOK}END
chmod +x /etc/ganeti/instance-debootstrap/hooks/grub""")
    assert "debootstrap+bookworm" in node.ok("gnt-os list --no-headers").split()
    node.ok("gnt-instance add -o debootstrap+bookworm -t plain --disk 0:size=3G,vg=vms -B memory=500M --net=0:link=br-rzn-205 "
            "--no-name-check --no-ip-check --no-start vm1", timeout=600)
    # Nothing of the script's own is left.
    assert node.ok("dmsetup ls | grep -c part; true").strip() == "0"
    assert "/tmp/" not in node.ok("cat /proc/mounts")
    node.ok("gnt-instance start vm1")
    console = node.start("timeout 300 socat -t0 - unix-connect:/var/run/ganeti/kvm-hypervisor/ctrl/vm1.serial")
    try:
        said = ""
        deadline = time.monotonic() + 300
        while "vm1 login:" not in said:
            assert time.monotonic() < deadline, said
            byte = console.stdout.read(1)
            assert byte, said
            said += byte
    finally:
        console.kill()
        console.wait()
    node.ok("gnt-instance remove -f --shutdown-timeout=0 vm1")
    assert node.ok("lvs --noheadings vms") == ""
