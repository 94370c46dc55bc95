#include "net/passwords.h"

#include <argon2.h>

#include <array>
#include <charconv>
#include <optional>
#include <vector>

#include "base/result.h"

namespace flotte::net {
namespace {

// What OWASP recommends of Argon2id.
constexpr std::uint32_t passes = 2;
constexpr std::uint32_t memory_kib = 19 * 1024;
constexpr std::uint32_t lanes = 1;
constexpr std::size_t salt_bytes = 16;
constexpr std::size_t hash_bytes = 32;

// Of hashes that others have made.
constexpr std::uint32_t passes_max = 16;
constexpr std::uint32_t memory_kib_max = 256 * 1024;
constexpr std::uint32_t lanes_max = 16;
constexpr std::size_t text_bytes_max = 512;

bool take(std::string_view& text, std::string_view begin) {
  if (!text.starts_with(begin)) return false;
  text.remove_prefix(begin.size());
  return true;
}

std::optional<std::uint32_t> take_number(std::string_view& text) {
  std::uint32_t number = 0;
  auto const [at, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(at - text.data()));
  return number;
}

// A digit of base64 as Argon2 writes it, without padding.
bool is_base64(std::string_view text) {
  return !text.empty() && text.find_first_not_of(
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                              "0123456789+/") == std::string_view::npos;
}

}  // namespace

std::string hash_of_password(std::string_view password, Random& random) {
  std::array<std::uint8_t, salt_bytes> salt{};
  random.fill(salt);
  std::vector<char> text(
      argon2_encodedlen(passes, memory_kib, lanes, salt_bytes, hash_bytes, Argon2_id));
  CHECK(argon2id_hash_encoded(passes, memory_kib, lanes, password.data(), password.size(),
                              salt.data(), salt.size(), hash_bytes, text.data(),
                              text.size()) == ARGON2_OK);
  return text.data();
}

bool is_hash_of_password(std::string const& hash) {
  std::string_view rest = hash;
  if (hash.size() > text_bytes_max || !take(rest, "$argon2id$v=19$m=")) return false;
  auto const memory = take_number(rest);
  if (!memory || *memory > memory_kib_max || !take(rest, ",t=")) return false;
  auto const times = take_number(rest);
  if (!times || *times == 0 || *times > passes_max || !take(rest, ",p=")) return false;
  auto const threads = take_number(rest);
  if (!threads || *threads == 0 || *threads > lanes_max || !take(rest, "$")) return false;
  // Less memory than that Argon2 refuses.
  if (*memory < 8 * *threads) return false;
  auto const end = rest.find('$');
  constexpr std::size_t salt_digits_min = 11;  // 8 bytes
  constexpr std::size_t hash_digits_min = 22;  // 16 bytes
  return end != std::string_view::npos && end >= salt_digits_min &&
         is_base64(rest.substr(0, end)) && rest.size() - end > hash_digits_min &&
         is_base64(rest.substr(end + 1));
}

bool is_password_of(std::string const& hash, std::string_view password) {
  return is_hash_of_password(hash) &&
         argon2id_verify(hash.c_str(), password.data(), password.size()) == ARGON2_OK;
}

}  // namespace flotte::net
