// Unit: what one kind of opcode does, as the executor sees it, and the adapter that makes one from
// a unit's four functions.
//
// A unit is a struct U with `using Op`, `using Plan` (both with field tables) and static functions,
// called in this order:
//   Result<LockSet>     locks(Op const&, model::Cluster const&)
//   Result<Facts>       inspect(Op const&, model::Cluster const&, NodeReader&)      reads the nodes
//   Result<Plan>        plan(Op const&, model::Cluster const&, Facts const&)        pure
//   Result<json::value> apply(Plan const&, JobContext&)                             acts
// and, where the plan names what nobody could know before (a name that was looked up), with
//   LockSet             plan_locks(Plan const&)                                     pure
// which are asked for together with the others, and then all is decided anew;
// and, where the plan has drawn what only one may have (a MAC address), with
//   std::vector<std::string> claims(Plan const&)                                    pure
// which no other job under way has: of two that drew the same one decides anew, and draws another;
// and, where people can hang scripts on it (docs/hooks.md), with
//   Result<Hooks>       hooks(Op const&, model::Cluster const&, Plan const&)        pure
// which is asked before the first act and again after the last one, then with the cluster as it is
// now; an error then means that what it is about is gone.
// The plan is written to the journal before the first act. After a crash apply() runs again with
// the same plan, and the steps that were done answer from the journal. So apply() must decide by
// the plan and by answers of steps alone.
#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/boundary.h"
#include "base/clock.h"
#include "jobs/hooks.h"
#include "jobs/locks.h"
#include "model/cluster.h"
#include "opcodes/opcode.h"
#include "rpc/ask_all.h"

namespace flotte {
class Random;
}

namespace flotte::jobs {

namespace json = boost::json;
class JobContext;

// A job that a restarted controller could neither go on with nor undo.
struct SetAside {
  JobId job{};
  std::string why;
};

// Reading calls to nodes, while a job decides.
class NodeReader {
 public:
  using Claim = std::function<std::vector<std::string>(std::vector<std::string> const& claims,
                                                       std::size_t count_max)>;

  NodeReader(rpc::Node& nodes, Clock& clock, Random& random, std::int64_t leader_epoch,
             std::function<std::vector<SetAside>()> set_aside,
             std::function<void()> wait_for_ssconf, Claim claim)
      : nodes_(nodes),
        clock_(clock),
        random_(random),
        leader_epoch_(leader_epoch),
        now_(clock.wall()),
        set_aside_(std::move(set_aside)),
        wait_for_ssconf_(std::move(wait_for_ssconf)),
        claim_(std::move(claim)) {}

  template <class Call>
  Result<typename Call::Reply> ask(model::Node const& node, Call const& call) {
    return nodes_.ask(node, call, context());
  }
  // Many nodes, at the same time. Unreachable: not one of them could be reached, which is for the
  // job to wait for.
  template <class Call>
  Result<rpc::OfNodes<typename Call::Reply>> ask_all(std::vector<model::NodePtr> const& nodes,
                                                     Call const& call) {
    return unless_all_are_away(rpc::ask_all(clock_, nodes_, nodes, call, context()));
  }
  // `ask` is called on several threads.
  template <class Ask>
  auto at_each(std::vector<model::NodePtr> const& nodes, Ask const& ask) {
    return rpc::at_each(clock_, nodes, ask);
  }
  // Facts too: drawn while inspecting, so that plan() stays a pure function.
  Random& random() { return random_; }
  WallTime now() const { return now_; }
  std::vector<SetAside> set_aside() const { return set_aside_(); }
  // Claims the first ones that no other job has, as claims() would; that many at most. So who wants
  // the lowest of what is free draws once, however many want it at the same time.
  std::vector<std::string> claim_some_of(std::vector<std::string> const& claims,
                                         std::size_t count_max) const {
    return claim_(claims, count_max);
  }
  // Returns when the nodes have what is committed now, or when that takes long.
  void wait_for_ssconf() const { wait_for_ssconf_(); }

