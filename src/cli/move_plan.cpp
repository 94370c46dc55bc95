#include "cli/move_plan.h"

#include <algorithm>

#include "base/text.h"
#include "cli/answers.h"
#include "cli/values.h"
#include "model/disk_templates.h"
#include "model/params.h"
#include "schema/schema.h"

namespace flotte::cli {
namespace {

constexpr std::size_t nics_max = 100;

json::value value_of(std::string_view text) {
  return json::value(json::string_view(text));
}

bool is_nothing(json::value const& value) {
  if (value.is_null()) return true;
  return value.is_string() && (value.get_string().empty() || value.get_string() == "none");
}

// A row of Ganeti's: name, uuid, ip, mac, mode, link, vlan, network, and what is known of that.
enum NicColumn : std::size_t {
  Name,
  Uuid,
  Ip,
  Mac,
  Mode,
  Link,
  Vlan,
  Network,
  NetworkInfo,
  columns
};

class Planner {
 public:
  Planner(SourceMachine const& machine, Placement const& placement,
          DestinationTraits const& destination)
      : machine_(machine), placement_(placement), destination_(destination) {}

  Result<json::object> plan();

 private:
  void complain(std::string text) { faults_.push_back(std::move(text)); }
  template <class T>
  T or_complain(Result<T> result) {
    if (result) return *std::move(result);
    complain(result.error().message);
    return {};
  }

  void put(std::string_view name, std::string const& text) {
    if (!text.empty()) body_[name] = value_of(text);
  }
  void put_disks();
  void put_nics();
  json::object nic(json::value const& row, json::object const& changes);
  void put_parameters();
  void put_tags();

  SourceMachine const& machine_;
  Placement const& placement_;
  DestinationTraits const& destination_;
  json::object body_;
  std::vector<std::string> faults_;
};

Result<json::object> Planner::plan() {
  auto const& info = machine_.info;
  auto const name = text_in(info, "name");
  if (name.empty() || !member(info, "nics") || !member(info, "disks")) {
    return fail(ErrorCode::EnvironmentError,
                "What the source tells of the instance is not what Ganeti 3.0 tells");
  }
  body_["__version__"] = 1;
  body_["mode"] = "remote-import";
  body_["name"] = value_of(placement_.name.empty() ? name : placement_.name);
  body_["source_instance_name"] = value_of(name);
  auto const own_template = text_in(info, "disk_template");
  put("disk_template", placement_.disk_template.empty() ? own_template : placement_.disk_template);
  put("hypervisor", text_in(info, "hypervisor"));
  put("os", text_in(info, "os"));
  put("pnode", placement_.primary_node);
  put("snode", placement_.secondary_node);
  put("iallocator", placement_.iallocator);
  put("compress", placement_.compress);
  // Ganeti's import starts what it made also where a disk did not arrive: there whoever moves the
  // machine starts it, when he knows that all is there.
  body_["start"] = machine_.was_running && destination_.is_flotte;
  body_["wait_for_sync"] = false;
  body_["ip_check"] = false;
  body_["name_check"] = false;
  put_disks();
  put_nics();
  put_parameters();
  put_tags();
  if (faults_.empty()) return std::move(body_);
  return fail(ErrorCode::WrongInput, "{}", fmt::join(faults_, "\n"));
}

void Planner::put_disks() {
  json::array disks;
  for (auto const& row : list_in(machine_.info, "disks")) {
    json::object disk;
    for (auto const* key : {"size", "mode", "spindles"}) {
      auto const* value = member(row, key);
      if (value && !value->is_null()) disk[key] = *value;
    }
    // Ganeti's own move makes "None" of a disk without a name, and of the next one, too.
    auto const name = text_in(row, "name");
    if (!name.empty() && name != "None") disk["name"] = value_of(name);
    if (!placement_.volume_group.empty()) disk["vg"] = value_of(placement_.volume_group);
    disks.push_back(std::move(disk));
  }
  auto const disk_template = text_in(body_, "disk_template");
  auto const known = schema::enum_from<model::DiskTemplate>(disk_template);
  auto const has_groups = known && model::traits_of(*known).needs_group;
  if (!placement_.volume_group.empty() && !disks.empty() && !has_groups) {
    complain(
        fmt::format("--vg-name: disks of the template '{}' are in no volume group; another one is "
                    "given with --dest-disk-template",
                    disk_template));
  }
  body_["disks"] = std::move(disks);
}

void Planner::put_nics() {
  auto const rows = list_in(machine_.info, "nics");
  auto const& changes = placement_.nics;
  if (changes.size() > rows.size()) {
    complain(fmt::format("--net {}: the instance has {} NICs, and a move makes no new ones",
                         changes.size() - 1, rows.size()));
    return;
  }
  json::array nics;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    nics.push_back(nic(rows[i], i < changes.size() ? changes[i] : json::object()));
  }
  body_["nics"] = std::move(nics);
}

json::object Planner::nic(json::value const& row, json::object const& changes) {
  auto const at = [&](NicColumn column) {
    auto const* value = item(row, column);
    return value ? *value : json::value();
  };
  json::object nic;
  auto const take = [&](std::string_view key, NicColumn column) {
    if (auto value = at(column); value.is_string() && !value.get_string().empty()) {
      nic[key] = std::move(value);
    }
  };
  take("name", Name);
  take("mac", Mac);
  take("ip", Ip);
  take("mode", Mode);
  take("link", Link);
  take("vlan", Vlan);
  // A network is known by its name there, and has a mode and a link of its own.
  auto const is_moved = changes.contains("link") || changes.contains("bridge") ||
                        changes.contains("mode") || changes.contains("vlan");
  auto const network = text_in(at(NetworkInfo), "name");
  if (!network.empty() && !is_moved) nic["network"] = value_of(network);
  if (changes.contains("bridge")) nic.erase("link");
  for (auto const& [key, value] : changes) {
    if (is_nothing(value)) {
      nic.erase(key);
    } else {
      nic[key] = value;
    }
  }
  if (nic.contains("network")) {
    for (auto const* key : {"mode", "link", "vlan", "bridge"}) nic.erase(key);
  }
  // Ganeti doesn't know it.
  auto const filtered = list_in(machine_.info, "filtered_nics");
  if (destination_.is_flotte && std::ranges::find(filtered, at(Uuid)) != filtered.end()) {
    nic["antispoof"] = "true";
  }
  return nic;
}

void Planner::put_parameters() {
  auto const& info = machine_.info;
  auto const be = or_complain(model::enforce_backend(placement_.beparams));
  body_["beparams"] = model::overlay(object_in(info, "be_instance"), be);
  auto const& given = placement_.hvparams;
  auto const hv = given.empty()
                      ? given
                      : or_complain(model::enforce_hypervisor(text_in(info, "hypervisor"), given));
  body_["hvparams"] = model::overlay(object_in(info, "hv_instance"), hv);
  body_["osparams"] = model::overlay(object_in(info, "os_instance"), placement_.osparams);
}

void Planner::put_tags() {
  json::array tags;
  for (auto const& tag : machine_.tags) {
    if (text(tag) != moving_up_tag) tags.push_back(tag);
  }
  body_["tags"] = std::move(tags);
}

}  // namespace

