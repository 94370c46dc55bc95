// JobLog: the lines that a job says, and how they are stored.
//
// They lie beside the job, in pieces under /log/<job>/<first serial>, so that a job stays small
// whatever its scripts print. Of very many lines the first and the last are kept; a line that is
// left out leaves a hole in the serial numbers, which readers are told of. In memory while the job
// runs, in the store alone when it has ended. Guarded by the queue's mutex.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "jobs/job.h"
#include "store/store.h"

namespace flotte::jobs {

struct LogLine {
  std::size_t op = 0;  // that said it
  LogEntry entry;
};

class JobLog {
 public:
  // Of a job that had ended before this controller started.
  static JobLog of_ended();

  // A line that is very long loses its middle.
  void add(std::size_t op, std::vector<std::int64_t> time, std::string_view text);
  // An entry of another type than "message".
  void add_entry(std::size_t op, std::vector<std::int64_t> time, std::string type,
                 json::value content);
  // What is stored of a job that has not ended.
  Result<void> load(std::vector<store::KeyValue> const& pieces);
  // Lines that an older version stored inside of the job; they move out with the next save().
  void take_over(Job& job);

  std::int64_t last_serial() const { return last_serial_; }
  // Those after that serial.
  std::vector<LogLine> after(std::int64_t serial) const;

  // Adds to the transaction what is not stored yet, and takes away what is no longer kept.
  void save(JobId job, store::Txn& txn) const;
  // That transaction is durable.
  void saved();
  // The job has ended: what is stored is all there is.
  void forget();
  bool is_forgotten() const { return is_forgotten_; }

 private:
  struct Piece {
    std::vector<LogLine> lines;
    std::size_t bytes = 0;
    bool is_stored = false;
    bool is_changed = false;

    std::int64_t first() const { return lines.front().entry.serial; }
    bool is_full() const;
  };
  Piece& open_piece();
  void append(LogLine line, bool is_stored);

  std::vector<Piece> first_;
  std::deque<Piece> last_;
  std::vector<std::int64_t> dropped_;  // stored pieces, by their first serial
  std::int64_t last_serial_ = 0;
  bool is_forgotten_ = false;
};

std::string log_prefix(JobId job);
// What is stored of a job's log after that serial.
Result<std::vector<LogLine>> stored_log(store::Store& store, JobId job, std::int64_t serial);

}  // namespace flotte::jobs
