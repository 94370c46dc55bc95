#include "node/storage/disk_copy.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "node/storage/disk_io.h"
#include "node/storage/transfer_progress.h"
#include "sys/deeds.h"

namespace flotte::node {
namespace {

// A device that can't write zeros itself takes its time for them.
constexpr off_t zeros_bytes_max = 64 * piece_bytes;
constexpr off_t report_bytes = 64 * piece_bytes;

class OpenDisk {
 public:
  // `file` was just opened, or errno says why not.
  OpenDisk(std::string path, int file)
      : path_(std::move(path)), file_(file), reason_(file < 0 ? errno : 0) {}
  OpenDisk(OpenDisk const&) = delete;
  OpenDisk& operator=(OpenDisk const&) = delete;
  ~OpenDisk() {
    if (file_ >= 0) ::close(file_);
  }

  Result<void> look() {
    struct stat status{};
    if (file_ < 0) errno = reason_;
    if (file_ < 0 || ::fstat(file_, &status) != 0) {
      return fail(ErrorCode::EnvironmentError, "Can't open {}: {}", path_, errno_text());
    }
    is_file_ = S_ISREG(status.st_mode);
    bytes_ = ::lseek(file_, 0, SEEK_END);
    return {};
  }

  void end_at(off_t bytes) { bytes_ = std::min(bytes_, bytes); }
  std::string const& path() const { return path_; }
  off_t bytes() const { return bytes_; }
  bool is_file() const { return is_file_; }
  int file() const { return file_; }

 private:
  std::string path_;
  int file_;
  int reason_;
  off_t bytes_ = 0;
  bool is_file_ = false;
};

class Copier {
 public:
  Copier(DiskCopy const& copy, rpc::Progress const& progress)
      : from_(copy.from, sys::open_to_read(copy.from)),
        to_(copy.to, sys::open_to_write(copy.to)),
        checksum_(copy.checksum),
        bytes_max_(copy.bytes_max),
        told_("copying", 0, progress) {}

  Result<void> run() {
    TRY(from_.look());
    from_.end_at(bytes_max_);
    TRY(to_.look());
    if (from_.bytes() > to_.bytes()) {
      return fail(ErrorCode::WrongInput, "{} has {} bytes, {} only {}", from_.path(), from_.bytes(),
                  to_.path(), to_.bytes());
    }
    told_.set_total(to_.bytes());
    std::string piece;
    for (off_t at = 0; at < to_.bytes();) {
      auto const data = next_data(at);
      TRY(zeros(at, data));
      if (data >= to_.bytes()) break;
      // What is behind the end of a source that ends within the piece stays zeros.
      auto const length = std::min(piece_bytes, to_.bytes() - data);
      piece.assign(static_cast<std::size_t>(length), '\0');
      auto const has = std::min(length, from_.bytes() - data);
      TRY(read_at(from_.file(), std::span(piece).first(static_cast<std::size_t>(has)), data,
                  from_.path()));
      if (checksum_) {
        checksum_->add(data, std::string_view(piece).substr(0, static_cast<std::size_t>(has)));
      }
      at = data + length;
      TRY(is_zeros(piece) ? zeros(data, at) : write_at(to_.file(), piece, data, to_.path()));
      TRY(report(at));
    }
    TRY(report(to_.bytes()));
    if (::fsync(to_.file()) == 0) return {};
    return cant("write", to_.path());
  }

 private:
  // The piece with the next data, at `at` or later; the end of the target where there is none. Only
  // files know their holes.
  off_t next_data(off_t at) const {
    if (at >= from_.bytes()) return to_.bytes();
    if (!from_.is_file()) return at;
    auto const found = ::lseek(from_.file(), at, SEEK_DATA);
    if (found >= 0) return found - found % piece_bytes;
    return errno == ENXIO ? to_.bytes() : at;
  }

  // A file that was made for this is empty where nothing was written; a device holds what was there
  // before.
  Result<void> zeros(off_t from, off_t to) {
    if (to_.is_file()) return {};
    while (from < to) {
      auto const length = std::min(to - from, zeros_bytes_max);
      TRY(zero_device(to_.file(), from, from + length, to_.path()));
      from += length;
      TRY(report(from));
    }
    return {};
  }

  Result<void> report(off_t done) {
    if (done - reported_ < report_bytes && done != to_.bytes()) return {};
    reported_ = done;
    if (told_.tell(done)) return {};
    return fail_as(ErrorClass::Exec, ErrorCode::EnvironmentError,
                   "The copying of {} was ended after {} MiB", from_.path(), done / piece_bytes);
  }

  OpenDisk from_;
  OpenDisk to_;
  PieceChecksum* checksum_;
  off_t bytes_max_;
  TransferProgress told_;
  off_t reported_ = 0;
};

}  // namespace

Result<void> copy_disk(DiskCopy const& copy, rpc::Progress const& progress) {
  return Copier(copy, progress).run();
}

}  // namespace flotte::node
