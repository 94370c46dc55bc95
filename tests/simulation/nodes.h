// SimulatedNodes: the way from a controller to its nodes, and the node daemons' discipline of
// calls, in front of a FakeNode that keeps what there is on each node. Calls take time, get lost,
// come late, and daemons and machines die under them.
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "node/daemon/call_table.h"
#include "node/daemon/instance_turns.h"
#include "rpc/fake_node.h"
#include "scheduler.h"

namespace flotte::simulation {

namespace json = boost::json;

// What befalls the next call of a job on a node.
enum class Mishap {
  None,
  RequestLost,   // it never arrives
  AnswerLost,    // it is done, and nobody is told
  Late,          // it arrives long after the caller gave up
  Twice,         // it arrives a second time, later
  Slow,          // it takes a minute longer
  Error,         // it fails, with nothing done
  DiesAtStart,   // a guest that ends while it starts
  NeverAnswers,  // QMP hangs: it works until it is told to stop
};

class SimulatedNodes final : public rpc::Node {
 public:
  // A place where a process may die; `node` is null on the controller's side.
  using Point = std::function<void(std::string_view what, NodeId const* node)>;
  // After something changed on a node.
  using Changed = std::function<void(NodeId const& node)>;

  SimulatedNodes(Scheduler& scheduler, std::uint64_t seed);
  ~SimulatedNodes() override;

  // Before a deed; `highest` is the highest leader epoch that the node has seen.
  using Deed = std::function<void(rpc::CallContext const& context, std::string_view call,
                                  std::int64_t highest)>;

  void on_deed(Deed deed) { deed_ = std::move(deed); }
  void on_point(Point point) { point_ = std::move(point); }
  void on_changed(Changed changed) { changed_ = std::move(changed); }

  Result<json::value> invoke(model::Node const& node, std::string_view call,
                             json::object const& arguments, rpc::CallContext const& context,
                             rpc::Progress const& progress) override;

  rpc::FakeNode& fake() { return fake_; }
  void add(NodeId const& node);
  void arm(NodeId const& node, Mishap mishap);
  // Calls at work end where they are; guests are not touched.
  void kill_daemon(NodeId const& node);
  // Where none runs.
  void start_daemon(NodeId const& node);
  bool has_daemon(NodeId const& node) const;
  // Null: it is down.
  std::shared_ptr<Process> daemon_process(NodeId const& node) const;
  void hang_daemon(NodeId const& node, Duration duration);
  // Guests die, disks are no longer assembled.
  void lose_power(NodeId const& node);
  void kill_guest(NodeId const& node, std::string const& instance);
  void guest_powers_off(NodeId const& node, std::string const& instance);
  // Of operations, from now on; all of them succeed at once to begin with.
  void set_hooks(NodeId const& node, std::string_view phase, rpc::FakeHook const& hook);
  // What is written to disks takes so much longer from now on.
  void slow_down(Duration longer) { longer_ = longer; }
  static bool writes_to_disks(std::string_view call);
  // A silent guest has heard what it was asked, and gets back what it should have.
  void answer(NodeId const& node, std::string const& instance);
  // All armed mishaps are forgotten.
  void calm();

  std::uint64_t deeds() const { return deeds_; }

 private:
  struct Daemon;
  struct Machine {
    std::shared_ptr<Daemon> daemon;
    Mishap armed = Mishap::None;
  };
  struct Request;

  Result<json::value> deliver(std::shared_ptr<Request> const& request,
                              rpc::Progress const& progress, Instant deadline);
  Result<json::value> carry_out(Daemon& daemon, Request const& request,
                                rpc::Progress const& progress);
  Result<void> work(Request const& request, rpc::Progress const& progress);
  void deliver_later(std::shared_ptr<Request> request, Duration delay);
  // What guests were asked for is followed until none lacks anything.
  void follow(NodeId const& node);
  void point(std::string_view what, NodeId const* node);
  Duration draw(Duration least, Duration most);

  Scheduler& scheduler_;
  SeededRandom random_;
  rpc::FakeNode fake_;
  std::map<NodeId, Machine> machines_;
  std::shared_ptr<Process> network_;
  std::uint64_t deeds_ = 0;
  Duration longer_{};
  Point point_;
  Changed changed_;
  Deed deed_;
};

}  // namespace flotte::simulation
