#include "node/storage/checksum.h"

#include <array>
#include <cstring>

#include "base/result.h"

namespace flotte::node {

bool is_zeros(std::string_view content) {
  return content.empty() ||
         (content.front() == '\0' &&
          std::memcmp(content.data(), content.data() + 1, content.size() - 1) == 0);
}

PieceChecksum::PieceChecksum() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
  CHECK(context_ && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
}

void PieceChecksum::add(off_t at, std::string_view piece) {
  CHECK(at % piece_bytes == 0 && piece.size() <= static_cast<std::size_t>(piece_bytes));
  if (is_zeros(piece)) return;
  add_number(at);
  CHECK(EVP_DigestUpdate(context_.get(), piece.data(), piece.size()) == 1);
}

std::string PieceChecksum::of(off_t size) {
  add_number(size);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  CHECK(EVP_DigestFinal_ex(context_.get(), digest.data(), &length) == 1);
  std::string text = "sha256-pieces:";
  for (unsigned int i = 0; i < length; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

void PieceChecksum::add_number(off_t number) {
  std::array<unsigned char, 8> bytes{};
  auto rest = static_cast<std::uint64_t>(number);
  for (auto& byte : bytes) {
    byte = static_cast<unsigned char>(rest);
    rest >>= 8;
  }
  CHECK(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
}

}  // namespace flotte::node
