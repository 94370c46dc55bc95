#include "node/hypervisor/kvm/hotplug.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <set>
#include <tuple>

#include "base/log.h"
#include "model/disk_templates.h"
#include "model/params.h"
#include "rpc/devices.h"
#include "sys/deeds.h"

namespace flotte::node {
namespace {

namespace json = boost::json;
using model::number_of;
using model::text_of;
using namespace std::chrono_literals;

// How long a guest may take to let go of a device. One that boots does it as soon as it can.
constexpr auto unplug_timeout = 30s;
// QEMU tells; it is asked from time to time in case it was overheard.
constexpr auto unplug_look = 500ms;
constexpr int looks_between_asking = 4;
constexpr auto close_timeout = 10s;
constexpr auto close_look = 50ms;
constexpr std::int64_t pci_slots = 32;

template <class List, class Id>
auto find_by(List& list, Id const& uuid) {
  return std::ranges::find_if(list, [&](auto const& one) {
    if constexpr (requires { one.disk; }) {
      return one.disk.uuid == uuid;
    } else {
      return one.nic.nic.uuid == uuid;
    }
  });
}

bool is_scsi(json::object const& place) {
  return text_of(place, "driver").starts_with("scsi-");
}

bool can_be_unplugged(json::object const& place) {
  auto const driver = text_of(place, "driver");
  return driver.starts_with("virtio-") || is_scsi(place);
}

class Adjustment {
 public:
  Adjustment(Qmp& qmp, KvmRuntime const& runtime, Nics& nics, rpc::InstanceSpec const& wanted,
             std::vector<std::string> const& disk_links, GoesOn const& goes_on)
      : qmp_(qmp),
        runtime_(runtime),
        nics_(nics),
        wanted_(wanted),
        links_(disk_links),
        goes_on_(goes_on),
        guest_(runtime.load(wanted.name)) {
    guest_.tags = wanted.tags;
  }

  Result<void> make() {
    if (guest_.uuid != wanted_.uuid) {
      return fail(ErrorCode::WrongState, "Process of another instance runs as {}", wanted_.name);
    }
    TRY(look());
    TRY(check());
    TRY(forget_what_is_gone());
    TRY(give_back_what_is_gone());
    TRY(unplug_disks());
    TRY(unplug_nics());
    TRY(reconnect_nics());
    TRY(plug_disks());
    TRY(plug_nics());
    return put_in_order();
  }

 private:
  // --- Looking

  Result<void> look() {
    present_ = TRY(devices_of(qmp_));
    return {};
  }

  bool has(json::object const& place) const { return present_.contains(text_of(place, "id")); }

  // Nothing is begun that can't be finished.
  Result<void> check() const {
    for (std::size_t i = 0; i < guest_.disks.size(); ++i) {
      auto const& one = guest_.disks[i];
      if (is_wanted(one) || can_be_unplugged(one.place)) continue;
      return fail(ErrorCode::WrongState,
                  "Disk {} of {} can't be unplugged from a running guest: it is {}; use "
                  "--no-hotplug and restart it, or stop it first",
                  i, wanted_.name, text_of(one.place, "driver"));
    }
    for (std::size_t i = 0; i < guest_.nics.size(); ++i) {
      auto const& one = guest_.nics[i];
      if (is_wanted(one) || can_be_unplugged(one.place)) continue;
      return fail(ErrorCode::WrongState,
                  "NIC {} of {} can't be unplugged from a running guest: its nic_type is {}; use "
                  "--no-hotplug and restart it",
                  i, wanted_.name, text_of(guest_.hvparams, "nic_type"));
    }
    auto const disk_type = text_of(guest_.hvparams, "disk_type");
    auto const nic_type = text_of(guest_.hvparams, "nic_type");
    for (auto const& one : wanted_.disks) {
      if (is_known(one) || disk_type == "paravirtual" || disk_type == "scsi-hd") continue;
      return fail(ErrorCode::WrongState,
                  "A disk of type {} can't be plugged into a running guest; use --no-hotplug and "
                  "restart {}",
                  disk_type, wanted_.name);
    }
    for (auto const& one : wanted_.nics) {
      if (is_known(one)) continue;
      if (number_of(guest_.hvparams, "virtio_net_queues") > 1) {
        return fail(ErrorCode::WrongState,
                    "Plugging a NIC with virtio_net_queues above 1 into a running guest is not "
                    "built yet; use --no-hotplug and restart {}",
                    wanted_.name);
      }
      if (nic_type == "paravirtual") continue;
      return fail(ErrorCode::WrongState,
                  "A NIC of type {} can't be plugged into a running guest; use --no-hotplug and "
                  "restart {}",
                  nic_type, wanted_.name);
    }
    return {};
  }

