// Ganeti's file of the users of its remote API (docs/ganeti.md, "Remote API"): what stands in a
// line, and a line with another password. What it means is said in rapi/accounts.h. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace flotte::net {

// A larger one is not read.
constexpr std::size_t users_file_bytes_max = 1 << 20;

// Parts of the text that it was found in.
struct UserLine {
  std::size_t number = 0;  // from 1
  std::string_view name;
  std::string_view password;  // empty: there is none
  std::string_view options;   // all that stands behind the password
};
// Without comments and empty lines.
std::vector<UserLine> user_lines(std::string_view text);

// "{HA1}0123": {"ha1", "0123"}. Without a scheme it is "cleartext"; a "{" without its end is the
// scheme "".
struct SchemedPassword {
  std::string scheme;
  std::string_view rest;
};
SchemedPassword scheme_of(std::string_view password);

// Whether somebody of that name could be told from others: one word of printable UTF-8 without a
// colon, which is no comment. The error says what is wrong, without the name.
Result<void> check_user_name(std::string_view name);

// Of options, parted by commas: those of users and of roles, and permissions as far as one can see
// without their table. The error names what is none.
Result<void> check_user_options(std::string_view options);

// The text with another password of that user, in the line that counts, which is the last of that
// name; in a new one where there is none. All else stays, but for the options where they are given.
std::string with_password(std::string_view text, std::string_view name, std::string_view password,
                          std::optional<std::string_view> options);

}  // namespace flotte::net
