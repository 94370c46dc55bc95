#include "node/daemon/machine.h"

#include <filesystem>

#include "node/daemon/membership.h"

namespace flotte::node {
namespace {

// Every guest has a pid file (ganeti-compat §5.4). One that was left by a dead guest counts too:
// to stop that guest once more removes it.
Result<std::vector<std::string>> guests_with_pid_files(std::string const& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (auto const& entry : std::filesystem::directory_iterator(directory, error)) {
    names.push_back(entry.path().filename().string());
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return fail(ErrorCode::EnvironmentError, "Can't read {}: {}", directory, error.message());
  }
  return names;
}

}  // namespace

Machinery machine_machinery(Paths const& paths) {
  Machinery machinery;
  machinery.running_guests = [directory = paths.kvm() + "/pid"] {
    return guests_with_pid_files(directory);
  };
  machinery.raise_master_address = [](Membership const& member) -> Result<void> {
    return fail_as(ErrorClass::Prereq, ErrorCode::EnvironmentError,
                   "Bringing up the cluster's address {} on {} is not built yet; leave out "
                   "--master-netdev",
                   member.master_ip, member.master_netdev);
  };
  // It was never brought up.
  machinery.drop_master_address = [](Membership const&) -> Result<void> { return {}; };
  return machinery;
}

}  // namespace flotte::node
