#include "node/network/nics.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstring>

#include "base/log.h"
#include "model/params.h"
#include "sys/files.h"
#include "sys/network.h"

namespace flotte::node {
namespace {

using model::is_true;
using model::number_of;
using model::text_of;
using namespace std::chrono_literals;

constexpr auto script_timeout = 60s;
constexpr auto ip_timeout = 10s;

Result<void> check_is_built(rpc::NicSpec const& nic) {
  auto const mode = text_of(nic.params, "mode");
  if (mode != "bridged" && mode != "routed") {
    return fail(ErrorCode::WrongInput, "NICs of mode '{}' are not built yet", mode);
  }
  if (!text_of(nic.params, "vlan").empty()) {
    return fail(ErrorCode::WrongInput, "VLANs on NICs are not built yet");
  }
  if (mode == "routed" && !nic.nic.ip) {
    return fail(ErrorCode::WrongInput, "A routed NIC needs an IP address");
  }
  return {};
}

Result<void> check_bridge(std::string const& bridge) {
  if (sys::is_bridge(bridge)) return {};
  return fail(ErrorCode::EnvironmentError,
              "Bridge '{}' does not exist on this node; create it (ip link add {} type bridge) or "
              "choose another link",
              bridge, bridge);
}

// One of the kernel's switches of an interface. The file is there already or the kernel lacks it.
Result<void> set_kernel_switch(std::string_view family, std::string const& tap,
                               std::string_view name) {
  return sys::write_in_place(fmt::format("/proc/sys/net/{}/conf/{}/{}", family, tap, name), "1\n");
}

bool is_executable(std::string const& path) {
  return ::access(path.c_str(), X_OK) == 0;
}

}  // namespace

OpenTap::~OpenTap() {
  for (int const fd : taps_) ::close(fd);
  for (int const fd : vhosts_) ::close(fd);
}

Result<OpenTap> Nics::open(rpc::InstanceSpec const& spec, std::size_t index) {
  auto const& nic = spec.nics.at(index);
  TRY(check_is_built(nic));
  if (number_of(spec.hvparams, "virtio_net_queues") > 1) {
    return fail(ErrorCode::WrongInput,
                "Hypervisor parameter 'virtio_net_queues' above 1 is not built yet");
  }
  auto const is_virtio = text_of(spec.hvparams, "nic_type") == "paravirtual";
  auto made = TRY(sys::make_tap(is_virtio && is_true(spec.hvparams, "vnet_hdr")));
  OpenTap tap(made.name, {made.fd});
  if (is_virtio && is_true(spec.hvparams, "vhost_net")) {
    int const fd = ::open("/dev/vhost-net", O_RDWR | O_CLOEXEC);
    if (fd < 0) {
      return fail(ErrorCode::EnvironmentError,
                  "vhost_net is wished, but /dev/vhost-net can't be opened ({}); load the module "
                  "vhost_net or set vhost_net=false",
                  std::strerror(errno));
    }
    tap.add_vhost(fd);
  }
  return tap;
}

void Nics::down(rpc::InstanceSpec const& spec, std::size_t index, std::string const& tap) {
  auto const& nic = spec.nics.at(index);
  auto const mode = text_of(nic.params, "mode");
  Result<sys::Finished> done = sys::Finished{};
  if (auto const path = script(mode, "down"); !path.empty()) {
    done = sys::run_checked(processes_, {.argv = {path},
                                         .environment = nic_environment(spec, index, tap, "down"),
                                         .timeout = script_timeout});
  } else if (auto const table = text_of(nic.params, "link"); mode == "routed" && !table.empty()) {
    // Routes go with the tap, the rule doesn't.
    done = sys::run_checked(processes_, {.argv = {"ip", "rule", "del", "iif", tap, "table", table},
                                         .timeout = ip_timeout});
  }
  if (!done) log::warning("NIC {} of {}: {}", index, spec.name, done.error().message);
}

Result<void> Nics::up(rpc::InstanceSpec const& spec, std::size_t index, std::string const& tap) {
  auto const& nic = spec.nics.at(index);
  auto const mode = text_of(nic.params, "mode");
  auto const link = text_of(nic.params, "link");
  if (mode == "bridged") TRY(check_bridge(link));
  if (auto const path = script(mode, "up"); !path.empty()) {
    TRY(sys::run_checked(processes_, {.argv = {path},
                                      .environment = nic_environment(spec, index, tap, "up"),
                                      .timeout = script_timeout}));
    return {};
  }
  return mode == "bridged" ? sys::attach_to_bridge(tap, link) : route(nic, tap);
}

Result<void> Nics::reconnect(rpc::InstanceSpec const& from, rpc::InstanceSpec const& to,
                             std::size_t index, std::string const& tap) {
  TRY(check_is_built(to.nics.at(index)));
  if (text_of(to.nics.at(index).params, "mode") == "bridged") {
    TRY(check_bridge(text_of(to.nics.at(index).params, "link")));
  }
  down(from, index, tap);
  for (auto const& leave : {std::vector<std::string>{"ip", "link", "set", tap, "nomaster"},
                            {"ip", "-4", "route", "flush", "dev", tap, "proto", "static"},
                            {"ip", "-6", "route", "flush", "dev", tap, "proto", "static"}}) {
    auto const left = sys::run_checked(processes_, {.argv = leave, .timeout = ip_timeout});
    if (!left) log::warning("NIC {} of {}: {}", index, from.name, left.error().message);
  }
  return up(to, index, tap);
}

// The guest's address leads to the tap, and the node answers ARP for the rest of the world.
Result<void> Nics::route(rpc::NicSpec const& nic, std::string const& tap) {
  auto const& address = *nic.nic.ip;
  auto const is_v6 = address.find(':') != std::string::npos;
  auto const family = std::string_view(is_v6 ? "ipv6" : "ipv4");
  TRY(sys::set_up(tap));
  TRY(set_kernel_switch(family, tap, is_v6 ? "proxy_ndp" : "proxy_arp"));
  TRY(set_kernel_switch(family, tap, "forwarding"));
  std::vector<std::string> add{
      "ip", is_v6 ? "-6" : "-4", "route", "replace", address, "dev", tap, "proto", "static"};
  if (auto const table = text_of(nic.params, "link"); !table.empty()) {
    add.insert(add.end(), {"table", table});
    TRY(sys::run_checked(
        processes_, {.argv = {"ip", is_v6 ? "-6" : "-4", "rule", "add", "iif", tap, "table", table},
                     .timeout = ip_timeout}));
  }
  TRY(sys::run_checked(processes_, {.argv = std::move(add), .timeout = ip_timeout}));
  return {};
}

// Empty: there is none, it is done here.
std::string Nics::script(std::string_view mode, std::string_view action) const {
  auto const of_mode = fmt::format("{}/network/{}/{}", paths_.etc(), mode, action);
  if (is_executable(of_mode)) return of_mode;
  auto const old = paths_.etc() + "/kvm-vif-bridge";
  return action == "up" && is_executable(old) ? old : "";
}

std::map<std::string, std::string> nic_environment(rpc::InstanceSpec const& spec, std::size_t index,
                                                   std::string const& tap,
                                                   std::string_view action) {
  auto const& nic = spec.nics.at(index);
  auto const mode = text_of(nic.params, "mode");
  std::map<std::string, std::string> env{{"PATH", "/sbin:/bin:/usr/sbin:/usr/bin"},
                                         {"INSTANCE", spec.name},
                                         {"MAC", nic.nic.mac},
                                         {"MODE", mode},
                                         {"INTERFACE", tap},
                                         {"INTERFACE_INDEX", std::to_string(index)},
                                         {"INTERFACE_UUID", nic.nic.uuid.text()},
                                         {"TAGS", fmt::format("{}", fmt::join(spec.tags, " "))},
                                         {"ACTION", std::string(action)}};
  if (nic.nic.ip) env["IP"] = *nic.nic.ip;
  if (nic.nic.name) env["INTERFACE_NAME"] = *nic.nic.name;
  if (auto const vlan = text_of(nic.params, "vlan"); !vlan.empty()) env["VLAN"] = vlan;
  if (auto const link = text_of(nic.params, "link"); !link.empty()) {
    env["LINK"] = link;
    if (mode == "bridged") env["BRIDGE"] = link;
  }
  return env;
}

}  // namespace flotte::node
