// OS names on the command line, `os` or `os+variant`, and what nodes must have of them
// (docs/ganeti.md, "OS interface"). Pure.
#pragma once

#include <string>
#include <string_view>

#include "rpc/node_calls.h"

namespace flotte::units {

std::string os_base(std::string_view name);
std::string os_variant(std::string_view name);

// The definition that `name` means, valid and with its variant; the error says what the node has
// instead.
Result<rpc::OsDefinition> find_os(rpc::OsList const& list, std::string_view name,
                                  std::string_view node_name, bool force_variant);

// What changes of an instance's: `default` takes one away.
boost::json::object os_parameter_changes(boost::json::object given);
// WrongInput: the OS doesn't declare one of them. Those of before API 20 declare none, and take
// all.
Result<void> check_os_parameters(rpc::OsDefinition const& os, boost::json::object const& params,
                                 std::string_view node_name);
// WrongInput: an image is to be installed, which Ganeti does with the OS parameter os-image,
// whatever the OS declares.
Result<void> check_os_image(boost::json::object const& params);
// WrongInput: one of them was given more than once.
Result<void> check_given_once(boost::json::object const& open, boost::json::object const& hidden,
                              boost::json::object const& secret = {});

}  // namespace flotte::units
