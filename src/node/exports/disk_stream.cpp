#include "node/exports/disk_stream.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "base/lookup.h"

namespace flotte::node {
namespace {

// The number that an export script writes: how many bytes it will be.
class PredictedSize {
 public:
  explicit PredictedSize(int fd) : fd_(fd) {}

  // 0 as long as nobody knows. Also what else is written there is read: who writes it must not
  // wait.
  std::int64_t get() {
    char buffer[4096];
    for (ssize_t got = 0; (got = ::read(fd_, buffer, sizeof buffer)) > 0;) {
      if (said_.size() < sizeof buffer) said_.append(buffer, static_cast<std::size_t>(got));
    }
    auto const end = said_.find('\n');
    if (size_ > 0 || end == std::string::npos) return size_;
    std::from_chars(said_.data(), said_.data() + end, size_);
    return size_ = std::max<std::int64_t>(size_, 0);
  }

 private:
  int fd_;
  std::string said_;
  std::int64_t size_ = 0;
};

// A script may write behind the end of a file, and it grows.
Result<void> check_not_grown(rpc::DiskSpec const& disk, std::string const& path) {
  auto const size = to_bytes(disk.disk.size);
  struct stat now{};
  if (::stat(path.c_str(), &now) != 0 || !S_ISREG(now.st_mode) || now.st_size <= size.value) {
    return {};
  }
  return fail(ErrorCode::WrongInput,
              "The import script wrote {} bytes onto disk {}, which has {}: make it as large as it "
              "was when it was exported",
              now.st_size, disk.index, size.value);
}

}  // namespace

rpc::DiskSpec const& StreamedDisk::disk() const {
  return known_at(instance.disks, static_cast<std::size_t>(index));
}

std::string const& StreamedDisk::path() const {
  return known_at(paths, static_cast<std::size_t>(index));
}

Result<std::int64_t> run_export_script(OsDefinitions& os, StreamedDisk const& from, TakePiece take,
                                       StreamWatcher const& watcher) {
  auto const size_pipe = TRY(sys::Pipe::open());
  TRY(sys::make_nonblocking(size_pipe.read));
  auto const output = TRY(ScriptOutput::start(std::move(take)));
  PredictedSize predicted(size_pipe.read.get());
  auto const done = os.export_disk(
      from.instance,
      {.index = from.index,
       .device = from.path(),
       .stream = output->script_end(),
       .size_fd = size_pipe.write.get(),
       .debug_level = from.debug_level,
       .goes_on = [&] { return output->goes_on(); }},
      from.paths, [&](std::string_view line) {
        if (output->has_failed()) return false;
        return line.empty() ? watcher.is_at(output->bytes(), predicted.get()) : watcher.says(line);
      });
  auto written = output->finish();
  // Where nothing more could be written, the script's failure is only what followed.
  if (!written) return written;
  TRY(done);
  if (output->is_at_end()) return written;
  return fail(ErrorCode::EnvironmentError,
              "The export script ended and left somebody behind who may still write; what came of "
              "disk {} may not be all",
              from.index);
}

Result<std::int64_t> run_import_script(OsDefinitions& os, StreamedDisk const& to, GivePiece give,
                                       std::int64_t total, StreamWatcher const& watcher) {
  auto const input = TRY(ScriptInput::start(std::move(give)));
  auto const done = os.import_disk(to.instance,
                                   {.index = to.index,
                                    .device = to.path(),
                                    .stream = input->script_end(),
                                    .debug_level = to.debug_level},
                                   to.paths, [&](std::string_view line) {
                                     if (input->has_failed()) return false;
                                     return line.empty() ? watcher.is_at(input->bytes(), total)
                                                         : watcher.says(line);
                                   });
  auto const goes_on = [&] { return watcher.is_at(input->bytes(), total); };
  // Where nothing more came, the script's failure is only what followed.
  if (input->has_failed()) TRY(input->finish(goes_on));
  TRY(done);
  auto const all = TRY(input->finish(goes_on));
  TRY(check_not_grown(to.disk(), to.path()));
  auto const unread = all - input->read_bytes();
  if (unread == 0) return all;
  if (unread == all) {
    return fail(ErrorCode::EnvironmentError,
                "The import script read nothing of the {} bytes that disk {} had", all, to.index);
  }
  watcher.says(
      fmt::format(" - WARNING: The import script did not read the last {} of the {} bytes "
                  "that disk {} had",
                  unread, all, to.index));
  return all;
}

}  // namespace flotte::node
