#include "node/storage/lvm.h"

#include <algorithm>
#include <boost/json/value.hpp>
#include <charconv>
#include <map>

#include "base/utf8.h"
#include "schema/schema.h"

namespace flotte::node {
namespace {

namespace json = boost::json;

std::string text_at(json::object const& row, std::string_view key) {
  auto const* value = row.if_contains(key);
  return value && value->is_string() ? std::string(std::string_view(value->get_string()))
                                     : std::string();
}

Bytes bytes_at(json::object const& row, std::string_view key) {
  auto const text = text_at(row, key);
  Bytes bytes;
  std::from_chars(text.data(), text.data() + text.size(), bytes.value);
  return bytes;
}

// "a,b"
std::vector<std::string> list_at(json::object const& row, std::string_view key) {
  auto const text = text_at(row, key);
  std::vector<std::string> list;
  for (std::size_t at = 0; at < text.size();) {
    auto const comma = std::min(text.find(',', at), text.size());
    list.push_back(text.substr(at, comma - at));
    at = comma + 1;
  }
  return list;
}

bool has(std::vector<std::string> const& list, std::string_view one) {
  return std::ranges::find(list, one) != list.end();
}

// Parts of others stand in brackets.
bool take_brackets(std::string& name) {
  if (name.size() < 2 || name.front() != '[' || name.back() != ']') return false;
  name = name.substr(1, name.size() - 2);
  return true;
}

// {"report":[{"lv":[{...}, ...]}]}
Result<std::vector<json::object>> rows_of(std::string const& report, std::string_view kind) {
  auto const parsed = schema::parse(report);
  std::vector<json::object> rows;
  auto const* reports =
      parsed && parsed->is_object() ? parsed->get_object().if_contains("report") : nullptr;
  if (!reports || !reports->is_array()) {
    constexpr std::size_t said_max = 200;
    return fail(ErrorCode::EnvironmentError, "LVM ({}s) gave no report but '{}'", kind,
                beginning_of(report, said_max));
  }
  for (auto const& one : reports->get_array()) {
    auto const* list = one.is_object() ? one.get_object().if_contains(kind) : nullptr;
    if (!list || !list->is_array()) continue;
    for (auto const& row : list->get_array()) {
      if (row.is_object()) rows.push_back(row.get_object());
    }
  }
  return rows;
}

LogicalVolume volume_in(json::object const& row) {
  LogicalVolume volume{.vg = text_at(row, "vg_name"),
                       .name = text_at(row, "lv_name"),
                       .size = bytes_at(row, "lv_size"),
                       .extent = bytes_at(row, "vg_extent_size"),
                       .layout = list_at(row, "lv_layout"),
                       .roles = list_at(row, "lv_role"),
                       .tags = list_at(row, "lv_tags"),
                       .devices = list_at(row, "devices"),
                       .origin = text_at(row, "origin"),
                       .parent = text_at(row, "lv_parent"),
                       .is_active = text_at(row, "lv_active") == "active",
                       .is_open = text_at(row, "lv_device_open") == "open",
                       .is_partial = text_at(row, "lv_health_status") == "partial",
                       .is_moving = !text_at(row, "lv_allocation_locked").empty(),
                       .is_merging = !text_at(row, "lv_merging").empty(),
                       .skips_activation = !text_at(row, "lv_skip_activation").empty(),
                       .is_lost = !text_at(row, "lv_snapshot_invalid").empty()};
  volume.is_hidden = take_brackets(volume.name);
  take_brackets(volume.origin);
  take_brackets(volume.parent);
  for (auto& device : volume.devices) device = device.substr(0, device.find('('));
  return volume;
}

// Thin ones live on without each other; all else goes with what it was made of, also a snapshot of
// a thin volume that has room of its own.
bool goes_with_origin(LogicalVolume const& volume, LogicalVolume const& origin) {
  return volume.vg == origin.vg && volume.origin == origin.name &&
         (has(volume.roles, "thicksnapshot") || !has(origin.layout, "thin"));
}

}  // namespace

sys::Command lvm(std::vector<std::string> argv) {
  // Half a kilobyte a volume.
  constexpr std::size_t report_bytes_max = 64 * 1024 * 1024;
  return {.argv = std::move(argv),
          .timeout = std::chrono::seconds(120),
          .output_bytes_max = report_bytes_max};
}

Result<std::vector<LogicalVolume>> logical_volumes(sys::Processes& processes,
                                                   std::string const& vg) {
  std::string const fields =
      "-ovg_name,lv_name,lv_size,vg_extent_size,lv_layout,lv_role,lv_tags,origin,lv_parent,"
      "lv_active,lv_device_open,lv_health_status,lv_allocation_locked,lv_merging,"
      "lv_skip_activation,lv_snapshot_invalid";
  auto command = lvm({"lvs", "-a", "--reportformat", "json", "--units=b", "--nosuffix", fields});
  if (vg.empty()) {
    // Makes a row of each piece.
    command.argv.back() += ",devices";
  } else {
    command.argv.push_back(vg);
  }
  auto const listed = TRY(processes.run(command));
  if (!listed.is_success()) {
    return vg.empty()
               ? fail(ErrorCode::EnvironmentError, "LVM can't list its volumes: {}", listed.errors)
               : fail(ErrorCode::EnvironmentError, "Volume group '{}' not found on this node: {}",
                      vg, listed.errors);
  }
  std::vector<LogicalVolume> volumes;
  std::map<std::pair<std::string, std::string>, std::size_t> known;
  for (auto const& row : TRY(rows_of(listed.output, "lv"))) {
    auto volume = volume_in(row);
    auto const [place, is_new] = known.emplace(std::pair(volume.vg, volume.name), volumes.size());
    if (is_new) {
      volumes.push_back(std::move(volume));
      continue;
    }
    auto& devices = volumes[place->second].devices;
    for (auto const& device : volume.devices) {
      if (!has(devices, device)) devices.push_back(device);
    }
  }
  for (auto& volume : volumes) {
    for (auto const& other : volumes) {
      if (goes_with_origin(other, volume)) volume.snapshots.push_back(other.name);
    }
  }
  return volumes;
}

Result<std::vector<LogicalVolumeGroup>> logical_volume_groups(sys::Processes& processes) {
  auto const listed = TRY(
      sys::run_checked(processes, lvm({"vgs", "--reportformat", "json", "--units=b", "--nosuffix",
                                       "-ovg_name,vg_size,vg_free,vg_extent_size"})));
  std::vector<LogicalVolumeGroup> groups;
  for (auto const& row : TRY(rows_of(listed.output, "vg"))) {
    groups.push_back({text_at(row, "vg_name"), bytes_at(row, "vg_size"), bytes_at(row, "vg_free"),
                      bytes_at(row, "vg_extent_size")});
  }
  return groups;
}

std::string why_no_disk(LogicalVolume const& volume) {
  auto const is = [&](std::string_view layout) { return has(volume.layout, layout); };
  if (is("pool")) {
    return fmt::format("is a {} pool: what lies in it is its volumes'",
                       volume.layout.front() == "pool" ? "cache" : volume.layout.front());
  }
  if (has(volume.roles, "private")) {
    if (volume.parent.empty()) return "is one that LVM keeps for itself";
    return fmt::format("is a part of {}/{}", volume.vg, volume.parent);
  }
  if (has(volume.roles, "thicksnapshot")) {
    return fmt::format(
        "is a snapshot of {}/{}, lost when it is full and removed with that; copy it to a volume "
        "of its own",
        volume.vg, volume.origin);
  }
  static constexpr std::string_view layouts[] = {"linear", "striped", "mirror",    "raid",
                                                 "thin",   "cache",   "writecache"};
  if (std::ranges::any_of(layouts, is)) return {};
  return fmt::format("is a volume of the layout '{}', which is none for a disk",
                     fmt::join(volume.layout, ","));
}

std::string why_not_now(LogicalVolume const& volume) {
  if (volume.is_partial) return "lies on a physical volume that is missing; see 'pvs'";
  if (volume.is_moving) {
    return "is being moved to another physical volume; wait until pvmove has ended";
  }
  if (volume.is_merging) return "is being merged with its snapshot; wait until that has ended";
  if (volume.skips_activation) {
    return fmt::format("is one that is not activated; 'lvchange -kn {}/{}' changes that", volume.vg,
                       volume.name);
  }
  return {};
}

}  // namespace flotte::node
