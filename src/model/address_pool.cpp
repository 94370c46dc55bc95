#include "model/address_pool.h"

#include <algorithm>

#include "base/ip.h"

namespace flotte::model {
namespace {

constexpr int address_bits = 32;

Failure pool_error(ErrorCode code, std::string message) {
  return Failure(Error{code, std::move(message), ErrorClass::Exec});
}

}  // namespace

Result<AddressPool> AddressPool::create(Network const& network,
                                        std::vector<std::string> const& used) {
  auto const cidr = TRY(parse_ipv4_network(network.network));
  auto const size = std::size_t{1} << (address_bits - cidr.prefix);
  if (cidr.prefix < prefix_shortest) {
    return pool_error(
        ErrorCode::WrongInput,
        fmt::format("A big network with {} host(s) is currently not supported. please "
                    "specify at most a /{} network",
                    size, prefix_shortest));
  }
  if (cidr.prefix > prefix_longest) {
    return pool_error(ErrorCode::WrongInput,
                      fmt::format("A network with only {} host(s) is too small, please specify at "
                                  "least a /{} network",
                                  size, prefix_longest));
  }
  AddressPool pool;
  pool.network_ = network.network;
  pool.first_ = cidr.address;
  pool.is_external_.resize(size);
  pool.is_used_.resize(size);
  for (std::size_t i = 0; i < std::min(size, network.ext_reservations.size()); ++i) {
    pool.is_external_[i] = network.ext_reservations[i] == '1';
  }
  for (auto const& address : used) {
    if (auto const place = pool.place_of(address)) pool.is_used_[*place] = true;
  }
  return pool;
}

std::optional<std::size_t> AddressPool::place_of(std::string_view address) const {
  auto const number = ipv4_number(address);
  if (!number || *number < first_ || *number - first_ >= size()) return std::nullopt;
  return *number - first_;
}

Result<std::size_t> AddressPool::known_place(std::string_view address) const {
  if (auto const place = place_of(address)) return *place;
  return pool_error(ErrorCode::WrongInput,
                    fmt::format("{} does not contain {}", network_, address));
}

std::string AddressPool::address_at(std::size_t place) const {
  return ipv4_text(first_ + static_cast<std::uint32_t>(place));
}

Result<bool> AddressPool::is_used(std::string_view address) const {
  return is_used_[TRY(known_place(address))];
}
Result<bool> AddressPool::is_external(std::string_view address) const {
  return is_external_[TRY(known_place(address))];
}

bool AddressPool::is_end(std::string_view address) const {
  auto const place = place_of(address);
  return place && (*place == 0 || *place + 1 == size());
}

Result<void> AddressPool::reserve(std::string_view address) {
  auto const place = TRY(known_place(address));
  if (is_external_[place]) {
    return pool_error(ErrorCode::WrongState,
                      fmt::format("IP {} is already externally reserved", address));
  }
  is_external_[place] = true;
  return {};
}

Result<void> AddressPool::release(std::string_view address) {
  auto const place = TRY(known_place(address));
  if (!is_external_[place]) {
    return pool_error(ErrorCode::WrongState,
                      fmt::format("IP {} is not externally reserved", address));
  }
  is_external_[place] = false;
  return {};
}

std::vector<std::string> AddressPool::free(std::size_t count_max) const {
  std::vector<std::string> addresses;
  for (std::size_t i = 0; i < size() && addresses.size() < count_max; ++i) {
    if (!is_external_[i] && !is_used_[i]) addresses.push_back(address_at(i));
  }
  return addresses;
}

std::size_t AddressPool::free_count() const {
  std::size_t count = 0;
  for (std::size_t i = 0; i < size(); ++i) count += is_external_[i] || is_used_[i] ? 0 : 1;
  return count;
}

std::vector<std::string> AddressPool::external() const {
  std::vector<std::string> addresses;
  for (std::size_t i = 0; i < size(); ++i) {
    if (is_external_[i]) addresses.push_back(address_at(i));
  }
  return addresses;
}

std::string AddressPool::map() const {
  std::string text(size(), '.');
  for (std::size_t i = 0; i < size(); ++i) {
    if (is_external_[i] || is_used_[i]) text[i] = 'X';
  }
  return text;
}

std::string AddressPool::ext_reservations() const {
  std::string text(size(), '0');
  for (std::size_t i = 0; i < size(); ++i) {
    if (is_external_[i]) text[i] = '1';
  }
  return text;
}

bool is_external(Network const& network, std::string_view address) {
  auto const number = ipv4_number(address);
  auto const cidr = parse_ipv4_network(network.network);
  if (!number || !cidr || *number < cidr->address) return false;
  auto const place = std::size_t{*number - cidr->address};
  return place < network.ext_reservations.size() && network.ext_reservations[place] == '1';
}

Result<void> reserve_ends(Network& network) {
  auto pool = TRY(AddressPool::create(network));
  auto const cidr = TRY(parse_ipv4_network(network.network));
  TRY(pool.reserve(ipv4_text(cidr.address)));
  TRY(pool.reserve(ipv4_text(cidr.address + static_cast<std::uint32_t>(pool.size() - 1))));
  if (network.gateway) TRY(pool.reserve(*network.gateway));
  network.ext_reservations = pool.ext_reservations();
  return {};
}

Result<void> check_gateway6(Network const& network) {
  if (!network.gateway6) return {};
  if (!network.network6 || is_in_ipv6_network(*network.gateway6, *network.network6)) return {};
  return fail(ErrorCode::WrongInput,
              "The IPv6 gateway {} is neither in the network {} nor link-local", *network.gateway6,
              *network.network6);
}

}  // namespace flotte::model