 private:
  static constexpr std::chrono::seconds read_timeout{30};
  template <class T>
  static Result<rpc::OfNodes<T>> unless_all_are_away(rpc::OfNodes<T> answers) {
    for (auto const& [node, answer] : answers) {
      if (answer || answer.error().error_class != ErrorClass::Unreachable) return answers;
    }
    if (answers.empty()) return answers;
    return Failure(answers.begin()->second.error());
  }
  rpc::CallContext context() const {
    return {.leader_epoch = leader_epoch_, .timeout = read_timeout};
  }
  rpc::Node& nodes_;
  Clock& clock_;
  Random& random_;
  std::int64_t leader_epoch_;
  WallTime now_;
  std::function<std::vector<SetAside>()> set_aside_;
  std::function<void()> wait_for_ssconf_;
  Claim claim_;
};

template <class U>
concept HasHooks = requires(typename U::Op const& op, model::Cluster const& cluster,
                            typename U::Plan const& plan) {
  { U::hooks(op, cluster, plan) } -> std::same_as<Result<Hooks>>;
};
template <class U>
concept NamesHooks = requires { &U::hooks; };

template <class U>
concept HasPlanLocks = requires(typename U::Plan const& plan) {
  { U::plan_locks(plan) } -> std::same_as<LockSet>;
};
template <class U>
concept NamesPlanLocks = requires { &U::plan_locks; };

// What is named and expected to have a UUID must be the one that has it: another one may have got
// its name since. Ganeti's words.
template <class Object>
Result<void> check_expected(std::string_view kind, std::string_view name,
                            std::optional<std::string> const& expected, Object const& found) {
  if (!expected || !found || (*found)->uuid.text() == *expected) return {};
  return fail(ErrorCode::ResourceNotUnique,
              "The {}s UUID '{}' does not match the expected UUID '{}' for {} '{}'. Maybe the {} "
              "changed since you submitted this job",
              kind, (*found)->uuid.text(), *expected, kind, name, kind);
}

template <class Op>
Result<void> check_expected_uuids(Op const& op, model::Cluster const& cluster) {
  if constexpr (requires { op.instance_uuid; }) {
    TRY(check_expected("instance", op.instance_name, op.instance_uuid,
                       cluster.instance(op.instance_name)));
  }
  if constexpr (requires { op.node_uuid; }) {
    TRY(check_expected("node", op.node_name, op.node_uuid, cluster.node(op.node_name)));
  }
  if constexpr (requires { op.pnode_uuid; }) {
    if (op.pnode) TRY(check_expected("node", *op.pnode, op.pnode_uuid, cluster.node(*op.pnode)));
  }
  return {};
}

template <class U>
concept HasClaims = requires(typename U::Plan const& plan) {
  { U::claims(plan) } -> std::same_as<std::vector<std::string>>;
};
template <class U>
concept NamesClaims = requires { &U::claims; };

struct Decision {
  json::value plan;
  LockSet locks;  // that the plan wants, too
  std::optional<Hooks> hooks;
  std::vector<std::string> claims;
};

class Unit {
 public:
  virtual ~Unit() = default;
  virtual std::string_view op_id() const = 0;
  virtual Result<LockSet> locks(json::object const& op, model::Cluster const& cluster) const = 0;
  // inspect(), plan() and hooks(); the plan in JSON.
  virtual Result<Decision> decide(json::object const& op, model::Cluster const& cluster,
                                  NodeReader& nodes) const = 0;
  virtual Result<std::vector<std::string>> claims(json::value const& plan) const = 0;
  virtual Result<Hooks> hooks_after(json::object const& op, model::Cluster const& cluster,
                                    json::value const& plan) const = 0;
  virtual Result<json::value> apply(json::value const& plan, JobContext& job) const = 0;
};

template <class U>
class UnitOf final : public Unit {
 public:
  static_assert(HasHooks<U> || !NamesHooks<U>, "hooks() has another signature");
  static_assert(HasPlanLocks<U> || !NamesPlanLocks<U>, "plan_locks() has another signature");
  static_assert(HasClaims<U> || !NamesClaims<U>, "claims() has another signature");
  using Op = typename U::Op;

  std::string_view op_id() const override { return Op::op_id; }

  Result<LockSet> locks(json::object const& op, model::Cluster const& cluster) const override {
    return boundary(op_id(), [&]() -> Result<LockSet> {
      auto const opcode = TRY(opcodes::decode<Op>(op));
      TRY(check_expected_uuids(opcode, cluster));
      return U::locks(opcode, cluster);
    });
  }

  Result<Decision> decide(json::object const& op, model::Cluster const& cluster,
                          NodeReader& nodes) const override {
    return boundary(op_id(), [&]() -> Result<Decision> {
      auto const opcode = TRY(opcodes::decode<Op>(op));
      auto const facts = TRY(U::inspect(opcode, cluster, nodes));
      auto const plan = TRY(U::plan(opcode, cluster, facts));
      Decision decision{json::value(schema::encode(plan)), {}, {}, {}};
      if constexpr (HasPlanLocks<U>) decision.locks = U::plan_locks(plan);
      if constexpr (HasHooks<U>) decision.hooks = TRY(U::hooks(opcode, cluster, plan));
      if constexpr (HasClaims<U>) decision.claims = U::claims(plan);
      return decision;
    });
  }

  Result<std::vector<std::string>> claims([[maybe_unused]] json::value const& plan) const override {
    if constexpr (HasClaims<U>) {
      return boundary(op_id(), [&]() -> Result<std::vector<std::string>> {
        return U::claims(TRY(plan_of(plan)));
      });
    } else {
      return std::vector<std::string>();
    }
  }

  Result<Hooks> hooks_after(json::object const& op, model::Cluster const& cluster,
                            json::value const& plan) const override {
    if constexpr (HasHooks<U>) {
      return boundary(op_id(), [&]() -> Result<Hooks> {
        return U::hooks(TRY(opcodes::decode<Op>(op)), cluster, TRY(plan_of(plan)));
      });
    } else {
      return fail(ErrorCode::InternalError, "{} has no hooks", Op::op_id);
    }
  }

  // Written by the build before, perhaps.
  static Result<typename U::Plan> plan_of(json::value const& plan) {
    return schema::decode<typename U::Plan>(plan, schema::UnknownKeys::Ignore);
  }

  Result<json::value> apply(json::value const& plan, JobContext& job) const override {
    // Always through JSON, so that a run after a crash sees exactly what the first run saw.
    return boundary(op_id(),
                    [&]() -> Result<json::value> { return U::apply(TRY(plan_of(plan)), job); });
  }
};

// The units by op_id.
class UnitTable {
 public:
  template <class U>
  void add() {
    units_.push_back(std::make_unique<UnitOf<U>>());
  }
  Unit const* find(std::string_view op_id) const {
    for (auto const& unit : units_) {
      if (unit->op_id() == op_id) return unit.get();
    }
    return nullptr;
  }

 private:
  std::vector<std::unique_ptr<Unit>> units_;
};

}  // namespace flotte::jobs
