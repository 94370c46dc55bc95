// RemoteServer: the remote API on its port for as long as the machine has a cluster and there is a
// certificate; one that was renewed is taken up. What is wrong with it
// stands in the log and harms nothing else. A thread of its own looks.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/paths.h"
#include "controller/remote_settings.h"
#include "net/server.h"
#include "rapi/remote_api.h"
#include "store/config_store.h"

namespace flotte::controller {

class RemoteServer {
 public:
  // WrongInput: RAPI_ARGS can't be understood; it is logged, and nothing is served.
  RemoteServer(Paths paths, rapi::Services services);
  ~RemoteServer();  // stop()
  RemoteServer(RemoteServer const&) = delete;
  RemoteServer& operator=(RemoteServer const&) = delete;

  // Looks now whether there is a cluster.
  void wake();
  // Ends every connection, and waits for those that are being answered.
  void stop();

 private:
  void run();
  void look();
  Result<void> begin();
  void tell_once(std::string const& trouble);

  Paths const paths_;
  Clock& clock_;
  RemoteSettings settings_;
  store::ConfigStore const& config_;
  rapi::Accounts accounts_;
  std::unique_ptr<rapi::RemoteApi> api_;

  // Of the thread alone.
  std::unique_ptr<net::Server> server_;
  std::string certificate_;  // identity of what is shown
  std::string trouble_;      // what was told last

  std::mutex mutex_;
  std::condition_variable wakeup_;
  bool is_woken_ = false;
  bool is_stopping_ = false;
  std::thread thread_;
};

}  // namespace flotte::controller
