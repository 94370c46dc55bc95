#include "units/device_changes.h"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <set>

#include "model/disk_templates.h"
#include "model/params.h"

namespace flotte::units {
namespace {

struct Change {
  std::string action;
  json::value which;
  json::object params;
};

Result<Change> change_in(json::value const& given, std::string_view kind) {
  auto const* parts = given.if_array();
  Change change;
  // Two parts are the old form: the second holds the parameters.
  auto const is_whole = parts && (parts->size() == 2 || parts->size() == 3) &&
                        (*parts)[0].is_string() && parts->back().is_object();
  if (!is_whole) {
    return fail(ErrorCode::WrongInput, "{}: a change is [action, index, {{parameters}}], not {}",
                kind, json::serialize(given));
  }
  change.action = std::string_view((*parts)[0].get_string());
  change.which = parts->size() == 3 ? (*parts)[1] : json::value(-1);
  change.params = parts->back().get_object();
  for (auto const& [key, value] : change.params) {
    if (value.is_string() || value.is_int64() || value.is_null()) continue;
    return fail(ErrorCode::WrongInput, "{}: the value of '{}' is missing", kind,
                std::string_view(key));
  }
  return change;
}

std::optional<std::int64_t> index_in(json::value const& which) {
  if (which.is_int64()) return which.get_int64();
  if (!which.is_string()) return std::nullopt;
  std::string_view const text = which.get_string();
  std::int64_t index = 0;
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return index;
}

std::string range_of(std::string_view kind, std::size_t count) {
  if (count == 0) return fmt::format("no {}s", kind);
  return fmt::format("{}s 0 to {}", kind, count - 1);
}

// Ganeti finds it out while it changes.
Failure no_such_index(std::string_view kind, std::int64_t index, std::size_t count) {
  if (index < -1) {
    return fail_as(ErrorClass::Exec, ErrorCode::WrongInput,
                   "Not accepting negative indices other than -1");
  }
  return fail_as(ErrorClass::Exec, ErrorCode::WrongInput, "Got {} index {}, but there are only {}",
                 kind, index, count);
}

// Where it is in the list: by index (-1 is the last), UUID or name.
template <class Device>
Result<std::size_t> find(std::vector<Device> const& list, json::value const& which,
                         std::string_view kind, std::string const& owner) {
  if (auto const index = index_in(which)) {
    auto const count = static_cast<std::int64_t>(list.size());
    if (*index == -1 && count > 0) return list.size() - 1;
    if (*index >= 0 && *index < count) return static_cast<std::size_t>(*index);
    if (*index == -1) {
      return fail_as(ErrorClass::Exec, ErrorCode::WrongInput, "list index out of range; {} has {}",
                     owner, range_of(kind, list.size()));
    }
    return no_such_index(kind, *index, list.size());
  }
  auto const text = which.is_string() ? std::string(std::string_view(which.get_string())) : "";
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (list[i].uuid.text() == text || list[i].name == text) return i;
  }
  auto const hint = fmt::format("give its index ({} has {}), its UUID or its name", owner,
                                range_of(kind, list.size()));
  if (kind == "disk") return fail(ErrorCode::None, "Lookup of disk '{}' failed; {}", text, hint);
  return fail(ErrorCode::UnknownEntity, "Cannot find {} with identifier {}; {}", kind, text, hint);
}

// Where a new one goes: -1 is behind the last.
template <class Device>
Result<std::size_t> place(std::vector<Device> const& list, json::value const& which,
                          std::string_view kind) {
  auto const index = index_in(which);
  auto const count = static_cast<std::int64_t>(list.size());
  if (index && *index == -1) return list.size();
  if (index && *index >= 0 && *index <= count) return static_cast<std::size_t>(*index);
  if (index) return no_such_index(kind, *index, list.size());
  return fail(ErrorCode::WrongInput, "A new {} has an index from 0 to {}, or none for the last",
              kind, count);
}

std::string text_or_none(std::optional<std::string> const& text) {
  return text.value_or("None");
}

class Changer {
 public:
  Changer(DeviceMaker& maker, model::Cluster const& cluster, model::Instance& instance)
      : maker_(maker), cluster_(cluster), settings_(cluster.settings()), instance_(instance) {}

