// What `gnt-network info` says of a network, in Ganeti's words (docs/ganeti.md, "Networks"). Pure.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <string>

namespace flotte::cli {

namespace json = boost::json;

// `network` has the list fields of one; `users` are rows of the instances in it, with name, nic.ips
// and nic.networks.
std::string network_text(json::object const& network, json::array const& users);

}  // namespace flotte::cli
