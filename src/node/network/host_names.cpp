#include "node/network/host_names.h"

#include <netdb.h>

#include <array>
#include <memory>

#include "node/network/master_address.h"
#include "sys/network.h"

namespace flotte::node {

Result<rpc::ResolvedName> resolve_name(sys::Processes& processes, rpc::ResolveName const& call) {
  constexpr std::size_t bytes_max = 253;
  if (call.hostname.empty() || call.hostname.size() > bytes_max) {
    return fail(ErrorCode::WrongInput, "'{}' is no name of a host", call.hostname);
  }
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_CANONNAME;
  addrinfo* list = nullptr;
  if (auto const error = ::getaddrinfo(call.hostname.c_str(), nullptr, &hints, &list); error != 0) {
    return fail(ErrorCode::UnknownEntity, "The given name ({}) does not resolve: {}", call.hostname,
                ::gai_strerror(error));
  }
  std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> const found(list, ::freeaddrinfo);
  std::array<char, NI_MAXHOST> address{};
  if (::getnameinfo(found->ai_addr, found->ai_addrlen, address.data(), address.size(), nullptr, 0,
                    NI_NUMERICHOST) != 0) {
    return fail(ErrorCode::EnvironmentError, "The address of {} can't be read", call.hostname);
  }
  rpc::ResolvedName resolved{.name = found->ai_canonname ? found->ai_canonname : call.hostname,
                             .ip = address.data()};
  if (call.pings) {
    // This machine's own addresses are nobody's silence.
    resolved.answers =
        sys::has_address(resolved.ip) || TRY(is_address_used(processes, resolved.ip));
  }
  return resolved;
}

}  // namespace flotte::node
