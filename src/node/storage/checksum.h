// The checksum of a disk's content that costs nothing for what is empty: SHA-256 over all pieces of
// a mebibyte that are not zeros, each behind its offset (8 bytes, the lowest first), and over the
// size (8 bytes) at the end. So a file with holes, the same without them, and a device have the
// same one. One thread.
#pragma once

#include <openssl/evp.h>
#include <sys/types.h>

#include <memory>
#include <string>
#include <string_view>

namespace flotte::node {

constexpr off_t piece_bytes = 1024 * 1024;

bool is_zeros(std::string_view content);

class PieceChecksum {
 public:
  PieceChecksum();

  // A piece that begins at a multiple of piece_bytes and is as long, but for the last one. In
  // order; those of zeros may be left out.
  void add(off_t at, std::string_view piece);
  // "sha256-pieces:…"; nothing can be added any more.
  std::string of(off_t size);

 private:
  void add_number(off_t number);
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace flotte::node
