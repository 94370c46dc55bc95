// OS definitions: finding, judging and running them (docs/ganeti.md, "OS interface"). Called from
// several threads at once.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/paths.h"
#include "rpc/node_calls.h"
#include "sys/process.h"

namespace flotte::node {

class OsDefinitions {
 public:
  OsDefinitions(Paths paths, sys::Processes& processes)
      : paths_(std::move(paths)), processes_(processes) {}

  // All that lie in the search path, valid or not.
  std::vector<rpc::OsDefinition> list() const;

  // Runs `create`; each line of its output goes to the sink and to a log file. On failure the
  // definition's own `cleanup` runs with the same environment, where it has one, and the error
  // quotes the last lines.
  Result<void> create(rpc::OsCreate const& call, std::vector<std::string> const& disk_paths,
                      sys::LineSink const& sink);

  // Runs `export` for the disk `index`, or `import`, in the same way. The script finds the disk at
  // `device`. Its content is what `export` writes to `stream` and `import` reads from there; what
  // is written to `size_fd` is how many bytes it will be, for who is curious. What `export` left
  // running may go on as long as `goes_on` says so.
  struct Transfer {
    std::int64_t index = 0;
    std::string device;
    int stream = -1;
    int size_fd = -1;
    std::int64_t debug_level = 0;
    std::function<bool()> goes_on = {};
  };
  Result<void> export_disk(rpc::InstanceSpec const& spec, Transfer const& transfer,
                           std::vector<std::string> const& disk_paths, sys::LineSink const& sink);
  Result<void> import_disk(rpc::InstanceSpec const& spec, Transfer const& transfer,
                           std::vector<std::string> const& disk_paths, sys::LineSink const& sink);

  // Runs `rename`, in the same way.
  Result<void> rename(rpc::OsRename const& call, std::vector<std::string> const& disk_paths,
                      sys::LineSink const& sink);

 private:
  struct Script {
    std::string name;
    std::string log_name;                                 // without directory, time and extension
    std::map<std::string, std::string> environment = {};  // beside what all scripts get
    std::int64_t debug_level = 0;
    std::vector<sys::Descriptor> descriptors = {};
    std::function<bool()> goes_on = {};
  };
  Result<void> run(Script const& script, rpc::InstanceSpec const& spec, rpc::OsDefinition const& os,
                   std::vector<std::string> const& disk_paths, sys::LineSink const& sink);
  Result<rpc::OsDefinition> find(std::string const& name) const;

  Paths paths_;
  sys::Processes& processes_;
};

// The environment of a script, exactly: for tests too. `variant` may be empty.
std::map<std::string, std::string> os_environment(rpc::InstanceSpec const& spec,
                                                  rpc::OsDefinition const& os,
                                                  std::vector<std::string> const& disk_paths,
                                                  std::int64_t debug_level);

}  // namespace flotte::node