  bool is_known(rpc::DiskSpec const& spec) const {
    return find_by(guest_.disks, spec.disk.uuid) != guest_.disks.end();
  }
  bool is_known(rpc::NicSpec const& spec) const {
    auto const known = find_by(guest_.nics, spec.nic.uuid);
    return known != guest_.nics.end() && known->nic.nic.mac == spec.nic.mac;
  }
  bool is_wanted(KvmDisk const& one) const {
    return std::ranges::any_of(
        wanted_.disks, [&](rpc::DiskSpec const& spec) { return spec.disk.uuid == one.disk.uuid; });
  }
  // A guest sees the MAC address: with another one it is another NIC.
  bool is_wanted(KvmNic const& one) const {
    return std::ranges::any_of(wanted_.nics, [&](rpc::NicSpec const& spec) {
      return spec.nic.uuid == one.nic.nic.uuid && spec.nic.mac == one.nic.nic.mac;
    });
  }

  bool is_gone(json::object const& place) const { return !place.empty() && !has(place); }

  // What an adjustment that was killed has unplugged and not recorded.
  Result<void> forget_what_is_gone() {
    for (std::size_t i = guest_.disks.size(); i-- > 0;) {
      if (is_wanted(guest_.disks[i]) || !is_gone(guest_.disks[i].place)) continue;
      TRY(forget_disk(i));
    }
    for (std::size_t i = guest_.nics.size(); i-- > 0;) {
      if (is_wanted(guest_.nics[i]) || !is_gone(guest_.nics[i].place)) continue;
      TRY(forget_nic(i));
    }
    return save();
  }

  // What it should have: recorded and not plugged by one that was killed, or let go of by the guest
  // when it was no longer to. It stays recorded meanwhile.
  Result<void> give_back_what_is_gone() {
    for (auto& disk : guest_.disks) {
      if (!is_gone(disk.place)) continue;
      disk.link = link_of(disk.disk);
      disk.place = TRY(place_for_disk(disk.disk));
      TRY(save());
      TRY(plug_disk(disk));
      runtime_.unmark_leaving(wanted_.name, text_of(disk.place, "id"));
    }
    for (std::size_t i = 0; i < guest_.nics.size(); ++i) {
      if (!is_gone(guest_.nics[i].place)) continue;
      disconnect_nic(i);
      guest_.nics[i].tap.clear();
      guest_.nics[i].place = TRY(place_for_nic(guest_.nics[i].nic));
      TRY(save());
      TRY(plug_nic(i));
      runtime_.unmark_leaving(wanted_.name, text_of(guest_.nics[i].place, "id"));
    }
    return {};
  }

  std::string const& link_of(model::Disk const& disk) const {
    auto const wanted = find_by(wanted_.disks, disk.uuid);
    return links_[static_cast<std::size_t>(wanted - wanted_.disks.begin())];
  }

  Result<void> save() const { return runtime_.save(wanted_.name, guest_); }

  // --- Disks

  Result<void> unplug_disks() {
    for (std::size_t i = guest_.disks.size(); i-- > 0;) {
      if (is_wanted(guest_.disks[i])) continue;
      TRY(unplug(text_of(guest_.disks[i].place, "id"), fmt::format("disk {}", i)));
      TRY(forget_disk(i));
    }
    return {};
  }

  // It is no longer in the guest, and shall not be.
  Result<void> forget_disk(std::size_t index) {
    auto const id = text_of(guest_.disks[index].place, "id");
    TRY(close_disk(id));
    guest_.disks.erase(guest_.disks.begin() + static_cast<std::ptrdiff_t>(index));
    TRY(save());
    runtime_.unmark_leaving(wanted_.name, id);
    return {};
  }

  // May be closed already. QEMU may need a moment for it after the guest has let go.
  Result<void> close_disk(std::string const& id) {
    auto const until = std::chrono::steady_clock::now() + close_timeout;
    for (;;) {
      auto const closed = qmp_.run("blockdev-del", {{"node-name", json::string_view(id)}});
      if (closed || closed.error().message.find("Failed to find node") != std::string::npos) {
        return {};
      }
      if (closed.error().error_class == ErrorClass::Unreachable ||
          std::chrono::steady_clock::now() >= until) {
        return Failure(closed.error());
      }
      qmp_.wait_for_event("DEVICE_DELETED", close_look);
    }
  }

