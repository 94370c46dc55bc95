// The words of QEMU's command line, as QEMU reads them. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace flotte::node {

// What follows an option, each time it is given. QEMU takes two dashes for one.
std::vector<std::string> kvm_values(std::span<std::string const> argv, std::string_view option);

// "type=tap,script=/x" has two properties; a comma of a value is written twice.
struct KvmProperty {
  std::string name;  // empty: the value stands alone
  std::string value;

  bool operator==(KvmProperty const&) const = default;
};
std::vector<KvmProperty> kvm_properties(std::string_view word);
// The last one of that name, which counts; empty where there is none.
std::string kvm_property(std::string_view word, std::string_view name);

}  // namespace flotte::node
