#include "model/disk_templates.h"

#include <algorithm>
#include <array>

namespace flotte::model {
namespace {

using enum DiskTemplate;
using Storage = DiskStorage;

constexpr bool yes = true;
constexpr bool no = false;

// clang-format off
constexpr std::array<DiskTraits, 9> table{{
    //                             is_built
    //                             |    can_be_made
    //                             |    |    needs_group
    //                             |    |    |    is_shared
    //                             |    |    |    |    is_adoptable
    //                             |    |    |    |    |    has_snapshots
    {Diskless,   Storage::None,    yes, no,  no,  no,  no,  no,  nullptr,                            "",           "DRIVER"},
    {File,       Storage::File,    yes, yes, no,  no,  no,  no,  &Settings::file_storage_dir,        "file",       "DRIVER"},
    {SharedFile, Storage::File,    yes, yes, no,  yes, no,  no,  &Settings::shared_file_storage_dir, "sharedfile", "DRIVER"},
    {Plain,      Storage::Volume,  yes, yes, yes, no,  yes, yes, nullptr,                            "lvm-vg",     "VG"},
    {Blockdev,   Storage::Foreign, no,  no,  no,  yes, no,  no,  nullptr,                            "",           "DRIVER"},
    {Drbd,       Storage::Mirror,  no,  yes, yes, no,  no,  no,  nullptr,                            "lvm-vg",     "DRIVER"},
    {Rbd,        Storage::Foreign, no,  yes, no,  yes, no,  no,  nullptr,                            "",           "DRIVER"},
    {Ext,        Storage::Foreign, no,  yes, no,  yes, no,  no,  nullptr,                            "",           "PROVIDER"},
    {Gluster,    Storage::Foreign, no,  yes, no,  yes, no,  no,  &Settings::gluster_storage_dir,     "gluster",    "DRIVER"},
}};
// clang-format on

}  // namespace

DiskTraits const& traits_of(DiskTemplate disk_template) {
  auto const* const found = std::ranges::find(table, disk_template, &DiskTraits::disk_template);
  CHECK(found != table.end());
  return *found;
}

std::string directory_of(Settings const& settings, DiskTemplate disk_template) {
  auto const member = traits_of(disk_template).directory;
  return member ? settings.*member : std::string();
}

bool is_enabled(Settings const& settings, DiskTemplate disk_template) {
  auto const& enabled = settings.enabled_disk_templates;
  return std::ranges::find(enabled, disk_template) != enabled.end();
}

bool needs_group(Settings const& settings) {
  return std::ranges::any_of(settings.enabled_disk_templates,
                             [](DiskTemplate one) { return traits_of(one).needs_group; });
}

std::vector<std::string> storage_directories(Settings const& settings) {
  std::vector<std::string> directories;
  for (auto const& row : table) {
    if (row.storage != DiskStorage::File || !is_enabled(settings, row.disk_template)) continue;
    if (auto path = directory_of(settings, row.disk_template); !path.empty()) {
      directories.push_back(std::move(path));
    }
  }
  return directories;
}

}  // namespace flotte::model
