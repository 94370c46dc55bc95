// What is told of a long copy while it works: how far it is, how fast, and how long it will take.
// One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "rpc/dispatch.h"

namespace flotte::node {

class TransferProgress {
 public:
  // `verb`: "copying". Without a total nobody knows how far it is.
  TransferProgress(std::string verb, std::int64_t bytes_total, rpc::Progress const& progress)
      : verb_(std::move(verb)), bytes_total_(bytes_total), progress_(progress) {}

  // False: it shall end. Said a few times a second, whoever calls how often.
  bool tell(std::int64_t bytes_done);
  void set_total(std::int64_t bytes_total) { bytes_total_ = bytes_total; }

 private:
  using SteadyClock = std::chrono::steady_clock;
  std::string verb_;
  std::int64_t bytes_total_;
  rpc::Progress const& progress_;
  SteadyClock::time_point begun_ = SteadyClock::now();
  SteadyClock::time_point told_ = {};
};

// "copying, 193.0 MiB/s, 1m 46s left"
std::string transfer_text(std::string const& verb, std::int64_t bytes_done,
                          std::int64_t bytes_total, double seconds);

}  // namespace flotte::node
