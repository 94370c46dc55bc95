#include "net/sealing.h"

#include <gtest/gtest.h>

namespace flotte::net {
namespace {

TEST(Sealing, only_the_key_opens_it) {
  SeededRandom random{1};
  auto const key = sealing_key(random);
  for (std::string const text : {"", "x", "a secret\0with bytes"}) {
    auto const box = sealed(text, key);
    EXPECT_EQ(unsealed(box, key).value(), text);
    EXPECT_FALSE(unsealed(box, sealing_key(random)));
  }
  auto const box = sealed("a secret", key);
  EXPECT_EQ(box.find("secret"), std::string::npos);
}

TEST(Sealing, what_was_changed_is_refused) {
  SeededRandom random{1};
  auto const key = sealing_key(random);
  auto const box = sealed("a secret", key);
  for (std::size_t i = 0; i < box.size(); ++i) {
    auto changed = box;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_FALSE(unsealed(changed, key));
    EXPECT_FALSE(unsealed(box.substr(0, i), key));
  }
}

}  // namespace
}  // namespace flotte::net
