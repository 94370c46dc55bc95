// What this machine is: memory, CPUs, acceleration. Thread-safe.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"
#include "base/size.h"

namespace flotte::sys {

struct Memory {
  MiB total;
  MiB available;
};
Result<Memory> memory();
std::int64_t cpu_count();
std::string boot_id();
// A thread runs on these CPUs only; on any with an empty list.
Result<void> bind_thread(pid_t thread, std::vector<int> const& cpus);

struct Acceleration {
  bool has_kvm = false;
  std::string reason;  // one sentence
};
// KVM needs /dev/kvm and a CPU that has it: an open /dev/kvm alone hangs ordinary guests on some
// machines.
Acceleration acceleration();

}  // namespace flotte::sys