Result<json::object> creation_of(SourceMachine const& machine, Placement const& placement,
                                 DestinationTraits const& destination) {
  return Planner(machine, placement, destination).plan();
}

Result<json::object> with_credentials(json::object body, json::value const& prepared) {
  auto const* handshake = member(prepared, "handshake");
  auto const ca = text_in(prepared, "x509_ca");
  if (!handshake || ca.empty() || list_in(prepared, "x509_key_name").empty()) {
    return fail(ErrorCode::EnvironmentError,
                "The source prepared the export, but did not give what the destination needs");
  }
  body["source_handshake"] = *handshake;
  body["source_x509_ca"] = value_of(ca);
  return body;
}

Result<std::vector<json::object>> parse_nics(std::vector<std::string> const& given) {
  static constexpr std::string_view keys[] = {"bridge", "ip",   "link",    "mac",
                                              "mode",   "name", "network", "vlan"};
  std::vector<json::object> nics;
  for (auto const& one : given) {
    auto const [number, changes] = TRY(parse_named_pairs(one, "--net"));
    auto const index = whole_number(number);
    if (!index || *index < 0 || *index >= static_cast<std::int64_t>(nics_max)) {
      return fail(ErrorCode::WrongInput,
                  "Invalid NIC index passed: '{}'; a number and a colon come first, as in --net "
                  "0:link=br0",
                  number);
    }
    for (auto const& [key, value] : changes) {
      if (std::ranges::find(keys, std::string_view(key)) == std::end(keys)) {
        return fail(ErrorCode::WrongInput, "--net {}: a NIC has no parameter '{}'; there are {}",
                    number, std::string_view(key), fmt::join(keys, ", "));
      }
      if (!value.is_string() && !value.is_null()) {
        return fail(ErrorCode::WrongInput, "--net {}: '{}' has no value", number,
                    std::string_view(key));
      }
    }
    auto const at = static_cast<std::size_t>(*index);
    if (nics.size() <= at) nics.resize(at + 1);
    nics[at] = changes;
  }
  return nics;
}

}  // namespace flotte::cli
