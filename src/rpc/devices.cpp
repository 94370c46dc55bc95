#include "rpc/devices.h"

#include <algorithm>

namespace flotte::rpc {

bool has_device(InstanceSpec const& spec, std::string const& uuid) {
  auto const is_it = [&](auto const& device) { return device.uuid.text() == uuid; };
  return std::ranges::any_of(spec.disks, is_it, &DiskSpec::disk) ||
         std::ranges::any_of(spec.nics, is_it, &NicSpec::nic);
}

std::optional<Device> first_to_go(InstanceSpec const& has, std::set<std::string> const& gone,
                                  InstanceSpec const& wanted) {
  for (std::size_t i = has.disks.size(); i-- > 0;) {
    auto const uuid = has.disks[i].disk.uuid.text();
    if (gone.contains(uuid) || has_device(wanted, uuid)) continue;
    return Device{uuid, fmt::format("disk {}", i)};
  }
  for (std::size_t i = has.nics.size(); i-- > 0;) {
    auto const& nic = has.nics[i].nic;
    auto const stays = std::ranges::any_of(wanted.nics, [&](NicSpec const& one) {
      return one.nic.uuid == nic.uuid && one.nic.mac == nic.mac;
    });
    if (gone.contains(nic.uuid.text()) || stays) continue;
    return Device{nic.uuid.text(), fmt::format("NIC {}", i)};
  }
  return std::nullopt;
}

Failure not_let_go(std::string_view instance, std::string_view device, std::string_view why) {
  return fail(ErrorCode::WrongState,
              "The guest {} does not let go of {}{}; it may have no system that listens. When it "
              "does later, it gets it back. Use --no-hotplug and restart it, or stop it first",
              instance, device, why.empty() ? "" : fmt::format(" ({})", why));
}

}  // namespace flotte::rpc
