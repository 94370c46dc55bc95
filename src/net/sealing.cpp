#include "net/sealing.h"

#include <openssl/evp.h>

#include <array>
#include <cstdint>
#include <vector>

#include "net/openssl.h"

namespace flotte::net {
namespace {

constexpr std::size_t key_bytes = 32;
constexpr std::size_t tag_bytes = 16;
// Each key seals one text, so that they need no number of their own.
constexpr std::array<unsigned char, 12> nonce{};

using Context = Openssl<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>;

unsigned char const* bytes(std::string_view text) {
  return reinterpret_cast<unsigned char const*>(text.data());
}
unsigned char* bytes(std::string& text) {
  return reinterpret_cast<unsigned char*>(text.data());
}

}  // namespace

std::string sealing_key(Random& random) {
  std::vector<std::uint8_t> drawn(key_bytes);
  random.fill(drawn);
  return {drawn.begin(), drawn.end()};
}

// The text as a cipher of the same length, and the tag.
std::string sealed(std::string_view text, std::string_view key) {
  CHECK(key.size() == key_bytes);
  Context const context(EVP_CIPHER_CTX_new());
  std::string out(text.size() + tag_bytes, '\0');
  int length = 0;
  auto const is_done = EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, bytes(key),
                                          nonce.data()) == 1 &&
                       EVP_EncryptUpdate(context.get(), bytes(out), &length, bytes(text),
                                         static_cast<int>(text.size())) == 1 &&
                       EVP_EncryptFinal_ex(context.get(), bytes(out) + length, &length) == 1 &&
                       EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, tag_bytes,
                                           bytes(out) + text.size()) == 1;
  CHECK(is_done);
  return out;
}

Result<std::string> unsealed(std::string_view sealed, std::string_view key) {
  if (key.size() != key_bytes || sealed.size() < tag_bytes) {
    return fail(ErrorCode::InternalError, "What is sealed, or its key, is incomplete");
  }
  Context const context(EVP_CIPHER_CTX_new());
  auto const size = sealed.size() - tag_bytes;
  std::string tag(sealed.substr(size));
  std::string text(size, '\0');
  int length = 0;
  auto const is_right =
      EVP_DecryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, bytes(key), nonce.data()) ==
          1 &&
      EVP_DecryptUpdate(context.get(), bytes(text), &length, bytes(sealed),
                        static_cast<int>(size)) == 1 &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, tag_bytes, bytes(tag)) == 1 &&
      EVP_DecryptFinal_ex(context.get(), bytes(text) + length, &length) == 1;
  if (!is_right) {
    return fail(ErrorCode::InternalError, "What is sealed was changed, or the key is another one");
  }
  return text;
}

}  // namespace flotte::net
