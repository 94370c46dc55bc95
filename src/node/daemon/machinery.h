// Machinery: what the node daemon drives, as far as the daemon itself must know it: the calls of
// storage, hypervisors, network and operating systems, and what making or leaving a cluster needs.
//
// Made by the main (or by a test) and handed to NodeDaemon. The functions are called from several
// threads at once.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "rpc/dispatch.h"
#include "rpc/node_calls.h"

namespace flotte::node {

struct Membership;

struct Machinery {
  // Adds its calls to the daemon's own.
  std::function<void(rpc::Dispatcher&)> add_calls;
  // Names of the instances that run; a node with guests can't leave its cluster.
  std::function<Result<std::vector<std::string>>()> running_guests;
  // What a new cluster needs of this machine is there: its volume group, a free address. Changes
  // nothing.
  std::function<Result<void>(rpc::Bootstrap const&)> check_wish;
  // The cluster's address; only called where there is one. Both are idempotent.
  std::function<Result<void>(Membership const&)> raise_master_address;
  std::function<Result<void>(Membership const&)> drop_master_address;
};

}  // namespace flotte::node