  Result<void> plug_disks() {
    for (std::size_t i = 0; i < wanted_.disks.size(); ++i) {
      auto const& disk = wanted_.disks[i].disk;
      if (find_by(guest_.disks, disk.uuid) != guest_.disks.end()) continue;
      // Written down first: what is in the guest must be known also after a death in between.
      guest_.disks.push_back({disk, TRY(place_for_disk(disk)), links_[i]});
      TRY(save());
      auto const plugged = plug_disk(guest_.disks.back());
      if (plugged) continue;
      std::ignore = close_disk(text_of(guest_.disks.back().place, "id"));
      guest_.disks.pop_back();
      TRY(save());
      return plugged;
    }
    return {};
  }

  Result<void> plug_disk(KvmDisk const& one) {
    auto const id = text_of(one.place, "id");
    TRY(close_disk(id));
    TRY(open_disk(one.disk, one.link, id));
    auto device = one.place;
    device["drive"] = json::string_view(id);
    auto const is_through = text_of(guest_.hvparams, "disk_cache") == "writethrough";
    device["write-cache"] = is_through ? "off" : "on";
    TRY(qmp_.run("device_add", std::move(device)));
    return {};
  }

  Result<json::object> place_for_disk(model::Disk const& disk) {
    json::object place;
    auto const is_virtio = text_of(guest_.hvparams, "disk_type") == "paravirtual";
    place["driver"] = is_virtio ? "virtio-blk-pci" : "scsi-hd";
    place["id"] = kvm_device_id("disk", disk.uuid.text());
    if (is_virtio) {
      TRY(place_on_pci(place));
      return place;
    }
    std::set<std::int64_t> used;
    for (auto const& one : guest_.disks) {
      if (one.disk.uuid != disk.uuid) used.insert(number_of(one.place, "scsi-id"));
    }
    place["bus"] = "scsi.0";
    place["channel"] = 0;
    place["scsi-id"] = kvm_free_scsi_id(guest_.hvparams, used);
    place["lun"] = 0;
    return place;
  }

  // QEMU has dropped the rights to open it: it gets a descriptor.
  Result<void> open_disk(model::Disk const& disk, std::string const& link, std::string const& id) {
    auto const is_read_only = disk.mode == model::DiskMode::ReadOnly;
    int const fd = is_read_only ? sys::open_to_read(link) : sys::open_to_read_and_write(link);
    if (fd < 0) {
      return fail(ErrorCode::EnvironmentError, "Can't open {}: {}", link, std::strerror(errno));
    }
    auto const added = qmp_.run_with(fd, "add-fd", {});
    ::close(fd);
    auto const& set = TRY(added);
    auto const number = set.is_object() ? number_of(set.get_object(), "fdset-id") : 0;
    auto const& hv = guest_.hvparams;
    auto cache = text_of(hv, "disk_cache");
    if (model::traits_of(disk.dev_type).is_shared) cache = "none";
    auto const is_file = model::is_file(disk.dev_type);
    json::object const file{{"driver", is_file ? "file" : "host_device"},
                            {"filename", fmt::format("/dev/fdset/{}", number)},
                            {"aio", text_of(hv, "disk_aio")}};
    auto const discard = text_of(hv, "disk_discard") == "unmap" ? "unmap" : "ignore";
    auto const opened =
        qmp_.run("blockdev-add", {{"driver", "raw"},
                                  {"node-name", json::string_view(id)},
                                  {"discard", discard},
                                  {"cache", {{"direct", cache == "none"}, {"no-flush", false}}},
                                  {"read-only", is_read_only},
                                  {"auto-read-only", false},
                                  {"file", file}});
    if (opened) return {};
    std::ignore = qmp_.run("remove-fd", {{"fdset-id", number}});
    return Failure(opened.error());
  }

  // --- NICs

  Result<void> unplug_nics() {
    for (std::size_t i = guest_.nics.size(); i-- > 0;) {
      if (is_wanted(guest_.nics[i])) continue;
      TRY(unplug(text_of(guest_.nics[i].place, "id"), fmt::format("NIC {}", i)));
      TRY(forget_nic(i));
    }
    return {};
  }

  // It is no longer in the guest, and shall not be.
  Result<void> forget_nic(std::size_t index) {
    auto const id = text_of(guest_.nics[index].place, "id");
    disconnect_nic(index);
    guest_.nics.erase(guest_.nics.begin() + static_cast<std::ptrdiff_t>(index));
    TRY(save());
    runtime_.unmark_leaving(wanted_.name, id);
    return {};
  }

