// What VNC needs of this node: the password's file, the certificates, an address. Thread-safe.
#pragma once

#include <string>

#include <boost/json/object.hpp>
#include "base/result.h"

namespace flotte::node {

// The first line of the file.
Result<std::string> read_vnc_password(std::string const& file);

// Of filled hypervisor parameters; names what is wrong and what to do.
Result<void> check_vnc_on_node(boost::json::object const& hvparams);

}  // namespace flotte::node
