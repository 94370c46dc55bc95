// Anti-spoofing: what a guest sends through a NIC bears that NIC's addresses, or is dropped, before
// a bridge, a switch or a route sees it.
//
// One chain a tap in the table `netdev flotte` of nftables, hooked where frames of the guest come
// in: the same for every mode. Chains may outlive their taps, and would catch the next guest's.
// Used by Nics. Thread-safe.
#pragma once

#include "rpc/node_calls.h"
#include "sys/process.h"

namespace flotte::node {

class Antispoof {
 public:
  explicit Antispoof(sys::Processes& processes) : processes_(processes) {}

  // That rules can be made at all.
  static Result<void> check();
  // In one transaction: there is no moment with half of the rules. `whose`: for who lists them.
  Result<void> put(rpc::NicSpec const& nic, std::string const& tap, std::string_view whose) const;
  // Costs next to nothing where there are none.
  Result<void> remove(std::string const& tap) const;
  // Whether the rules are there; not whether they are unchanged.
  bool is_in_place(rpc::NicSpec const& nic, std::string const& tap) const;

 private:
  sys::Processes& processes_;
};

// The rules of one chain, each as nft takes it behind "add rule TABLE CHAIN".
Result<std::vector<std::string>> antispoof_rules(rpc::NicSpec const& nic, std::string_view whose);

}  // namespace flotte::node