  // May be disconnected already.
  void disconnect_nic(std::size_t index) {
    auto const& nic = guest_.nics[index];
    std::ignore = qmp_.run("netdev_del", {{"id", text_of(nic.place, "id")}});
    if (!nic.tap.empty()) nics_.down(spec_of_nics(wanted_.name, guest_), index, nic.tap);
  }

  Result<void> reconnect_nics() {
    for (std::size_t i = 0; i < guest_.nics.size(); ++i) {
      auto const wanted = std::ranges::find(wanted_.nics, guest_.nics[i].nic.nic.uuid,
                                            [](rpc::NicSpec const& spec) { return spec.nic.uuid; });
      auto const was = guest_;
      guest_.nics[i].nic = *wanted;
      auto const& before = was.nics[i].nic;
      if (before.params == wanted->params && before.nic.ip == wanted->nic.ip) continue;
      auto const done =
          nics_.reconnect(spec_of_nics(wanted_.name, was), spec_to_be(), i, guest_.nics[i].tap);
      // What it was on is what it is undone to.
      if (!done) guest_.nics[i].nic.params["link"] = "";
      TRY(save());
      TRY(done);
    }
    return {};
  }

  Result<void> plug_nics() {
    for (auto const& wanted : wanted_.nics) {
      if (find_by(guest_.nics, wanted.nic.uuid) != guest_.nics.end()) continue;
      guest_.nics.push_back({wanted, TRY(place_for_nic(wanted)), ""});
      auto const index = guest_.nics.size() - 1;
      auto const plugged = plug_nic(index);
      if (!plugged) {
        TRY(forget_nic(index));
        return plugged;
      }
    }
    return {};
  }

  Result<json::object> place_for_nic(rpc::NicSpec const& nic) {
    json::object place{{"driver", "virtio-net-pci"},
                       {"id", kvm_device_id("nic", nic.nic.uuid.text())}};
    TRY(place_on_pci(place));
    return place;
  }

  Result<void> plug_nic(std::size_t index) {
    auto const tap = TRY(nics_.open(spec_to_be(), index));
    auto& nic = guest_.nics[index];
    nic.tap = tap.name();
    TRY(save());
    TRY(nics_.up(spec_to_be(), index, tap.name()));
    auto const id = text_of(nic.place, "id");
    TRY(qmp_.run_with(tap.taps().front(), "getfd", {{"fdname", json::string_view(id)}}));
    json::object netdev{
        {"type", "tap"}, {"id", json::string_view(id)}, {"fd", json::string_view(id)}};
    if (!tap.vhosts().empty()) {
      auto const vhost = id + "-vhost";
      TRY(qmp_.run_with(tap.vhosts().front(), "getfd", {{"fdname", json::string_view(vhost)}}));
      netdev["vhost"] = true;
      netdev["vhostfd"] = json::string_view(vhost);
    }
    TRY(qmp_.run("netdev_add", std::move(netdev)));
    auto device = nic.place;
    device["netdev"] = json::string_view(id);
    device["mac"] = json::string_view(nic.nic.nic.mac);
    TRY(qmp_.run("device_add", std::move(device)));
    return {};
  }

  // As it is at the moment, with what the scripts of the network may ask for.
  rpc::InstanceSpec spec_to_be() const {
    auto spec = spec_of_nics(wanted_.name, guest_);
    spec.hvparams = guest_.hvparams;
    return spec;
  }

  // --- Both

  // Asks again, because a guest that boots overhears the first time. That it was asked is known
  // before: it may answer when nobody waits any longer.
  Result<void> unplug(std::string const& id, std::string_view what) {
    TRY(runtime_.mark_leaving(wanted_.name, id));
    json::object const device{{"id", json::string_view(id)}};
    auto const until = std::chrono::steady_clock::now() + unplug_timeout;
    Result<json::value> asked = json::value();
    for (int look = 0; std::chrono::steady_clock::now() < until; ++look) {
      if (look % looks_between_asking == 0) asked = qmp_.run("device_del", device);
      TRY(this->look());
      if (!present_.contains(id)) return {};
      if (!goes_on_()) {
        return fail_as(
            ErrorClass::Exec, ErrorCode::EnvironmentError,
            "The wait for the guest {} to let go of {} was ended; when it does it gets it "
            "back",
            wanted_.name, what);
      }
      qmp_.wait_for_event("DEVICE_DELETED", unplug_look);
    }
    return rpc::not_let_go(wanted_.name, what, asked ? "" : asked.error().message);
  }

