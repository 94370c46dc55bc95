// AddressPool: which addresses of a network are free. Of the others, some belong to NICs of
// instances, some are kept from instances (externally reserved); an address may be both. The words
// of errors are Ganeti's (docs/ganeti.md, "Networks"). A value.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/network.h"

namespace flotte::model {

class AddressPool {
 public:
  static constexpr int prefix_shortest = 16;
  static constexpr int prefix_longest = 30;

  // Of a network, and the addresses that NICs have in it. WrongInput: it is no IPv4 network, too
  // large or too small.
  static Result<AddressPool> create(Network const& network,
                                    std::vector<std::string> const& used = {});

  std::size_t size() const { return is_external_.size(); }
  // False also for what is no IPv4 address.
  bool contains(std::string_view address) const { return place_of(address).has_value(); }
  // WrongInput: it is none of the network's.
  Result<bool> is_used(std::string_view address) const;
  Result<bool> is_external(std::string_view address) const;

  // The first and the last: the network itself, and all of it.
  bool is_end(std::string_view address) const;

  // WrongState: it is so already.
  Result<void> reserve(std::string_view address);
  Result<void> release(std::string_view address);

  // The lowest ones, that many at most.
  std::vector<std::string> free(std::size_t count_max) const;
  std::size_t free_count() const;
  std::vector<std::string> external() const;
  // A character an address: X taken, . free.
  std::string map() const;
  // As a Network keeps it.
  std::string ext_reservations() const;

 private:
  std::optional<std::size_t> place_of(std::string_view address) const;
  Result<std::size_t> known_place(std::string_view address) const;
  std::string address_at(std::size_t place) const;

  std::string network_;
  std::uint32_t first_ = 0;
  std::vector<bool> is_external_;
  std::vector<bool> is_used_;
};

// Whether it is kept from instances; false where it is none of the network's.
bool is_external(Network const& network, std::string_view address);
// The network, its last address and its gateway are nobody's: as a new network keeps them.
Result<void> reserve_ends(Network& network);
// Of a gateway that is not the network's own.
Result<void> check_gateway6(Network const& network);

}  // namespace flotte::model
