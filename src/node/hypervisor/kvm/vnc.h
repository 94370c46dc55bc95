// What VNC needs of this node: the password's file, the certificates, an address. Thread-safe.
#pragma once

#include <string>

#include <boost/json/object.hpp>
#include "base/result.h"

namespace flotte::node {

// VNC's own way to ask for a password looks at no more (RFC 6143, 7.2.2).
constexpr std::size_t vnc_password_bytes_max = 8;

// The first line of the file.
Result<std::string> read_vnc_password(std::string const& file);

// Of filled hypervisor parameters; names what is wrong and what to do.
Result<void> check_vnc_on_node(boost::json::object const& hvparams);

}  // namespace flotte::node
