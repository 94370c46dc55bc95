#include "cli/move.h"

#include <algorithm>
#include <array>

#include "cli/answers.h"
#include "cli/mover.h"
#include "net/http.h"

namespace flotte::cli {
namespace {

json::value value_of(std::string_view text) {
  return json::value(json::string_view(text));
}

std::string path_of(std::string const& instance) {
  return "/2/instances/" + net::percent_encode(instance);
}

std::string tag_query(std::string_view tag) {
  return "/tags?tag=" + net::percent_encode(tag);
}

// The other side may have done it, or still be at it.
bool leaves_open(Error const& error) {
  return error.error_class == ErrorClass::Unreachable || error.error_class == ErrorClass::JobLost;
}

bool is_about(json::object const& op, std::string_view op_id, std::string const& instance) {
  return text_in(op, "OP_ID") == op_id && text_in(op, "instance_name") == instance;
}

std::optional<std::string> mover_of_job(RemoteJob const& job) {
  for (auto const& op : job.ops) {
    auto const* reason = member(op, "reason");
    if (auto found = reason ? mover_of(*reason) : std::nullopt) return found;
  }
  return std::nullopt;
}

// An import of Ganeti's goes on where a disk did not arrive, and says so in its log only.
bool tells_of_a_missing_disk(std::string const& line) {
  static constexpr std::string_view signs[] = {"failed to receive data",
                                               "were not imported successfully"};
  return std::ranges::any_of(
      signs, [&](std::string_view sign) { return line.find(sign) != std::string::npos; });
}

class Move {
 public:
  Move(RemoteCluster& source, RemoteCluster& destination, MoveOrder const& order, Teller& teller)
      : source_(source), destination_(destination), order_(order), teller_(teller) {}

  Result<void> run();

 private:
  // What an earlier try has left to do.
  enum class Left { Everything, Following, Nothing };

  Result<Left> look();
  Result<Left> look_at_earlier_tries();
  Result<void> begin_to_look(RemoteJob const& earlier);
  Result<Left> go_on_with(RemoteJob const& earlier);
  Result<std::optional<RemoteJob>> export_to_import();
  Result<void> prepare();
  Result<void> create();
  Result<void> try_to_create();
  Result<void> stop_source();
  Result<void> send();
  Result<void> follow();
  Result<void> start_there();
  Result<void> finish();
  Result<void> check_that_nobody_started_it();
  Result<void> start_source();

  Error before_it_was_stopped(Error error);
  Result<void> clear_destination();
  Error give_up(Error const& why);
  Error take_back(std::string const& why);
  Error not_known(Error const& why) const;
  std::string why_it_failed();

  Result<void> look_at(JobFollower& job);
  void cancel(RemoteCluster& cluster, JobFollower const& job);
  Result<void> take_tag_away();
  std::string disk_summary() const;

  RemoteCluster& source_;
  RemoteCluster& destination_;
  MoveOrder const& order_;
  Teller& teller_;

  std::string name_;  // at the source
  std::string name_there_;
  bool is_here_ = false;
  bool is_there_ = false;
  bool is_up_there_ = false;
  bool is_up_ = false;
  bool is_tagged_ = false;
  SourceMachine machine_;
  json::value prepared_;
  json::object body_;

