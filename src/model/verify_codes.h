// What `gnt-cluster verify` can find, by the codes that people's scripts know (docs/ganeti.md,
// "Verifying"). Values; use from any thread.
#pragma once

#include <span>
#include <string_view>

namespace flotte::model {

struct VerifyCode {
  std::string_view name;
  std::string_view kind;  // of the thing that it is about: cluster, group, node, instance, job
};

std::span<VerifyCode const> verify_codes();
// Null where there is no such code.
VerifyCode const* verify_code(std::string_view name);

}  // namespace flotte::model
