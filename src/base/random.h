// Random: where UUIDs, MAC addresses and secrets come from, passed in so that a seed can decide
// everything in a simulation. Thread-safe.
#pragma once

#include <cstdint>
#include <mutex>
#include <random>
#include <span>
#include <string>

namespace flotte {

class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(std::span<std::uint8_t> bytes) = 0;

  // A version 4 UUID (RFC 4122), lower case.
  std::string uuid();
  // 0 <= result < bound.
  std::uint64_t below(std::uint64_t bound);
};

// getrandom(2): fit for secrets.
class SystemRandom final : public Random {
 public:
  void fill(std::span<std::uint8_t> bytes) override;
};

// Repeatable; for tests and the simulation.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : engine_(seed) {}
  void fill(std::span<std::uint8_t> bytes) override;

 private:
  std::mutex mutex_;
  std::mt19937_64 engine_;
};

}  // namespace flotte
