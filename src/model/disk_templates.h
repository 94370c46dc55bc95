// The disk templates, a row each: what their disks are, where they lie, and what can be done with
// them. Nothing else asks for a template by its name but the backends of the node daemon
// (tests/style/test_templates.py). Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "model/cluster.h"

namespace flotte::model {

enum class DiskStorage { None, File, Volume, Mirror, Foreign };

struct DiskTraits {
  DiskTemplate disk_template;
  DiskStorage storage;
  bool is_built;
  bool can_be_made;                   // disks of it: others are only taken over
  bool needs_group;                   // takes its space from a volume group
  bool is_shared;                     // several nodes can open what it is
  bool is_adoptable;                  // of what is there already
  bool has_snapshots;                 // which can be read while the disk is written to
  std::string Settings::* directory;  // below which its files lie; null: they don't
  std::string_view reported_as;       // the storage type of `gnt-node list-storage`; empty: none
  std::string_view id_title;          // what hooks call the first part of a disk's id
};

DiskTraits const& traits_of(DiskTemplate disk_template);

inline bool has_disks(DiskTemplate disk_template) {
  return traits_of(disk_template).storage != DiskStorage::None;
}
inline bool is_file(DiskTemplate disk_template) {
  return traits_of(disk_template).storage == DiskStorage::File;
}
inline bool is_volume(DiskTemplate disk_template) {
  return traits_of(disk_template).storage == DiskStorage::Volume;
}

// Where the cluster keeps its files; empty: nowhere.
std::string directory_of(Settings const& settings, DiskTemplate disk_template);

bool is_enabled(Settings const& settings, DiskTemplate disk_template);
// Whether a template is enabled that takes its space from volume groups.
bool needs_group(Settings const& settings);
// Where files of all enabled templates lie.
std::vector<std::string> storage_directories(Settings const& settings);

}  // namespace flotte::model
