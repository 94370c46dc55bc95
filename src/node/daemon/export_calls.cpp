#include "node/daemon/export_calls.h"

#include <unistd.h>

#include <charconv>

#include "base/lookup.h"
#include "node/exports/dump_stream.h"
#include "node/storage/disk_copy.h"
#include "node/storage/transfer_progress.h"
#include "rpc/wire.h"
#include "sys/deeds.h"

namespace flotte::node {
namespace {

// The number that an export script writes: how many bytes it will be.
class PredictedSize {
 public:
  explicit PredictedSize(int fd) : fd_(fd) {}

  // 0 as long as nobody knows.
  std::int64_t get() {
    if (size_ > 0) return size_;
    char buffer[64];
    auto const got = ::read(fd_, buffer, sizeof buffer);
    if (got > 0 && said_.size() < sizeof buffer)
      said_.append(buffer, static_cast<std::size_t>(got));
    auto const end = said_.find('\n');
    if (end != std::string::npos) std::from_chars(said_.data(), said_.data() + end, size_);
    return size_;
  }

 private:
  int fd_;
  std::string said_;
  std::int64_t size_ = 0;
};

// Lines that a script says, and how far it is while it says none.
sys::LineSink told_of(TransferProgress& told, rpc::Progress const& progress,
                      std::function<std::int64_t()> bytes) {
  return [&told, &progress, bytes = std::move(bytes)](std::string_view line) {
    if (!line.empty()) return !progress || progress(rpc::say_line(line));
    return told.tell(bytes());
  };
}

Result<rpc::DiskSpec const*> disk_at(rpc::InstanceSpec const& spec, std::int64_t index) {
  auto const count = static_cast<std::int64_t>(spec.disks.size());
  if (index >= 0 && index < count) return &spec.disks[static_cast<std::size_t>(index)];
  return fail(ErrorCode::WrongInput, "Instance {} has no disk {}", spec.name, index);
}

Result<void> check_same(rpc::ImportDisk const& call, rpc::Dump const& found) {
  if (call.dump.checksum.empty()) return {};
  if (found.size == call.dump.size && found.checksum == call.dump.checksum) return {};
  return fail(ErrorCode::WrongState,
              "{}/{} isn't what was exported: its checksum is another one; restore it from where "
              "it was kept, or export the instance again",
              call.path, call.dump.file);
}

}  // namespace

void ExportCalls::add_to(rpc::Dispatcher& dispatcher) {
  using rpc::CallContext;
  using rpc::Nothing;
  using rpc::Progress;
  dispatcher.on<rpc::ExportDisk>([this](rpc::ExportDisk const& call, CallContext const&,
                                        Progress const& progress) {
    return turns_.take(call.instance.name, progress, [&] { return export_disk(call, progress); });
  });
  dispatcher.on<rpc::ImportDisk>([this](rpc::ImportDisk const& call, CallContext const&,
                                        Progress const& progress) {
    return turns_.take(call.instance.name, progress, [&] { return import_disk(call, progress); });
  });
  dispatcher.on<rpc::ExportFinish>(
      [this](rpc::ExportFinish const& call, CallContext const&, Progress const& progress) {
        return turns_.take(call.instance, progress, [&]() -> Result<Nothing> {
          TRY(exports_.finish(call));
          return Nothing{};
        });
      });
  dispatcher.on<rpc::ExportRemove>(
      [this](rpc::ExportRemove const& call, CallContext const&, Progress const& progress) {
        return turns_.take(call.instance, progress, [&]() -> Result<Nothing> {
          TRY(exports_.remove(call.export_name));
          return Nothing{};
        });
      });
  dispatcher.on<rpc::ExportList>([this](rpc::ExportList const&, CallContext const&,
                                        Progress const&) { return exports_.list(); });
  dispatcher.on<rpc::ExportInfo>([this](rpc::ExportInfo const& call, CallContext const&,
                                        Progress const&) { return exports_.info(call.path); });
}

Result<std::vector<std::string>> ExportCalls::disk_paths(rpc::InstanceSpec const& spec,
                                                         bool from_snapshot) const {
  TRY(check_instance_name(spec.name));
  // A disk has one writer, and that would be its guest.
  if (!from_snapshot && hypervisors_.is_running(spec.name)) {
    return fail(ErrorCode::WrongState, "Instance {} is running on this node", spec.name);
  }
  std::vector<std::string> paths;
  for (auto const& disk : spec.disks) {
    paths.push_back(from_snapshot ? TRY(storage_.snapshot_path(spec.name, disk))
                                  : TRY(storage_.fenced_link(spec.name, disk, spec.epoch)));
  }
  return paths;
}

Result<rpc::Dump> ExportCalls::export_disk(rpc::ExportDisk const& call,
                                           rpc::Progress const& progress) {
  auto const& spec = call.instance;
  auto const& disk = *TRY(disk_at(spec, call.index));
  auto const paths = TRY(disk_paths(spec, call.from_snapshot));
  auto const file = disk.disk.uuid.text();
  auto const dump = TRY(exports_.new_dump(spec.name, file));
  auto written = [&]() -> Result<rpc::Dump> {
    if (!spec.os.empty()) return run_export_script(call, dump, paths, progress);
    auto const size = to_bytes(disk.disk.size);
    if (sys::truncate(dump, size.value) != 0) {
      return fail(ErrorCode::EnvironmentError, "Can't write {}: {}", dump,
                  std::generic_category().message(errno));
    }
    PieceChecksum checksum;
    TRY(copy_disk({known_at(paths, static_cast<std::size_t>(call.index)), dump, &checksum},
                  progress));
    return rpc::Dump{.size = size, .checksum = checksum.of(size.value)};
  }();
  // One that was lost meanwhile is the reason of whatever else went wrong, and what came out of it
  // is worth nothing.
  if (call.from_snapshot) TRY(storage_.snapshot_path(spec.name, disk));
  TRY(written);
  written->file = file;
  return written;
}

Result<rpc::Dump> ExportCalls::run_export_script(rpc::ExportDisk const& call,
                                                 std::string const& dump,
                                                 std::vector<std::string> const& paths,
                                                 rpc::Progress const& progress) {
  auto const size_pipe = TRY(sys::Pipe::open());
  TRY(sys::make_nonblocking(size_pipe.read));
  auto const writer = TRY(DumpWriter::start(dump));
  PredictedSize predicted(size_pipe.read.get());
  TransferProgress told("exporting", 0, progress);
  auto const lines = told_of(told, progress, [&] {
    told.set_total(predicted.get());
    return writer->bytes();
  });
  auto const sink = [&](std::string_view line) { return lines(line) && !writer->has_failed(); };
  auto const done =
      os_.export_disk(call.instance,
                      {.index = call.index,
                       .device = known_at(paths, static_cast<std::size_t>(call.index)),
                       .stream = writer->script_end(),
                       .size_fd = size_pipe.write.get(),
                       .debug_level = call.debug_level},
                      paths, sink);
  auto written = writer->finish();
  // Where nothing more could be written, the script's failure is only what followed.
  if (!written) return written;
  TRY(done);
  return written;
}

Result<rpc::Nothing> ExportCalls::import_disk(rpc::ImportDisk const& call,
                                              rpc::Progress const& progress) {
  auto const& spec = call.instance;
  TRY(disk_at(spec, call.index));
  auto const paths = TRY(disk_paths(spec, false));
  if (!spec.os.empty()) {
    TRY(check_same(call, TRY(run_import_script(call, paths, progress))));
    return rpc::Nothing{};
  }
  auto const file = TRY(Exports::open_dump(call.path, call.dump.file));
  // By its descriptor: the file that was looked at.
  auto const from = fmt::format("/proc/self/fd/{}", file.get());
  auto const size = ::lseek(file.get(), 0, SEEK_END);
  PieceChecksum checksum;
  TRY(copy_disk({from, known_at(paths, static_cast<std::size_t>(call.index)), &checksum},
                progress));
  TRY(check_same(call, {.size = {size}, .checksum = checksum.of(size)}));
  return rpc::Nothing{};
}

Result<rpc::Dump> ExportCalls::run_import_script(rpc::ImportDisk const& call,
                                                 std::vector<std::string> const& paths,
                                                 rpc::Progress const& progress) {
  auto file = TRY(Exports::open_dump(call.path, call.dump.file));
  auto const reader =
      TRY(DumpReader::start(fmt::format("{}/{}", call.path, call.dump.file), std::move(file)));
  TransferProgress told("importing", call.dump.size.value, progress);
  TRY(os_.import_disk(call.instance,
                      {.index = call.index,
                       .device = known_at(paths, static_cast<std::size_t>(call.index)),
                       .stream = reader->script_end(),
                       .debug_level = call.debug_level},
                      paths, told_of(told, progress, [&] { return reader->bytes(); })));
  return reader->finish();
}

}  // namespace flotte::node
