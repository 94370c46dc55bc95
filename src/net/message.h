// The text of HTTP messages. Inside net only: Session, SocketStream and Client.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace flotte::net {

// Appends "name: value\r\n". Refuses what would begin another line: nobody may smuggle a header in.
Result<void> add_header(std::string& text, std::string_view name, std::string_view value);

// Appends one chunk of a body that is sent in pieces (RFC 9112, section 7.1). Not for nothing: an
// empty chunk is the last one.
void add_chunk(std::string& text, std::string_view bytes);
inline constexpr std::string_view last_chunk = "0\r\n\r\n";

// A method or a header's name: letters, digits and a few signs.
bool is_token(std::string_view text);

}  // namespace flotte::net
