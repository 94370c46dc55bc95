#include "node/daemon/transfer_calls.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "base/boundary.h"
#include "base/lookup.h"
#include "node/storage/transfer_progress.h"
#include "rpc/wire.h"

namespace flotte::node {
namespace {

using namespace std::chrono_literals;

// As long as Ganeti's tries.
constexpr std::chrono::seconds connect_time_max{200};
constexpr std::chrono::milliseconds tell_interval{250};

Error given_up() {
  return {.code = ErrorCode::EnvironmentError,
          .message = "The transfer was given up",
          .error_class = ErrorClass::Exec};
}

// All disks of an instance at the same time, each on a thread; the caller's tells how far they are.
// As soon as one fails the others are given up: an instance comes whole or not at all.
class AtOnce {
 public:
  AtOnce(Clock& clock, std::string verb, std::size_t count, rpc::Progress const& progress)
      : clock_(clock), progress_(progress), told_(std::move(verb), 0, progress), states_(count) {}

  // `work`: one disk.
  using Work =
      std::function<Result<void>(std::size_t index, StreamWatcher const&, net::GoesOn const&)>;
  Result<void> run(Work const& work) {
    {
      Threads threads{*this};
      for (std::size_t i = 0; i < states_.size(); ++i) {
        threads.all.push_back(clock_.start_thread("disk", [this, i, &work] { run_one(i, work); }));
      }
      while (!look()) {
      }
    }
    look();
    if (failure_) return Failure(*failure_);
    return {};
  }

 private:
  // Joined on whichever way out.
  struct Threads {
    explicit Threads(AtOnce& owner) : of(owner) {}
    ~Threads() {
      if (all.size() < of.states_.size()) of.has_ended_ = true;
      for (auto& thread : all) of.clock_.join(thread);
    }
    Threads(Threads const&) = delete;
    Threads& operator=(Threads const&) = delete;
    AtOnce& of;
    std::vector<std::thread> all = {};
  };
  struct State {
    std::atomic<std::int64_t> bytes = 0;
    std::atomic<std::int64_t> total = 0;
  };

  void run_one(std::size_t index, Work const& work) {
    auto& state = states_[index];
    StreamWatcher const watcher{.says =
                                    [this](std::string_view line) {
                                      std::lock_guard const guard(mutex_);
                                      if (lines_.size() < lines_max) lines_.emplace_back(line);
                                      return !has_ended_.load();
                                    },
                                .is_at =
                                    [this, &state](std::int64_t bytes, std::int64_t total) {
                                      state.bytes = bytes;
                                      state.total = total;
                                      return !has_ended_.load();
                                    }};
    auto const done = boundary("The transfer of a disk", [&] {
      return work(index, watcher, [this] { return !has_ended_.load(); });
    });
    std::lock_guard const guard(mutex_);
    ++done_count_;
    if (!done && !failure_ && !has_ended_) {
      failure_ = done.error();
      failure_->message = fmt::format("Disk {}: {}", index, failure_->message);
    }
    if (!done) has_ended_ = true;
    changed_.notify_all();
  }

  // Tells what there is to tell. True: all are done.
  bool look() {
    std::deque<std::string> lines;
    bool are_done = false;
    {
      std::unique_lock lock(mutex_);
      are_done =
          changed_.wait_for(lock, tell_interval, [this] { return done_count_ == states_.size(); });
      lines.swap(lines_);
    }
    bool goes_on = true;
    for (auto const& line : lines) {
      goes_on = (!progress_ || progress_(rpc::say_line(line))) && goes_on;
    }
    std::int64_t bytes = 0;
    std::int64_t total = 0;
    for (auto const& state : states_) {
      bytes += state.bytes;
      total += state.total;
    }
    told_.set_total(total);
    if (told_.tell(bytes) && goes_on) return are_done;
    std::lock_guard const guard(mutex_);
    if (!failure_ && !are_done) {
      failure_ = given_up();
    }
    has_ended_ = true;
    return are_done;
  }

