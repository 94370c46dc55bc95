#include "node/hypervisor/kvm/words.h"

namespace flotte::node {
namespace {

bool is_option(std::string_view word, std::string_view option) {
  return word == option || (word.starts_with('-') && word.substr(1) == option);
}

KvmProperty parted(std::string_view part) {
  auto const sign = part.find('=');
  if (sign == std::string_view::npos) return {{}, std::string(part)};
  return {std::string(part.substr(0, sign)), std::string(part.substr(sign + 1))};
}

}  // namespace

std::vector<std::string> kvm_values(std::span<std::string const> argv, std::string_view option) {
  std::vector<std::string> values;
  for (std::size_t i = 0; i + 1 < argv.size(); ++i) {
    if (is_option(argv[i], option)) values.push_back(argv[i + 1]);
  }
  return values;
}

std::vector<KvmProperty> kvm_properties(std::string_view word) {
  std::vector<KvmProperty> properties;
  std::string part;
  for (std::size_t i = 0; i < word.size(); ++i) {
    auto const is_comma = word[i] == ',';
    if (is_comma && (i + 1 == word.size() || word[i + 1] != ',')) {
      properties.push_back(parted(part));
      part.clear();
      continue;
    }
    if (is_comma) ++i;
    part += word[i];
  }
  properties.push_back(parted(part));
  return properties;
}

std::string kvm_property(std::string_view word, std::string_view name) {
  std::string last;
  for (auto& property : kvm_properties(word)) {
    if (property.name == name) last = std::move(property.value);
  }
  return last;
}

}  // namespace flotte::node