  std::optional<JobFollower> create_;
  std::optional<JobFollower> export_;
  bool is_left_alone_ = false;  // by who submitted the job to create it, which an earlier try was
  json::value import_info_;     // where its disks are waited for; null: not yet
  bool misses_a_disk_ = false;
};

Result<void> Move::run() {
  auto const left = TRY(look());
  if (left == Left::Nothing) return {};
  if (left == Left::Everything) {
    auto const created = prepare().and_then([&] { return create(); });
    if (!created) return Failure(before_it_was_stopped(created.error()));
    if (order_.is_dry_run) return {};
    if (auto const stopped = stop_source(); !stopped) return Failure(give_up(stopped.error()));
    if (auto const sent = send(); !sent) {
      return Failure(leaves_open(sent.error()) ? not_known(sent.error()) : give_up(sent.error()));
    }
  } else if (order_.is_dry_run) {
    teller_.step("an earlier try is not over; without --dry-run this one goes on with it");
    return {};
  }
  if (auto const followed = follow(); !followed) return Failure(not_known(followed.error()));
  auto const is_whole = create_->has_succeeded() && export_->has_succeeded() && !misses_a_disk_;
  if (!is_whole) return Failure(take_back(why_it_failed()));
  if (auto const started = start_there(); !started) {
    auto const& error = started.error();
    if (leaves_open(error)) return Failure(not_known(error));
    return Failure(
        take_back(fmt::format("it does not start on {}: {}", destination_.name(), error.message)));
  }
  return finish();
}

// --- What there is

Result<Move::Left> Move::look() {
  auto const found = TRY(source_.find(path_of(order_.name)));
  is_here_ = found.has_value();
  name_ = found ? text_in(*found, "name") : order_.name;
  name_there_ = order_.placement.name.empty() ? name_ : order_.placement.name;
  if (found) {
    is_up_ = text_in(*found, "admin_state") == "up";
    machine_.tags = list_in(*found, "tags");
    is_tagged_ = std::ranges::find(machine_.tags, value_of(moving_up_tag)) != machine_.tags.end();
    machine_.was_running = is_up_ || is_tagged_;
  }
  auto const there = TRY(destination_.find(path_of(name_there_)));
  is_there_ = there.has_value();
  is_up_there_ = there && text_in(*there, "admin_state") == "up";
  auto const left = TRY(look_at_earlier_tries());
  if (left != Left::Everything) return left;
  if (!is_here_) {
    return fail(ErrorCode::UnknownEntity, "{} has no instance '{}'", source_.name(), name_);
  }
  if (is_there_) {
    return fail(ErrorCode::AlreadyExists,
                "{} already has an instance '{}'; another name is given with --dest-instance-name",
                destination_.name(), name_there_);
  }
  if (is_tagged_ && !is_up_) {
    teller_.step(fmt::format("an earlier try left it stopped on {}", source_.name()));
  }
  return left;
}

Result<Move::Left> Move::look_at_earlier_tries() {
  auto const is_ours = [&](RemoteJob const& job) {
    auto const& op = job.ops[0];
    return text_in(op, "mode") == "remote-import" && text_in(op, "source_instance_name") == name_;
  };
  auto const creations = TRY(destination_.jobs([&](json::object const& op) {
    return is_about(op, "OP_INSTANCE_CREATE", name_there_) && !is_true_in(op, "dry_run");
  }));
  for (auto const& job : creations) {
    auto const has_failed = has_ended(job.status) && job.status != "success";
    if (is_ours(job)) {
      // What it made is gone, or was never there.
      if (has_ended(job.status) && !is_there_) continue;
      TRY(begin_to_look(job));
      if (!has_failed || !import_info_.is_null()) return go_on_with(job);
    } else if (!has_failed) {
      break;  // somebody has made another one since
    }
  }
  create_.reset();
  return Left::Everything;
}

Result<void> Move::begin_to_look(RemoteJob const& earlier) {
  auto const mover = mover_of_job(earlier);
  is_left_alone_ = mover && is_gone(*mover);
  if (!has_ended(earlier.status) && !is_left_alone_) {
    return fail(ErrorCode::WrongState,
                "it is being moved by job {} of {}{}. If nobody looks after that any more: "
                "'gnt-job cancel {}' there, and the same command again",
                earlier.id, destination_.name(), mover ? fmt::format(" ({})", *mover) : "",
                earlier.id);
  }
  create_.emplace(destination_, earlier.id);
  import_info_ = nullptr;
  return look_at(*create_);
}

// Its import listens, or has listened.
Result<Move::Left> Move::go_on_with(RemoteJob const& earlier) {
  auto const is_over = has_ended(earlier.status);
  auto const has_succeeded = earlier.status == "success" && !misses_a_disk_;
  auto const sent = TRY(export_to_import());
  auto const is_sent = sent && (!has_ended(sent->status) || sent->status == "success");
  if (is_sent && (has_succeeded || !is_over)) {
    teller_.step(fmt::format("going on with an earlier try (job {} of {}, job {} of {})",
                             earlier.id, destination_.name(), sent->id, source_.name()));
    export_.emplace(source_, sent->id);
    return Left::Following;
  }
  if (!is_here_ && has_succeeded) {
    teller_.step(fmt::format("was moved before: it is on {}", destination_.name()));
    return Left::Nothing;
  }
  if (has_succeeded && !sent) {
    return fail(ErrorCode::AlreadyExists,
                "job {} of {} brought it there once, but {} knows of no job that sent it all. Look "
                "whether it is whole there, and remove the other one yourself",
                earlier.id, destination_.name(), source_.name());
  }
  // Nobody has ever started what is not whole, and nobody looks after it.
  if (!is_here_ || is_up_there_ || !is_left_alone_) {
    return fail(ErrorCode::AlreadyExists,
                "{} has an instance '{}', and its job {}, which was to bring it there, did not get "
                "all of its disks. Remove it there if it is nothing else, and type the same "
                "command again",
                destination_.name(), name_there_, earlier.id);
  }
  if (order_.is_dry_run) return Left::Following;
  teller_.step(
      fmt::format("an earlier try did not copy everything: removing what its job {} made "
                  "on {}",
                  earlier.id, destination_.name()));
  TRY(clear_destination());
  create_.reset();
  import_info_ = nullptr;
  misses_a_disk_ = false;
  is_there_ = false;
  return Left::Everything;
}

// The job of the source that sends to what the destination listens with.
Result<std::optional<RemoteJob>> Move::export_to_import() {
  auto const certificate = text_in(import_info_, "x509_ca");
  if (certificate.empty()) return std::nullopt;
  auto found = TRY(source_.jobs([&](json::object const& op) {
    return text_in(op, "OP_ID") == "OP_BACKUP_EXPORT" &&
           text_in(op, "destination_x509_ca") == certificate;
  }));
  if (found.empty()) return std::nullopt;
  return std::move(found.front());
}

// --- Before anything is stopped

Result<void> Move::prepare() {
  teller_.info("Retrieving instance information from source cluster");
  auto const infos = TRY(source_.run("GET", path_of(name_) + "/info?static=1"));
  auto const* by_name = infos.empty() ? nullptr : infos[0].if_object();
  if (!by_name || by_name->empty()) {
    return fail(ErrorCode::EnvironmentError, "{} tells nothing of '{}'", source_.name(), name_);
  }
  machine_.info = by_name->begin()->value();
  body_ = TRY(creation_of(machine_, order_.placement, {order_.destination.is_flotte}));
  teller_.info("Preparing export on source cluster");
  auto const prepared = TRY(source_.run("PUT", path_of(name_) + "/prepare-export?mode=remote"));
  prepared_ = prepared.empty() ? json::value() : prepared[0];
  body_ = TRY(with_credentials(std::move(body_), prepared_));
  return {};
}

std::string Move::disk_summary() const {
  std::int64_t size = 0;
  auto const disks = list_in(machine_.info, "disks");
  for (auto const& disk : disks) size += number_in(disk, "size").value_or(0);
  return fmt::format("{} disk{} of {} MiB", disks.size(), disks.size() == 1 ? "" : "s", size);
}

Result<void> Move::create() {
  for (auto left = order_.opportunistic_tries;; --left) {
    body_["opportunistic_locking"] = left > 0;
    auto const made = try_to_create();
    if (made || left <= 0 || made.error().code != ErrorCode::TempInsufficientResources) {
      return made;
    }
    teller_.info("Opportunistic attempt unsuccessful, waiting before another one is made");
    destination_.clock().sleep_for(order_.opportunistic_delay);
  }
}

// Until it listens for the disks.
Result<void> Move::try_to_create() {
  teller_.info(
      fmt::format("Checking whether {} takes instance {}", destination_.name(), name_there_));
  auto const checked = destination_.run("POST", "/2/instances?dry-run=1", body_);
  if (!checked) {
    auto error = checked.error();
    auto const is_secret = error.message.find("andshake") != std::string::npos;
    error.message = fmt::format(
        "{} does not take it: {}{}", destination_.name(), error.message,
        is_secret ? ". Both clusters must have the same secret: 'gnt-cluster renew-crypto "
                    "--cluster-domain-secret=FILE'"
                  : "");
    return Failure(error);
  }
  if (order_.is_dry_run) {
    teller_.step(fmt::format("{}, {} on {}: {} takes it", disk_summary(),
                             machine_.was_running ? "running" : "stopped", source_.name(),
                             destination_.name()));
    return {};
  }
  teller_.info(fmt::format("Creating instance {} in remote-import mode", name_there_));
  auto const ca = text_in(body_, "source_x509_ca");
  auto const id =
      TRY(destination_.submit_once("POST", "/2/instances", body_, [&](json::object const& op) {
        return is_about(op, "OP_INSTANCE_CREATE", name_there_) && !is_true_in(op, "dry_run") &&
               text_in(op, "source_x509_ca") == ca;
      }));
  create_.emplace(destination_, id);
  while (import_info_.is_null() && !create_->has_ended()) TRY(look_at(*create_));
  if (!create_->has_ended()) {
    teller_.step(fmt::format("{} waits for it (job {})", destination_.name(), id));
    return {};
  }
  TRY(create_->results());
  return fail(ErrorCode::EnvironmentError, "job {} of {} ended without waiting for the disks", id,
              destination_.name());
}

// --- The move itself

Result<void> Move::stop_source() {
  if (!is_up_) return {};
  // First: whoever goes on knows by it that the machine is to run.
  if (!is_tagged_) {
    TRY(source_.run("PUT", path_of(name_) + tag_query(moving_up_tag)));
    is_tagged_ = true;
  }
  teller_.info(fmt::format("Shutting down instance {}", name_));
  TRY(source_.run("PUT", path_of(name_) + "/shutdown", json::object()));
  teller_.step(fmt::format("stopped on {}", source_.name()));
  return {};
}

Result<void> Move::send() {
  auto const certificate = text_in(import_info_, "x509_ca");
  json::object const body{{"mode", "remote"},
                          {"destination", list_in(import_info_, "disks")},
                          {"x509_key_name", list_in(prepared_, "x509_key_name")},
                          {"destination_x509_ca", value_of(certificate)},
                          {"shutdown", true},
                          {"remove_instance", false},
                          {"compress", value_of(order_.placement.compress)}};
  teller_.info("Starting remote export on source cluster");
  auto const id =
      TRY(source_.submit_once("PUT", path_of(name_) + "/export", body, [&](json::object const& op) {
        return text_in(op, "OP_ID") == "OP_BACKUP_EXPORT" &&
               text_in(op, "destination_x509_ca") == certificate;
      }));
  export_.emplace(source_, id);
  teller_.step(fmt::format("copying {} (job {} of {})", disk_summary(), id, source_.name()));
  return {};
}

// Until both jobs have ended. One that fails takes the other one with it.
Result<void> Move::follow() {
  bool is_canceled = false;
  while (!create_->has_ended() || !export_->has_ended()) {
    if (!export_->has_ended()) TRY(look_at(*export_));
    if (!create_->has_ended()) TRY(look_at(*create_));
    auto const is_lost = (export_->has_ended() && !export_->has_succeeded()) ||
                         (create_->has_ended() && !create_->has_succeeded());
    if (!is_lost || is_canceled) continue;
    is_canceled = true;
    if (!create_->has_ended()) cancel(destination_, *create_);
    if (!export_->has_ended()) cancel(source_, *export_);
  }
  return {};
}

Result<void> Move::look_at(JobFollower& job) {
  auto const is_create = create_ && &job == &*create_;
  return job.look([&](LogLine const& line) {
    if (line.type == "remote-import") {
      teller_.info("Received remote import information");
      if (is_create) import_info_ = line.content;
      return;
    }
    auto const said = text(line.content);
    if (is_create && tells_of_a_missing_disk(said)) misses_a_disk_ = true;
    teller_.info(said);
    teller_.progress(said);
  });
}

void Move::cancel(RemoteCluster& cluster, JobFollower const& job) {
  teller_.info(fmt::format("Canceling job {} of {}", job.id(), cluster.name()));
  // Should it not be possible, the job ends by itself: nobody is at its other end.
  auto const done = cluster.cancel(job.id());
  if (!done) teller_.info(done.error().message);
}

// --- When all went well

// Flotte's import has done so.
Result<void> Move::start_there() {
  if (!machine_.was_running || order_.destination.is_flotte) return {};
  auto const found = TRY(destination_.find(path_of(name_there_)));
  if (found && text_in(*found, "admin_state") == "up") return {};
  teller_.info(fmt::format("Starting instance {} on {}", name_there_, destination_.name()));
  TRY(destination_.run("PUT", path_of(name_there_) + "/startup"));
  return {};
}

Result<void> Move::finish() {
  teller_.step(fmt::format("is on {} now{}", destination_.name(),
                           machine_.was_running ? ", and was started" : ""));
  if (order_.keeps_source) {
    TRY(take_tag_away());
    teller_.step(fmt::format("stays on {}, stopped", source_.name()));
    return {};
  }
  TRY(check_that_nobody_started_it());
  auto const removed = source_.run("DELETE", path_of(name_));
  // An answer that was lost is no failure.
  auto const is_gone = removed || !TRY(source_.find(path_of(name_)));
  if (is_gone) {
    teller_.step(fmt::format("removed from {}", source_.name()));
    return {};
  }
  return fail(ErrorCode::EnvironmentError,
              "it was moved to {}, but could not be removed from {}: {}. The same command again "
              "tries it once more",
              destination_.name(), source_.name(), removed.error().message);
}

// Whoever did that has newer disks than the destination.
Result<void> Move::check_that_nobody_started_it() {
  auto const found = TRY(source_.find(path_of(name_)));
  if (!found) return {};
  auto const later = TRY(source_.jobs([&](json::object const& op) {
    return is_about(op, "OP_INSTANCE_STARTUP", name_) ||
           is_about(op, "OP_INSTANCE_REBOOT", name_) ||
           is_about(op, "OP_INSTANCE_REINSTALL", name_);
  }));
  auto const is_started = std::ranges::any_of(later, [&](RemoteJob const& job) {
    return job.id > export_->id() && job.status != "error" && job.status != "canceled";
  });
  if (!is_started && text_in(*found, "admin_state") != "up") return {};
  return fail(ErrorCode::WrongState,
              "somebody has started it on {} since it was copied to {}: it is on both, and nothing "
              "was removed. Stop one of them at once",
              source_.name(), destination_.name());
}

Result<void> Move::take_tag_away() {
  if (!is_tagged_) return {};
  TRY(source_.run("DELETE", path_of(name_) + tag_query(moving_up_tag)));
  is_tagged_ = false;
  return {};
}

// --- When something went wrong

std::string Move::why_it_failed() {
  for (auto const& [job, cluster] :
       {std::pair{&*create_, &destination_}, std::pair{&*export_, &source_}}) {
    auto const results = job->results();
    if (results || results.error().error_class == ErrorClass::JobCanceled) continue;
    return fmt::format("job {} of {} failed: {}", job->id(), cluster->name(),
                       results.error().message);
  }
  return misses_a_disk_ ? fmt::format("not every disk arrived on {}", destination_.name())
                        : "a job of it was canceled";
}

Error Move::before_it_was_stopped(Error error) {
  if (create_ && !create_->has_ended()) {
    error.message += fmt::format(". Job {} of {} ends by itself, since nothing will come",
                                 create_->id(), destination_.name());
  } else if (create_ && destination_.find(path_of(name_there_)).value_or(std::nullopt)) {
    error.message += fmt::format(". Look at what is left of it on {}", destination_.name());
  }
  error.message += is_up_       ? fmt::format(". It runs on {} as before", source_.name())
                   : is_tagged_ ? fmt::format(
                                      ". It is still stopped on {} since an earlier try: "
                                      "'gnt-instance startup {}' starts it there",
                                      source_.name(), name_)
                                : "";
  return error;
}

Error Move::not_known(Error const& why) const {
  auto const sending =
      export_ ? fmt::format(" and job {} of {}", export_->id(), source_.name()) : "";
  return Error{why.code,
               fmt::format("{}. Nobody knows whether {} has all of it: so it is not started on {} "
                           "again, nor removed. Look at job {} of {}{} ('gnt-job info'); the same "
                           "command again goes on from there",
                           why.message, destination_.name(), source_.name(), create_->id(),
                           destination_.name(), sending)};
}

// What the destination has made and does not have all of.
Result<void> Move::clear_destination() {
  if (!create_->has_ended()) cancel(destination_, *create_);
  while (!create_->has_ended()) TRY(look_at(*create_));
  // Where it never listened, whatever has the name is none of ours.
  if (import_info_.is_null() || !TRY(destination_.find(path_of(name_there_)))) return {};
  teller_.info(fmt::format("Removing what was made of {} on {}", name_there_, destination_.name()));
  auto const removed = destination_.run("DELETE", path_of(name_there_));
  if (removed || !TRY(destination_.find(path_of(name_there_)))) return {};
  return Failure(removed.error());
}

Error Move::give_up(Error const& why) {
  return take_back(why.message);
}

Error Move::take_back(std::string const& why) {
  if (auto const cleared = clear_destination(); !cleared) {
    if (leaves_open(cleared.error())) return not_known(cleared.error());
    return Error{ErrorCode::WrongState,
                 fmt::format("{}. What {} has made of it could not be removed: {}. So it is not "
                             "started on {} again: remove it there first ('gnt-instance remove "
                             "{}'), then 'gnt-instance startup {}' here",
                             why, destination_.name(), cleared.error().message, source_.name(),
                             name_there_, name_)};
  }
  if (auto const started = start_source(); !started) {
    return Error{ErrorCode::WrongState,
                 fmt::format("{}. It is stopped on {}, and could not be started again there: {}",
                             why, source_.name(), started.error().message)};
  }
  return Error{ErrorCode::WrongState,
               fmt::format("{}. It is on {} as before{}", why, source_.name(),
                           machine_.was_running ? ", and runs" : "")};
}

Result<void> Move::start_source() {
  if (!machine_.was_running || !is_tagged_) return {};
  teller_.info(fmt::format("Starting instance {} again", name_));
  TRY(source_.run("PUT", path_of(name_) + "/startup"));
  if (auto const taken = take_tag_away(); !taken) teller_.warning(taken.error().message);
  return {};
}

}  // namespace

ClusterTraits traits_of(json::value const& info) {
  ClusterTraits traits;
  traits.uuid = text_in(info, "uuid");
  traits.is_flotte = text_in(info, "vcs_version").find("flotte") != std::string::npos;
  traits.software = fmt::format("{} {}", traits.is_flotte ? "Flotte, as Ganeti" : "Ganeti",
                                text_in(info, "software_version"));
  traits.has_allocator = !text_in(info, "default_iallocator").empty();
  if (member(info, "compression_tools")) {
    traits.compression_tools.emplace();
    for (auto const& tool : list_in(info, "compression_tools")) {
      traits.compression_tools->push_back(text(tool));
    }
  }
  return traits;
}

Result<void> move(RemoteCluster& source, RemoteCluster& destination, MoveOrder const& order,
                  Teller& teller) {
  return Move(source, destination, order, teller).run();
}

}  // namespace flotte::cli
