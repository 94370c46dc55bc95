#include "rpc/dispatch.h"

#include "base/utf8.h"

namespace flotte::rpc {

Result<json::value> Dispatcher::dispatch(std::string_view call, json::object const& arguments,
                                         CallContext const& context,
                                         Progress const& progress) const {
  TRY(require(call));
  return handlers_.find(call)->second(arguments, context, progress);
}

Result<void> Dispatcher::require(std::string_view call) const {
  if (handlers_.contains(call)) return {};
  constexpr std::size_t shown_bytes_max = 100;
  return fail(ErrorCode::WrongInput,
              "This node daemon has no call '{}': it is of another version than the controller; "
              "upgrade both to the same",
              beginning_of(call, shown_bytes_max));
}

std::vector<std::string> Dispatcher::names() const {
  std::vector<std::string> names;
  for (auto const& [name, handler] : handlers_) names.push_back(name);
  return names;
}

}  // namespace flotte::rpc
