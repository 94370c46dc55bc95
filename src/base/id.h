// Ids as types: a NodeId can't be passed where an InstanceId is asked for. Values; use from any
// thread.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <utility>

namespace flotte {

// The UUID of one kind of object, as text. Empty means "none".
template <class Tag>
class Id {
 public:
  Id() = default;
  explicit Id(std::string uuid) : uuid_(std::move(uuid)) {}

  std::string const& text() const { return uuid_; }
  bool empty() const { return uuid_.empty(); }
  friend auto operator<=>(Id const&, Id const&) = default;

 private:
  std::string uuid_;
};

using ClusterId = Id<struct ClusterTag>;
using NodeId = Id<struct NodeTag>;
using GroupId = Id<struct GroupTag>;
using InstanceId = Id<struct InstanceTag>;
using DiskId = Id<struct DiskTag>;
using NicId = Id<struct NicTag>;
using NetworkId = Id<struct NetworkTag>;

// Job ids count from 1 (Ganeti shows them to people).
enum class JobId : std::int64_t {};
inline std::int64_t number(JobId id) {
  return static_cast<std::int64_t>(id);
}

}  // namespace flotte
