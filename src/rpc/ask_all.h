// Many nodes asked at the same time: one that is away holds up no other. Thread-safe.
#pragma once

#include <map>
#include <vector>

#include "base/boundary.h"
#include "base/parallel.h"
#include "rpc/node.h"

namespace flotte::rpc {

inline constexpr std::size_t asked_at_once = 16;

template <class T>
using OfNodes = std::map<NodeId, Result<T>>;

// What `ask(node)`, a Result, says of each node. It is called on several threads at a time.
template <class Ask>
auto at_each(Clock& clock, std::vector<model::NodePtr> const& nodes, Ask const& ask) {
  using Answer = std::invoke_result_t<Ask const&, model::NodePtr const&>;
  std::map<NodeId, Answer> answers;
  std::vector<Answer*> places;
  for (auto const& node : nodes) {
    auto const none = fail(ErrorCode::InternalError, "Node {} was not asked", node->name);
    places.push_back(&answers.emplace(node->uuid, none).first->second);
  }
  parallel(clock, nodes.size(), asked_at_once, [&](std::size_t i) {
    *places[i] = boundary("A question to " + nodes[i]->name, [&] { return ask(nodes[i]); });
  });
  return answers;
}

// The same question to each. The time is one for all: who has not been asked when it is over
// counts as away.
template <class Call>
OfNodes<typename Call::Reply> ask_all(Clock& clock, Node& node_seam,
                                      std::vector<model::NodePtr> const& nodes, Call const& call,
                                      CallContext const& context) {
  auto const deadline = clock.now() + context.timeout;
  return at_each(clock, nodes, [&](model::NodePtr const& node) -> Result<typename Call::Reply> {
    auto mine = context;
    mine.timeout = std::chrono::ceil<std::chrono::seconds>(deadline - clock.now());
    if (mine.timeout <= std::chrono::seconds::zero()) {
      return fail_as(ErrorClass::Unreachable, ErrorCode::EnvironmentError,
                     "Node {} was not asked: others took {} s to answer", node->name,
                     context.timeout.count());
    }
    return node_seam.ask(*node, call, mine);
  });
}

}  // namespace flotte::rpc