  Result<void> place_on_pci(json::object& place) {
    auto const used = used_slots(TRY(qmp_.run("query-pci")));
    if (!used) {
      return fail(
          ErrorCode::WrongState,
          "The machine of {} ({}) has no bus that devices can be plugged into while it runs; "
          "use --no-hotplug and restart it",
          wanted_.name, text_of(guest_.hvparams, "machine_version"));
    }
    auto slot = std::max<std::int64_t>(number_of(guest_.hvparams, "kvm_pci_reservations"), 1);
    while (used->contains(slot)) ++slot;
    if (slot >= pci_slots) {
      return fail(ErrorCode::InsufficientResources, "All PCI slots of {} are taken", wanted_.name);
    }
    place["bus"] = kvm_pci_bus;
    place["addr"] = fmt::format("{:#x}", slot);
    return {};
  }

  // Of the bus that devices are plugged into: a PC's first one, elsewhere the bridge of that name.
  static std::optional<std::set<std::int64_t>> used_slots(json::value const& buses) {
    auto const* list = buses.if_array();
    auto const* bus = list && !list->empty() ? list->front().if_object() : nullptr;
    if (!bus) return std::nullopt;
    auto used = slots_on(*bus);
    for (auto const& device : devices_on(*bus)) {
      auto const* bridge = object_in(device, "pci_bridge");
      if (bridge && text_of(device, "qdev_id") == kvm_pci_bus) return slots_on(*bridge);
    }
    return used;
  }

  static json::object const* object_in(json::object const& object, std::string_view key) {
    auto const* value = object.if_contains(key);
    return value ? value->if_object() : nullptr;
  }

  static std::vector<json::object> devices_on(json::object const& bus) {
    std::vector<json::object> devices;
    auto const* list = bus.if_contains("devices");
    if (!list || !list->is_array()) return devices;
    for (auto const& device : list->get_array()) {
      if (device.is_object()) devices.push_back(device.get_object());
    }
    return devices;
  }

  static std::set<std::int64_t> slots_on(json::object const& bus) {
    std::set<std::int64_t> slots;
    for (auto const& device : devices_on(bus)) slots.insert(number_of(device, "slot"));
    return slots;
  }

  // The configuration's order is also that of the runtime file and of the taps' files.
  Result<void> put_in_order() {
    std::vector<KvmDisk> disks;
    for (std::size_t i = 0; i < wanted_.disks.size(); ++i) {
      auto const known = find_by(guest_.disks, wanted_.disks[i].disk.uuid);
      disks.push_back({wanted_.disks[i].disk, known->place, links_[i]});
    }
    std::vector<KvmNic> nics;
    for (auto const& wanted : wanted_.nics) nics.push_back(*find_by(guest_.nics, wanted.nic.uuid));
    guest_.disks = std::move(disks);
    guest_.nics = std::move(nics);
    TRY(save());
    forget_old_marks();
    return {};
  }

  // Of devices that it no longer has: one that was killed didn't get to it.
  void forget_old_marks() {
    auto marks = runtime_.leaving(wanted_.name);
    for (auto const& one : guest_.disks) marks.erase(text_of(one.place, "id"));
    for (auto const& one : guest_.nics) marks.erase(text_of(one.place, "id"));
    for (auto const& id : marks) runtime_.unmark_leaving(wanted_.name, id);
  }

  Qmp& qmp_;
  KvmRuntime const& runtime_;
  Nics& nics_;
  rpc::InstanceSpec const& wanted_;
  std::vector<std::string> const& links_;
  GoesOn const& goes_on_;
  KvmGuest guest_;
  std::set<std::string> present_;  // ids of devices in the guest
};

}  // namespace

Result<void> adjust_devices(Qmp& qmp, KvmRuntime const& runtime, Nics& nics,
                            rpc::InstanceSpec const& spec,
                            std::vector<std::string> const& disk_links, GoesOn const& goes_on) {
  CHECK(disk_links.size() == spec.disks.size());
  return Adjustment(qmp, runtime, nics, spec, disk_links, goes_on).make();
}

Result<std::set<std::string>> devices_of(Qmp& qmp) {
  std::set<std::string> ids;
  auto const devices = TRY(qmp.run("qom-list", {{"path", "/machine/peripheral"}}));
  if (auto const* list = devices.if_array()) {
    for (auto const& entry : *list) {
      if (entry.is_object()) ids.insert(text_of(entry.get_object(), "name"));
    }
  }
  return ids;
}

rpc::InstanceSpec spec_of_nics(std::string const& name, KvmGuest const& guest) {
  rpc::InstanceSpec spec;
  spec.name = name;
  spec.tags = guest.tags;
  for (auto const& one : guest.nics) spec.nics.push_back(one.nic);
  return spec;
}

}  // namespace flotte::node
