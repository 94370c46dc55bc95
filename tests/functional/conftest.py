import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from machine import Machine  # noqa: E402

INIT = """gnt-cluster init --master-netdev=br0 --enabled-hypervisors=fake,kvm --enabled-disk-templates=diskless,file,sharedfile \
  --file-storage-dir=/srv/ganeti/file-storage --shared-file-storage-dir=/srv/ganeti/shared-file-storage \
  --nic-parameters=mode=bridged,link=br0 \
  -H kvm:kernel_path=,kvm_path=/usr/local/bin/kvm-tcg,serial_console=true,vnc_bind_address=,boot_order=disk \
  --ipolicy-bounds-specs=min:cpu-count=1,disk-count=0,disk-size=0,memory-size=0,nic-count=0,spindle-use=0/max:cpu-count=64,disk-count=16,disk-size=1048576,memory-size=1048576,nic-count=8,spindle-use=64 \
  --ipolicy-vcpu-ratio=10000 --ipolicy-spindle-ratio=10000 cluster.lab.test"""


@pytest.fixture(scope="module")
def machine():
    """With nothing but Flotte's programs."""
    made = Machine()
    yield made
    made.close()


@pytest.fixture(scope="module")
def cluster(machine):
    """A machine with a cluster of one node, as the transcripts have it."""
    machine.ok(INIT)
    return machine
