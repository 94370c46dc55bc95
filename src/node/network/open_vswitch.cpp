#include "node/network/open_vswitch.h"

#include "sys/files.h"

namespace flotte::node {
namespace {

using namespace std::chrono_literals;

constexpr auto ovs_timeout = 30s;
// A little less, so that it is ovs-vsctl itself which says what it waits for.
constexpr auto own_timeout = "--timeout=25";
constexpr int exit_no_such_bridge = 2;

sys::Command command(std::vector<std::string> words) {
  words.insert(words.begin(), {"ovs-vsctl", own_timeout, "--"});
  return {.argv = std::move(words), .timeout = ovs_timeout};
}

}  // namespace

Result<void> check_open_vswitch(sys::Processes& processes, std::string const& bridge) {
  auto const asked = command({"br-exists", bridge});
  // A word that starts with a dash would be an option.
  auto const is_name = !bridge.empty() && bridge.front() != '-';
  auto finished = sys::Finished{.exit_status = exit_no_such_bridge};
  if (is_name) finished = TRY(processes.run(asked));
  if (finished.is_success()) return {};
  if (finished.exit_status == exit_no_such_bridge) {
    return fail(ErrorCode::EnvironmentError,
                "Open vSwitch bridge '{}' does not exist on this node; create it (ovs-vsctl add-br "
                "{}) or choose another link",
                bridge, bridge);
  }
  return fail(ErrorCode::EnvironmentError, "Open vSwitch does not answer: {}",
              finished.errors.empty() ? "time is up" : finished.errors);
}

Result<void> add_open_vswitch_port(sys::Processes& processes, std::string const& bridge,
                                   std::string const& port, model::Vlans const& vlans) {
  std::vector<std::string> words{"--if-exists", "del-port", port, "--", "add-port", bridge, port};
  for (auto& column : open_vswitch_columns(vlans)) words.push_back(std::move(column));
  TRY(sys::run_checked(processes, command(std::move(words))));
  return {};
}

Result<void> remove_open_vswitch_port(sys::Processes& processes, std::string const& port) {
  TRY(sys::run_checked(processes, command({"--if-exists", "del-port", port})));
  return {};
}

bool has_open_vswitch() {
  return sys::exists("/var/run/openvswitch/db.sock");
}

std::vector<std::string> open_vswitch_columns(model::Vlans const& vlans) {
  std::vector<std::string> columns;
  if (vlans.untagged) columns.push_back(fmt::format("tag={}", *vlans.untagged));
  if (!vlans.tagged.empty()) {
    columns.push_back(fmt::format("trunks={}", fmt::join(vlans.tagged, ",")));
  }
  // With a tag alone it would be access, and the trunks would count for nothing.
  if (vlans.untagged && !vlans.tagged.empty()) columns.emplace_back("vlan_mode=native-untagged");
  return columns;
}

}  // namespace flotte::node
