// Exports of instances on this node: a directory each below <lib>/export, with config.ini and a
// file a disk (docs/ganeti.md, "Exports"), beside which we keep sizes and checksums. One that is
// being made is called .<instance>.new: no instance's name begins with a dot. Where two names can't
// be exchanged in one instant the one of before is .<instance>.old meanwhile; what should go and
// could not lies in .<instance>.gone.
//
// What is read may be anybody's: names of files are looked at before they become paths, and links
// are not followed. Thread-safe; calls about one instance wait for each other.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/paths.h"
#include "rpc/node_calls.h"
#include "sys/pipe.h"

namespace flotte::node {

class Exports {
 public:
  explicit Exports(Paths const& paths) : directory_(paths.exports()) {}

  // Whether one can be made: what is in the way of it is found before anything is done.
  Result<void> check(std::string const& instance) const;
  // A file for one disk in the export that is being made, empty and only root's; its path.
  Result<std::string> new_dump(std::string const& instance, std::string const& file) const;
  // See rpc::ExportFinish. Warns where it is finished and something stays behind.
  using Warns = std::function<void(std::string_view text)>;
  Result<void> finish(rpc::ExportFinish const& call, Warns const& warns) const;
  Result<rpc::ExportNames> list() const;
  // See rpc::ExportInfo. UnknownEntity where there is none.
  Result<rpc::ExportContent> info(std::string const& path) const;
  Result<void> remove(std::string const& name) const;
  // What is half made of an instance's export, and that alone.
  Result<void> discard(std::string const& instance) const;

  // InsufficientResources where so much finds no room, or only in what is left to others: the
  // controller's store is on the same file system.
  Result<void> check_room(Bytes more) const;

  // A dump, to be read.
  static Result<sys::Fd> open_dump(std::string const& directory, std::string const& file);

 private:
  std::string parent() const;
  std::string beside(std::string_view instance, std::string_view what) const;
  Result<std::string> new_directory(std::string const& instance) const;
  Result<void> settle(std::string const& instance) const;
  bool is_export(std::string const& name) const;
  Result<void> replace(std::string const& instance, Warns const& warns) const;
  Result<void> put_away(std::string const& instance, std::string const& path) const;

  std::string directory_;
};

}  // namespace flotte::node
