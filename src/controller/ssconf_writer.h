// SsconfWriter: keeps the files ssconf_<key> on every node as the configuration says.
//
// One thread of the controller. It writes after each change; where changes come faster than the
// nodes are written to, several at once. A node that was out of reach gets what it missed. Every
// ten minutes all is sent, whoever changed it on the node.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "rpc/node.h"
#include "store/config_store.h"

namespace flotte::controller {

class SsconfWriter {
 public:
  SsconfWriter(Clock& clock, store::ConfigStore& config, rpc::Node& nodes,
               std::int64_t leader_epoch);
  ~SsconfWriter();

  void start();
  void stop();

  // Something was committed. From any thread.
  void wake();
  // Waits until what is committed now was sent to all nodes, or for so long. One that lacks
  // something is tried once more.
  void wait(Duration longest);
  // Sends all to every node at once, whatever it has, and waits, for so long at most. Of each node
  // that could not be written to one sentence.
  std::vector<std::string> write_anew(Duration longest);

 private:
  struct Known {
    schema::json::object files;  // that the node has
    Instant retry_at{};          // it was out of reach, or refused
    std::string fault;           // why
  };

  void run();
  bool wait_for(std::unique_lock<std::mutex>& guard, std::uint64_t wanted, Duration longest);
  std::vector<std::string> faults() const;
  bool is_stopping();
  Instant write_all(model::Cluster const& cluster);

  Clock& clock_;
  store::ConfigStore& config_;
  rpc::Node& nodes_;
  std::int64_t const leader_epoch_;
  // Of its thread alone.
  std::map<NodeId, Known> known_;
  std::int64_t number_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t committed_ = 1;  // counts changes; the first is what was there at the start
  std::uint64_t written_ = 0;    // of these
  std::size_t waiting_ = 0;      // for what is committed to be written
  bool is_wanted_anew_ = false;
  bool is_retry_wanted_ = false;
  std::vector<std::string> faults_;  // of the last round
  bool is_stopping_ = false;
  std::thread thread_;
};

}  // namespace flotte::controller
