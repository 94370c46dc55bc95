// Disks and NICs as people describe them (docs/ganeti.md, "Disks and NICs of a command"): checked,
// and made into those of the model. Pure: chance comes from the Random that is given.
#pragma once

#include <map>
#include <set>

#include "base/random.h"
#include "model/cluster.h"
#include "rpc/node_calls.h"

namespace flotte::jobs {
class NodeReader;
}

namespace flotte::units {

namespace json = boost::json;

constexpr std::size_t disks_max = 16;
constexpr std::size_t nics_max = 8;

// Where files of new disks lie: below the cluster's directory, by that driver.
struct FileStorage {
  std::string driver = "loop";
  std::string below;
};

// Addresses of networks that the job has drawn and no other will have.
using DrawnAddresses = std::map<NetworkId, std::vector<std::string>>;
// What NICs that are described so ask of the pools of networks (ip=pool).
struct PoolWishes {
  std::map<NetworkId, std::size_t> counts;
  std::set<std::string> named;  // addresses that the same command gives by hand
};
PoolWishes pool_wishes(std::vector<json::object> const& nics, model::Cluster const& cluster);
// Draws as many, the lowest that are free. Where all are taken there are fewer.
DrawnAddresses draw_addresses(PoolWishes const& wishes, model::Cluster const& cluster,
                              jobs::NodeReader& nodes);

// Which addresses of networks a NIC may have.
struct AddressChoice {
  DrawnAddresses drawn;          // for those that ask for one of the pool
  bool checks_conflicts = true;  // refuse what is kept from instances, or another network's
};

class DeviceMaker {
 public:
  DeviceMaker(model::Cluster const& cluster, Random& random, AddressChoice choice = {})
      : cluster_(cluster), random_(random), choice_(std::move(choice)) {}

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

  // Gives a NIC in a network what the group of the owner's node has for it, and an address where it
  // asks for one of the pool. Of one whose owner has a node when it is made or changed that is done
  // already.
  Result<void> connect(model::Instance const& owner, model::Nic& nic, std::size_t index);
  // What is told of the NICs that were connected, since it was asked last.
  std::vector<std::string> take_notes() { return std::exchange(notes_, {}); }

 private:
  Result<std::vector<std::string>> logical_id(model::Instance const& owner,
                                              json::object const& given, std::size_t index,
                                              FileStorage const& files);
  Result<void> take(model::Instance const& owner, model::Nic& nic, json::object const& given,
                    std::size_t index);
  Result<void> take_network(model::Instance const& owner, model::Nic& nic,
                            json::object const& given);
  Result<void> take_ip(model::Nic& nic, json::object const& given);
  Result<void> choose_address(model::Instance const& owner, model::Nic& nic, std::size_t index,
                              model::Network const& network);
  Result<void> refuse_address_of_network(model::Instance const& owner, model::Nic const& nic);
  Result<std::string> mac(model::Instance const& owner, model::Nic const& nic, std::string wanted);
  std::string mac_prefix(std::optional<NetworkId> const& network) const;
  Result<void> check_spindles(model::Instance const& owner, json::object const& given) const;
  bool mac_is_used(model::Instance const& owner, std::string_view mac) const;

  model::Cluster const& cluster_;
  Random& random_;
  AddressChoice choice_;
  std::vector<std::string> notes_;
};

// A file lies in a directory of its instance's name, wherever that is; a volume stays.
void give_to(model::Disk& disk, std::string const& old_owner, std::string const& new_owner);

// What no two jobs may come by (jobs/unit.h): MAC addresses, and addresses of networks.
std::vector<std::string> nic_claims(std::vector<model::Nic> const& nics);

// The text of a key; null where it is missing or "none".
std::optional<std::string> text_in(json::object const& given, std::string_view key);

// No two disks, and no two NICs, of one name.
template <class Device>
Result<void> check_names(std::vector<Device> const& devices, std::string_view kind);

// NICs described so, as far as the node must know them to say whether it can connect them.
Result<std::vector<rpc::NicSpec>> nic_specs(model::Cluster const& cluster, model::Node const& node,
                                            std::vector<json::object> const& nics);
// As a node is told of it.
rpc::NicSpec nic_spec(model::Cluster const& cluster, model::Nic const& nic);

}  // namespace flotte::units
