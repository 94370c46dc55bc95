#include "rpc/dispatch.h"

namespace flotte::rpc {

Result<json::value> Dispatcher::dispatch(std::string_view call, json::object const& arguments,
                                         CallContext const& context,
                                         Progress const& progress) const {
  auto const handler = handlers_.find(call);
  if (handler == handlers_.end()) {
    constexpr std::size_t shown_bytes_max = 100;
    return fail(ErrorCode::WrongInput, "This node daemon has no call '{}'",
                call.substr(0, shown_bytes_max));
  }
  return handler->second(arguments, context, progress);
}

}  // namespace flotte::rpc
