#include "node/daemon/export_calls.h"

#include <sys/stat.h>
#include <unistd.h>

#include <tuple>

#include "base/lookup.h"
#include "node/storage/disk_copy.h"
#include "node/storage/disk_io.h"
#include "node/storage/transfer_progress.h"
#include "rpc/wire.h"
#include "sys/deeds.h"
#include "sys/files.h"

namespace flotte::node {
namespace {

// Of one call's only stream.
StreamWatcher told_of(TransferProgress& told, rpc::Progress const& progress) {
  return {.says = [&progress](
                      std::string_view line) { return !progress || progress(rpc::say_line(line)); },
          .is_at =
              [&told](std::int64_t bytes, std::int64_t total) {
                if (total > 0) told.set_total(total);
                return told.tell(bytes);
              }};
}

// Of a device nobody knows how much there is in it.
Bytes bytes_in_file(std::string const& path) {
  constexpr std::int64_t block_bytes = 512;
  struct stat now{};
  if (::stat(path.c_str(), &now) != 0 || !S_ISREG(now.st_mode)) return {};
  return {now.st_blocks * block_bytes};
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
  dispatcher.on<rpc::ExportCheck>(
      [this](rpc::ExportCheck const& call, CallContext const&, Progress const&) -> Result<Nothing> {
        Bytes room;
        for (auto const& path : call.copied) room = room + bytes_in_file(path);
        TRY(exports_.check(call.instance));
        TRY(exports_.check_room(room));
        return Nothing{};
      });
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
          auto const warns = [&](std::string_view text) {
            if (progress) progress(rpc::say_line(fmt::format(" - WARNING: {}", text)));
          };
          TRY(exports_.finish(call, warns));
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
  dispatcher.on<rpc::ExportDiscard>(
      [this](rpc::ExportDiscard const& call, CallContext const&, Progress const& progress) {
        return turns_.take(call.instance, progress, [&]() -> Result<Nothing> {
          TRY(exports_.discard(call.instance));
          return Nothing{};
        });
      });
  dispatcher.on<rpc::ExportList>([this](rpc::ExportList const&, CallContext const&,
                                        Progress const&) { return exports_.list(); });
  dispatcher.on<rpc::ExportInfo>([this](rpc::ExportInfo const& call, CallContext const&,
                                        Progress const&) { return exports_.info(call.path); });
}

Result<rpc::Dump> ExportCalls::export_disk(rpc::ExportDisk const& call,
                                           rpc::Progress const& progress) {
  auto const& spec = call.instance;
  auto const& disk = *TRY(disk_at(spec, call.index));
  auto const paths = TRY(storage_.copied_paths(spec, call.from_snapshot));
  auto const file = disk.disk.uuid.text();
  auto const dump = TRY(exports_.new_dump(spec.name, file));
  auto written =
      spec.os.empty()
          ? copy_dump(disk, known_at(paths, static_cast<std::size_t>(call.index)), dump, progress)
          : write_dump({spec, call.index, paths, call.debug_level}, dump, progress);
  // Part of it is worth nothing, and others may be waiting for the room.
  if (!written) std::ignore = sys::remove_file(dump);
  // One that was lost meanwhile is the reason of whatever else went wrong, and what came out of it
  // is worth nothing.
  if (call.from_snapshot) TRY(storage_.snapshot_path(spec.name, disk));
  TRY(written);
  written->file = file;
  return written;
}

Result<rpc::Dump> ExportCalls::copy_dump(rpc::DiskSpec const& disk, std::string const& from,
                                         std::string const& dump, rpc::Progress const& progress) {
  TRY(exports_.check_room(bytes_in_file(from)));
  auto const size = to_bytes(disk.disk.size);
  if (sys::truncate(dump, size.value) != 0) return cant("write", dump);
  PieceChecksum checksum;
  Result<void> room;
  auto const goes_on = [&](std::string_view line) {
    room = exports_.check_room({});
    return room && (!progress || progress(line));
  };
  auto const copied = copy_disk({from, dump, &checksum, size.value}, goes_on);
  TRY(room);
  TRY(copied);
  return rpc::Dump{.size = size, .checksum = checksum.of(size.value)};
}

// Zeros take no room in it.
Result<rpc::Dump> ExportCalls::write_dump(StreamedDisk const& from, std::string const& dump,
                                          rpc::Progress const& progress) {
  TRY(exports_.check_room({}));
  sys::Fd const file(sys::open_to_write(dump));
  if (file.get() < 0) return cant("write", dump);
  PieceChecksum checksum;
  // Until the script says how much it will be.
  TransferProgress told("exporting", to_bytes(from.disk().disk.size).value, progress);
  auto const take = [&](std::int64_t at, std::string_view piece) -> Result<void> {
    checksum.add(at, piece);
    if (is_zeros(piece)) return {};
    TRY(exports_.check_room({static_cast<std::int64_t>(piece.size())}));
    return write_at(file.get(), piece, at, dump);
  };
  auto const size = TRY(run_export_script(os_, from, take, told_of(told, progress)));
  if (sys::ftruncate(file.get(), size) != 0 || ::fsync(file.get()) != 0) return cant("write", dump);
  return rpc::Dump{.size = {size}, .checksum = checksum.of(size)};
}

Result<rpc::Nothing> ExportCalls::import_disk(rpc::ImportDisk const& call,
                                              rpc::Progress const& progress) {
  auto const& spec = call.instance;
  TRY(disk_at(spec, call.index));
  auto const paths = TRY(storage_.copied_paths(spec, false));
  auto const file = TRY(Exports::open_dump(call.path, call.dump.file));
  if (!spec.os.empty()) {
    auto const said = fmt::format("{}/{}", call.path, call.dump.file);
    auto const found =
        TRY(read_dump({spec, call.index, paths, call.debug_level}, said, file, progress));
    TRY(check_same(call, found));
    return rpc::Nothing{};
  }
  // By its descriptor: the file that was looked at.
  auto const from = fmt::format("/proc/self/fd/{}", file.get());
  auto const size = ::lseek(file.get(), 0, SEEK_END);
  PieceChecksum checksum;
  TRY(copy_disk({from, known_at(paths, static_cast<std::size_t>(call.index)), &checksum},
                progress));
  TRY(check_same(call, {.size = {size}, .checksum = checksum.of(size)}));
  return rpc::Nothing{};
}

Result<rpc::Dump> ExportCalls::read_dump(StreamedDisk const& to, std::string const& said,
                                         sys::Fd const& file, rpc::Progress const& progress) {
  PieceChecksum checksum;
  TransferProgress told("importing", 0, progress);
  std::int64_t at = 0;
  auto const give = [&](std::span<char> room) -> Result<std::size_t> {
    auto const got = TRY(read_whole(file.get(), room, said));
    checksum.add(at, std::string_view(room.data(), got));
    at += static_cast<std::int64_t>(got);
    return got;
  };
  auto const total = ::lseek(file.get(), 0, SEEK_END);
  ::lseek(file.get(), 0, SEEK_SET);
  auto const size = TRY(run_import_script(os_, to, give, total, told_of(told, progress)));
  return rpc::Dump{.size = {size}, .checksum = checksum.of(size)};
}

}  // namespace flotte::node