  Result<void> disk(Change const& change) {
    auto& list = instance_.disks;
    if (change.action == "add") {
      if (!model::has_disks(instance_.disk_template)) {
        return fail(ErrorCode::WrongInput,
                    "Must specify disk type on diskless instance; give it one first with "
                    "'gnt-instance modify -t'");
      }
      auto const at = TRY(place_of_disk(change));
      auto made = TRY(maker_.disk(instance_, change.params, at));
      tell(fmt::format("disk/{}", at),
           fmt::format("add:size={},mode={}", made.size.value, schema::name_of(made.mode)));
      changes_.created.push_back(made);
      list.insert(list.begin() + static_cast<std::ptrdiff_t>(at), std::move(made));
      return {};
    }
    if (change.action == "attach") return attach(change);
    auto const at = TRY(find(list, change.which, "disk", instance_.name));
    if (change.action == "detach") return detach(change, at);
    if (change.action == "remove") {
      TRY(refuse_params(change));
      TRY(refuse_attached(list[at], at));
      tell(fmt::format("disk/{}", at), "remove");
      // One that was just made has never been.
      auto const made = std::ranges::find(changes_.created, list[at].uuid, &model::Disk::uuid);
      if (made != changes_.created.end()) {
        changes_.created.erase(made);
      } else {
        changes_.removed.push_back(list[at]);
      }
      list.erase(list.begin() + static_cast<std::ptrdiff_t>(at));
      return {};
    }
    if (change.action != "modify") return unknown(change, "attach, detach, ");
    if (change.params.contains("size")) {
      return fail(ErrorCode::WrongInput, "Disk size change not possible, use grow-disk");
    }
    TRY(maker_.change(list[at], change.params, at));
    if (change.params.contains("mode")) {
      tell(fmt::format("disk.mode/{}", at), std::string(schema::name_of(list[at].mode)));
    }
    if (change.params.contains("name")) {
      tell(fmt::format("disk.name/{}", at), text_or_none(list[at].name));
    }
    return {};
  }

  Result<void> nic(Change const& change) {
    auto& list = instance_.nics;
    if (change.action == "add") {
      if (list.size() >= nics_max) {
        return fail(ErrorCode::WrongState, "An instance has at most {} NICs", nics_max);
      }
      auto const at = TRY(place(list, change.which, "NIC"));
      auto made = TRY(maker_.nic(instance_, change.params, at));
      auto const filled = model::filled_nicparams(settings_, made);
      tell(fmt::format("nic.{}", at),
           fmt::format("add:mac={},ip={},mode={},link={},network={}", made.mac,
                       text_or_none(made.ip), model::text_of(filled, "mode"),
                       model::text_of(filled, "link"),
                       text_or_none(text_in(change.params, "network"))));
      list.insert(list.begin() + static_cast<std::ptrdiff_t>(at), std::move(made));
      return {};
    }
    if (change.action == "attach" || change.action == "detach") {
      return fail(ErrorCode::WrongInput, "{} operation is not supported for NICs",
                  change.action == "attach" ? "Attach" : "Detach");
    }
    auto const at = TRY(find(list, change.which, "NIC", instance_.name));
    if (change.action == "remove") {
      TRY(refuse_params(change));
      tell(fmt::format("NIC/{}", at), "remove");
      list.erase(list.begin() + static_cast<std::ptrdiff_t>(at));
      return {};
    }
    if (change.action != "modify") return unknown(change, "");
    auto const before = list[at];
    TRY(maker_.change(instance_, list[at], change.params, at));
    auto const& nic = list[at];
    if (change.params.contains("mac") || nic.mac != before.mac)
      tell(fmt::format("nic.mac/{}", at), nic.mac);
    if (change.params.contains("ip")) tell(fmt::format("nic.ip/{}", at), text_or_none(nic.ip));
    if (change.params.contains("name")) {
      tell(fmt::format("nic.name/{}", at), text_or_none(nic.name));
    }
    if (nic.network != before.network) {
      tell(fmt::format("nic.network/{}", at), text_or_none(text_in(change.params, "network")));
    }
    auto const filled = model::filled_nicparams(settings_, nic);
    for (auto const* key : {"mode", "link", "vlan"}) {
      tell(fmt::format("nic.{}/{}", key, at), model::text_of(filled, key));
    }
    if (change.params.contains("antispoof")) {
      tell(fmt::format("nic.antispoof/{}", at), model::is_true(filled, "antispoof") ? "yes" : "no");
    }
    return {};
  }

  DeviceChanges done() && {
    changes_.notes = maker_.take_notes();
    return std::move(changes_);
  }

 private:
  void tell(std::string const& name, std::string const& value) {
    changes_.told.push_back(
        json::array{json::value(json::string_view(name)), json::value(json::string_view(value))});
  }

  Result<void> refuse_params(Change const& change) const {
    if (change.params.empty()) return {};
    return fail(ErrorCode::WrongInput, "'{}' takes no parameters, not {}", change.action,
                json::serialize(change.params));
  }

  static Result<void> unknown(Change const& change, std::string_view more) {
    return fail(ErrorCode::WrongInput, "Unknown action '{}': add, {}modify or remove",
                change.action, more);
  }

  Result<std::size_t> place_of_disk(Change const& change) const {
    if (instance_.disks.size() >= disks_max) {
      return fail(ErrorCode::WrongState, "An instance has at most {} disks", disks_max);
    }
    return place(instance_.disks, change.which, "disk");
  }

  // --- Disks that come from nobody and go to nobody

  Result<void> attach(Change const& change) {
    auto const at = TRY(place_of_disk(change));
    auto const from = TRY(find_detached(change));
    auto disk = from->disk;
    TRY(check_fits(*from, at));
    give_to(disk, from->owner, instance_.name);
    tell(fmt::format("disk/{}", at),
         fmt::format("attach:size={},mode={}", disk.size.value, schema::name_of(disk.mode)));
    changes_.attached.push_back(*from);
    instance_.disk_template = disk.dev_type;
    instance_.disks.insert(instance_.disks.begin() + static_cast<std::ptrdiff_t>(at),
                           std::move(disk));
    return {};
  }

