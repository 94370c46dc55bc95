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

// What `ask(node)`, a Result, says of each node; one that stands there twice is asked once. It is
// called on several threads at a time.
template <class Ask>
auto at_each(Clock& clock, std::vector<model::NodePtr> const& nodes, Ask const& ask) {
  using Answer = std::invoke_result_t<Ask const&, model::NodePtr const&>;
  std::map<NodeId, Answer> answers;
  std::vector<std::pair<model::NodePtr, Answer*>> to_ask;
  for (auto const& node : nodes) {
    auto const none = fail(ErrorCode::InternalError, "Node {} was not asked", node->name);
    auto const [place, is_first] = answers.emplace(node->uuid, none);
    if (is_first) to_ask.emplace_back(node, &place->second);
  }
  parallel(clock, to_ask.size(), asked_at_once, [&](std::size_t i) {
    auto const& [node, answer] = to_ask[i];
    *answer = boundary("A question to " + node->name, [&] { return ask(node); });
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
