// config.ini, which says of an export what instance it was: the file that Ganeti writes and reads
// (docs/ganeti.md, "Exports"). Pure; any thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/cluster.h"

namespace flotte::model {

// A file of sections with keys and texts, in the rules of Python's configparser.
class IniFile {
 public:
  // WrongInput names the line.
  static Result<IniFile> parse(std::string_view text);
  std::string text() const;

  void set(std::string const& section, std::string const& key, std::string const& value);
  bool has(std::string const& section) const { return sections_.contains(section); }
  // None where it is missing, or "None" as Python writes what isn't there.
  std::optional<std::string> get(std::string const& section, std::string const& key) const;
  // All of a section, as it stands there.
  std::map<std::string, std::string> all(std::string const& section) const;

 private:
  struct Section {
    std::vector<std::string> order;
    std::map<std::string, std::string> values;
  };
  std::vector<std::string> order_;
  std::map<std::string, Section> sections_;
};

// What an export has of one disk.
struct ExportedDisk {
  std::optional<MiB> size;
  std::optional<std::string> name;
  std::optional<std::string> dump;  // the file's name; none: it could not be exported
};

// What of an instance an export tells.
struct ExportedInstance {
  std::string name;
  std::string os;
  std::optional<std::string> disk_template;
  std::optional<std::string> hypervisor;
  std::vector<std::string> tags;
  std::vector<ExportedDisk> disks;
  std::vector<schema::json::object> nics;  // as an opcode has them: mac, ip, link, …
  schema::json::object hvparams;           // texts; filled
  schema::json::object beparams;
  schema::json::object osparams;
  schema::json::object osparams_private;
};

// WrongInput: says what is missing or wrong.
Result<ExportedInstance> read_export(std::string_view config);

// `dumps`: the file of each disk. `timestamp`: seconds since the epoch.
std::string write_export(Cluster const& cluster, Instance const& instance,
                         std::vector<std::string> const& dumps, std::int64_t timestamp);

}  // namespace flotte::model
