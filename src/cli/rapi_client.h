// RapiClient: one request of another cluster's remote API, Flotte's or Ganeti's
// (docs/ganeti.md, "Remote API"). Thread-safe.
#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace flotte::net {
class Client;
}

namespace flotte::cli {

namespace json = boost::json;

class Rapi {
 public:
  virtual ~Rapi() = default;

  // `target` is path and query, a body of null is none. What is refused is an error whose message
  // says why; of code UnknownEntity where there is no such thing. Of class Unreachable is what may
  // be asked again: nobody knows whether it was done or, with not_attempted, it was not.
  virtual Result<json::value> ask(std::string const& method, std::string const& target,
                                  json::value const& body) = 0;
};

// In a queue that takes no jobs, or with too much to do: it was not done, and asking again at once
// is of no use.
inline constexpr auto is_busy = ErrorCode::TempInsufficientResources;

struct RapiAccess {
  std::string host;
  std::uint16_t port = 0;
  std::string ca_file;
  std::string username;  // empty: nobody in particular
  std::string password;
  bool is_traced = false;  // each request and its status on standard error
  Duration request_timeout = std::chrono::seconds(60);
};

class RapiClient final : public Rapi {
 public:
  static Result<std::unique_ptr<RapiClient>> create(RapiAccess access);
  ~RapiClient() override;

  Result<json::value> ask(std::string const& method, std::string const& target,
                          json::value const& body) override;

 private:
  RapiClient(RapiAccess access, std::unique_ptr<net::Client> client);

  RapiAccess access_;
  std::string authorization_;
  std::unique_ptr<net::Client> client_;
};

}  // namespace flotte::cli