  Result<model::DetachedDiskPtr> find_detached(Change const& change) const {
    auto const uuid = text_in(change.params, "uuid");
    auto const name = text_in(change.params, "name");
    if (change.params.size() != 1 || (!uuid && !name)) {
      return fail(ErrorCode::WrongInput,
                  "Only one argument is permitted in attach op, either name or uuid");
    }
    model::DetachedDiskPtr found;
    std::vector<std::string> known;
    for (auto const& [id, one] : cluster_.detached_disks()) {
      if (is_being_attached(id)) continue;
      known.push_back(fmt::format("{} ({}, of {})", id.text(),
                                  one->disk.name.value_or("without a name"), one->owner));
      if (uuid ? id.text() != *uuid : one->disk.name != name) continue;
      if (found) {
        return fail(ErrorCode::WrongInput,
                    "Several detached disks are called '{}': take uuid={} or uuid={}", *name,
                    found->disk.uuid.text(), id.text());
      }
      found = one;
    }
    if (found) return found;
    return fail(ErrorCode::WrongInput, "No disk was found with this {}: {}; detached disks are: {}",
                uuid ? "UUID" : "name", uuid ? *uuid : *name,
                known.empty() ? "none" : fmt::format("{}", fmt::join(known, ", ")));
  }

  Result<void> check_fits(model::DetachedDisk const& from, std::size_t at) const {
    if (from.node != instance_.primary_node) {
      auto const there = cluster_.node(from.node);
      return fail(ErrorCode::WrongState, "Disk {} is on node {}, {} is not", from.disk.uuid.text(),
                  there ? (*there)->name : from.node.text(), instance_.name);
    }
    auto const is_diskless = !model::has_disks(instance_.disk_template);
    if (is_diskless || instance_.disk_template == from.disk.dev_type) return {};
    return fail(ErrorCode::WrongState,
                "Instance has '{}' template while disk {} has '{}' template; 'gnt-instance modify "
                "-t {}' makes them alike",
                schema::name_of(instance_.disk_template), at, schema::name_of(from.disk.dev_type),
                schema::name_of(from.disk.dev_type));
  }

  Result<void> detach(Change const& change, std::size_t at) {
    TRY(refuse_params(change));
    auto const& disk = instance_.disks[at];
    TRY(refuse_attached(disk, at));
    if (std::ranges::find(changes_.created, disk.uuid, &model::Disk::uuid) !=
        changes_.created.end()) {
      return fail(ErrorCode::WrongInput, "Disk {} would be made only to be detached", at);
    }
    tell(fmt::format("disk/{}", at), "detach");
    changes_.detached.push_back(disk);
    instance_.disks.erase(instance_.disks.begin() + static_cast<std::ptrdiff_t>(at));
    return {};
  }

  bool is_being_attached(DiskId const& id) const {
    return std::ranges::any_of(changes_.attached,
                               [&](auto const& one) { return one.disk.uuid == id; });
  }

  Result<void> refuse_attached(model::Disk const& disk, std::size_t at) const {
    if (!is_being_attached(disk.uuid)) return {};
    return fail(ErrorCode::WrongInput,
                "Disk {} is being attached: take it away by a command of its own", at);
  }

  DeviceMaker& maker_;
  model::Cluster const& cluster_;
  model::Settings const& settings_;
  model::Instance& instance_;
  DeviceChanges changes_;
};

}  // namespace

PoolWishes pool_wishes(json::array const& changes, model::Cluster const& cluster,
                       model::Instance const& instance) {
  std::set<NetworkId> its_networks;
  for (auto const& nic : instance.nics) {
    if (nic.network) its_networks.insert(*nic.network);
  }
  std::vector<json::object> wishes;
  for (auto const& given : changes) {
    // What is wrong with it is told when it is applied.
    auto const change = change_in(given, "nic");
    if (!change) continue;
    wishes.push_back(change->params);
    if (change->params.contains("network")) continue;
    // One that stays in its network, whichever of them it is.
    for (auto const& network : its_networks) {
      auto wish = change->params;
      wish["network"] = json::string_view(network.text());
      wishes.push_back(std::move(wish));
    }
  }
  return pool_wishes(wishes, cluster);
}

Result<DeviceChanges> change_devices(DeviceMaker& maker, model::Cluster const& cluster,
                                     model::Instance& instance, json::array const& disks,
                                     json::array const& nics) {
  Changer changer(maker, cluster, instance);
  for (auto const& given : disks) TRY(changer.disk(TRY(change_in(given, "disk"))));
  for (auto const& given : nics) TRY(changer.nic(TRY(change_in(given, "nic"))));
  if (!disks.empty()) TRY(check_names(instance.disks, "disk"));
  if (!nics.empty()) TRY(check_names(instance.nics, "NIC"));
  return std::move(changer).done();
}

}  // namespace flotte::units
