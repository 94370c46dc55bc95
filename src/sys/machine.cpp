#include "sys/machine.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "sys/files.h"

namespace flotte::sys {
namespace {

std::int64_t kib_of(std::string_view meminfo, std::string_view name) {
  auto const at = meminfo.find(name);
  if (at == std::string_view::npos) return 0;
  auto rest = meminfo.substr(at + name.size());
  rest.remove_prefix(std::min(rest.find_first_of("0123456789"), rest.size()));
  std::int64_t value = 0;
  std::from_chars(rest.data(), rest.data() + rest.size(), value);
  return value;
}

}  // namespace

Result<Memory> memory() {
  auto const text = TRY(read_file("/proc/meminfo"));
  return Memory{{kib_of(text, "MemTotal:") / 1024}, {kib_of(text, "MemAvailable:") / 1024}};
}

std::int64_t cpu_count() {
  return ::sysconf(_SC_NPROCESSORS_ONLN);
}

std::string boot_id() {
  auto text = read_file("/proc/sys/kernel/random/boot_id").value_or("");
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

Result<void> bind_thread(pid_t thread, std::vector<int> const& cpus) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (int const cpu : cpus) {
    if (cpu < CPU_SETSIZE) CPU_SET(static_cast<std::size_t>(cpu), &set);
  }
  for (int cpu = 0; cpus.empty() && cpu < CPU_SETSIZE; ++cpu) {
    CPU_SET(static_cast<std::size_t>(cpu), &set);
  }
  if (::sched_setaffinity(thread, sizeof set, &set) == 0) return {};
  return fail(ErrorCode::EnvironmentError, "Can't bind a virtual CPU to the CPUs {}: {}",
              fmt::join(cpus, ","),
              errno == EINVAL ? "this node has none of them" : std::strerror(errno));
}

Acceleration acceleration() {
  int const fd = ::open("/dev/kvm", O_RDWR | O_CLOEXEC);
  if (fd < 0) return {false, "/dev/kvm can't be opened"};
  ::close(fd);
  auto const cpu = read_file("/proc/cpuinfo", 16 << 20).value_or("");
  if (cpu.find(" vmx") == std::string::npos && cpu.find(" svm") == std::string::npos) {
    return {false, "the CPU shows neither vmx nor svm"};
  }
  return {true, "/dev/kvm opens and the CPU has it"};
}

}  // namespace flotte::sys