  static constexpr std::size_t lines_max = 10'000;  // that nobody has taken yet
  Clock& clock_;
  rpc::Progress const& progress_;
  TransferProgress told_;
  std::vector<State> states_;
  std::atomic<bool> has_ended_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> lines_;
  std::size_t done_count_ = 0;
  std::optional<Error> failure_;
};

}  // namespace

void TransferCalls::add_to(rpc::Dispatcher& dispatcher) {
  using rpc::CallContext;
  using rpc::Nothing;
  using rpc::Progress;
  dispatcher.on<rpc::TransferKeyCreate>([this](rpc::TransferKeyCreate const& call,
                                               CallContext const&,
                                               Progress const&) { return keys_.create(call); });
  dispatcher.on<rpc::TransferKeyRemove>([this](rpc::TransferKeyRemove const& call,
                                               CallContext const&,
                                               Progress const&) -> Result<Nothing> {
    TRY(keys_.remove(call.key_name));
    return Nothing{};
  });
  dispatcher.on<rpc::TransferSendCheck>([this](rpc::TransferSendCheck const& call,
                                               CallContext const&,
                                               Progress const&) -> Result<rpc::PeerCertificate> {
    TRY(check_compressor(compressors_, call.compress));
    return keys_.check(call);
  });
  dispatcher.on<rpc::TransferReceiveCheck>([this](rpc::TransferReceiveCheck const& call,
                                                  CallContext const&,
                                                  Progress const&) -> Result<rpc::PeerCertificate> {
    TRY(check_compressor(compressors_, call.compress));
    return keys_.check(call);
  });
  dispatcher.on<rpc::TransferSend>(
      [this](rpc::TransferSend const& call, CallContext const&, Progress const& progress) {
        return turns_.take(call.instance.name, progress, [&] { return send(call, progress); });
      });
  dispatcher.on<rpc::TransferReceive>(
      [this](rpc::TransferReceive const& call, CallContext const&, Progress const& progress) {
        return turns_.take(call.instance.name, progress, [&] { return receive(call, progress); });
      });
}

Result<rpc::TransferSent> TransferCalls::send(rpc::TransferSend const& call,
                                              rpc::Progress const& progress) {
  auto const& spec = call.instance;
  if (call.peers.size() != spec.disks.size()) {
    return fail(ErrorCode::WrongInput, "{} destinations for {} disks", call.peers.size(),
                spec.disks.size());
  }
  auto const paths = TRY(storage_.copied_paths(spec, call.from_snapshot));
  net::PeerCertificates const certificates{TRY(keys_.load(call.key_name)), call.peer_certificate};
  rpc::TransferSent sent{std::vector<Bytes>(spec.disks.size())};
  auto const send_one = [&](std::size_t index, StreamWatcher const& watcher,
                            net::GoesOn const& goes_on) -> Result<void> {
    auto const& peer = call.peers[index];
    auto const stream = TRY(net::connect_to_peer({peer.host, static_cast<std::uint16_t>(peer.port)},
                                                 certificates, connect_time_max, goes_on));
    DiskTransfer const transfer{{spec, static_cast<std::int64_t>(index), paths, call.debug_level},
                                peer.magic,
                                call.compress};
    sent.sizes[index] = {TRY(send_disk(transfer, os_, compressors_, *stream, watcher, goes_on))};
    // One that was lost meanwhile was not what was sent.
    if (call.from_snapshot) TRY(storage_.snapshot_path(spec.name, spec.disks[index]));
    return {};
  };
  TRY(AtOnce(compressors_.clock, "sending", spec.disks.size(), progress).run(send_one));
  return sent;
}

Result<rpc::Nothing> TransferCalls::receive(rpc::TransferReceive const& call,
                                            rpc::Progress const& progress) {
  auto const& spec = call.instance;
  auto const paths = TRY(storage_.copied_paths(spec, false));
  auto const key = TRY(keys_.make(spec.primary_node, call.address));
  SystemRandom random;
  std::vector<std::unique_ptr<net::PeerListener>> listeners;
  std::vector<rpc::PeerDisk> disks;
  json::array said;
  for (std::size_t i = 0; i < spec.disks.size(); ++i) {
    listeners.push_back(
        TRY(net::PeerListener::open(call.address, {key.pem(), call.peer_certificate})));
    auto& disk = disks.emplace_back(rpc::PeerDisk{
        .host = call.address, .port = listeners.back()->port(), .magic = new_magic(random)});
    disk.signature = TRY(keys_.sign_disk(i, disk));
    said.push_back(json::array{json::string(disk.host), disk.port, json::string(disk.magic),
                               json::string(disk.signature.hmac),
                               json::string(disk.signature.salt)});
  }
  auto const certificate = TRY(keys_.sign_certificate(key.certificate_pem));
  json::object const content{{"disks", std::move(said)}, {"x509_ca", json::string(certificate)}};
  if (progress && !progress(rpc::entry_line("remote-import", content))) {
    return Failure(given_up());
  }
  auto const receive_one = [&](std::size_t index, StreamWatcher const& watcher,
                               net::GoesOn const& goes_on) -> Result<void> {
    auto const stream =
        TRY(listeners[index]->accept(std::chrono::seconds(call.connect_timeout_s), goes_on));
    // One connection a disk.
    listeners[index].reset();
    watcher.says(fmt::format("disk/{} is receiving data on {}", index, spec.primary_node));
    DiskTransfer const transfer{{spec, static_cast<std::int64_t>(index), paths, call.debug_level},
                                disks[index].magic,
                                call.compress};
    return receive_disk(transfer, os_, compressors_, *stream, watcher, goes_on);
  };
  TRY(AtOnce(compressors_.clock, "receiving", spec.disks.size(), progress).run(receive_one));
  return rpc::Nothing{};
}

}  // namespace flotte::node
