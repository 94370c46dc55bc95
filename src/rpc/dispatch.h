// Dispatcher: from a call's name and JSON arguments to the function that carries it out, by the
// structs of node_calls.h.
//
// Used by the node daemon and by FakeNode. Fill it once, then use it from any thread.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rpc/node.h"

namespace flotte::rpc {

class Dispatcher {
 public:
  // `function`: Result<Call::Reply>(Call const&, CallContext const&, Progress const&). Progress may
  // be empty. Arguments that this version doesn't know are left out: a newer controller says them,
  // or an older one said them in a journal. What nobody may leave out is a call of another name.
  template <class Call, class Function>
  void on(Function function) {
    handlers_[std::string(Call::name)] =
        [function = std::move(function)](json::object const& arguments, CallContext const& context,
                                         Progress const& progress) -> Result<json::value> {
      auto const call = TRY(schema::decode<Call>(arguments, schema::UnknownKeys::Ignore));
      return json::value(
          schema::encode<typename Call::Reply>(TRY(function(call, context, progress))));
    };
  }

  // An unknown name is refused by name.
  Result<json::value> dispatch(std::string_view call, json::object const& arguments,
                               CallContext const& context, Progress const& progress) const;
  // The same refusal, without carrying anything out.
  Result<void> require(std::string_view call) const;
  std::vector<std::string> names() const;

 private:
  using Handler =
      std::function<Result<json::value>(json::object const&, CallContext const&, Progress const&)>;
  std::map<std::string, Handler, std::less<>> handlers_;
};

}  // namespace flotte::rpc
