// Disks and NICs as people describe them (docs/ganeti.md, "Disks and NICs of a command"): checked,
// and made into those of the model. Pure: chance comes from the Random that is given.
#pragma once

#include <set>

#include "base/random.h"
#include "model/cluster.h"
#include "rpc/node_calls.h"

namespace flotte::units {

namespace json = boost::json;

constexpr std::size_t disks_max = 16;
constexpr std::size_t nics_max = 8;

// Where files of new disks lie: below the cluster's directory, by that driver.
struct FileStorage {
  std::string driver = "loop";
  std::string below;
};

class DeviceMaker {
 public:
  DeviceMaker(model::Cluster const& cluster, Random& random) : cluster_(cluster), random_(random) {}

  // The owner's template says of which kind; `index` is for messages and for the volume's name.
  Result<model::Disk> disk(model::Instance const& owner, json::object const& given,
                           std::size_t index, FileStorage const& files = {});
  // The MAC address differs from all in the cluster and from the owner's.
  Result<model::Nic> nic(model::Instance const& owner, json::object const& given,
                         std::size_t index);

  // What is given changes, the rest stays; "none" takes away a name or an address.
  Result<void> change(model::Disk& disk, json::object const& given, std::size_t index);
  Result<void> change(model::Instance const& owner, model::Nic& nic, json::object const& given,
                      std::size_t index);

 private:
  Result<std::vector<std::string>> logical_id(model::Instance const& owner,
                                              json::object const& given, std::size_t index,
                                              FileStorage const& files);
  Result<void> take(model::Instance const& owner, model::Nic& nic, json::object const& given,
                    std::size_t index);
  Result<std::string> mac(model::Instance const& owner, std::string wanted);
  Result<void> check_spindles(model::Instance const& owner, json::object const& given) const;
  bool mac_is_used(model::Instance const& owner, std::string_view mac) const;

  model::Cluster const& cluster_;
  Random& random_;
};

// A file lies in a directory of its instance's name, wherever that is; a volume stays.
void give_to(model::Disk& disk, std::string const& old_owner, std::string const& new_owner);

// What no two jobs may come by: see jobs/unit.h.
std::vector<std::string> mac_claims(std::vector<model::Nic> const& nics);

// The text of a key; null where it is missing or "none".
std::optional<std::string> text_in(json::object const& given, std::string_view key);

// No two disks, and no two NICs, of one name.
template <class Device>
Result<void> check_names(std::vector<Device> const& devices, std::string_view kind);

// NICs described so, as far as a node must know them to say whether it can connect them.
Result<std::vector<rpc::NicSpec>> nic_specs(model::Settings const& settings,
                                            std::vector<json::object> const& nics);

}  // namespace flotte::units
