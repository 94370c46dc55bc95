// Node: the seam through which a controller asks anything of a node. NodeClient sends over mutual
// TLS, FakeNode obeys or misbehaves. Blocking; thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "model/cluster.h"
#include "rpc/node_calls.h"

namespace flotte::rpc {

// Whose call it is. Node daemons refuse a leadership epoch lower than the highest they have seen,
// a call whose job and step they have already carried out is answered without doing it twice, and
// one that was sent before another they took about the same instance came too late.
struct CallContext {
  std::int64_t leader_epoch = 0;
  std::int64_t job = 0;  // 0: no job's, a read
  std::int64_t step = 0;
  // Grows with every call that a leader sends, repeated ones too. 0: a read, in no order.
  std::int64_t serial = 0;
  std::chrono::seconds timeout{60};
};

// Lines that a long call says while it works; called on the thread of the caller. Returning false
// asks it to stop.
using Progress = std::function<bool(std::string_view line)>;

class Node {
 public:
  virtual ~Node() = default;

  // Unreachable: it is unknown whether the call was carried out; repeating it is harmless.
  virtual Result<json::value> invoke(model::Node const& node, std::string_view call,
                                     json::object const& arguments, CallContext const& context,
                                     Progress const& progress) = 0;

  template <class Call>
  Result<typename Call::Reply> ask(model::Node const& node, Call const& call,
                                   CallContext const& context, Progress const& progress = {}) {
    auto const reply = TRY(invoke(node, Call::name, schema::encode(call), context, progress));
    return schema::decode<typename Call::Reply>(reply, schema::UnknownKeys::Ignore);
  }
};

}  // namespace flotte::rpc
