// The text of HTTP messages. Inside net only: Session and Client.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace flotte::net {

// Appends "name: value\r\n". Refuses what would begin another line: nobody may smuggle a header in.
Result<void> add_header(std::string& text, std::string_view name, std::string_view value);

// A method or a header's name: letters, digits and a few signs.
bool is_token(std::string_view text);

}  // namespace flotte::net
