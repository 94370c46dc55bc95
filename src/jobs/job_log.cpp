#include "jobs/job_log.h"

#include <boost/json/serialize.hpp>

#include "base/utf8.h"

namespace flotte::jobs {
namespace {

constexpr std::size_t piece_bytes = 32 * 1024;
// As many of the first and as many of the last: a mebibyte of each.
constexpr std::size_t pieces_kept = 32;
constexpr std::size_t line_bytes_max = 8 * 1024;
// A time, a serial number and what JSON adds.
constexpr std::size_t line_overhead = 64;

std::string bounded(std::string_view text) {
  if (text.size() <= line_bytes_max) return std::string(text);
  auto const head = beginning_of(text, line_bytes_max / 2);
  auto tail = text.size() - line_bytes_max / 2;
  while (tail < text.size() && is_inside_character(text[tail])) ++tail;
  return fmt::format("{} [{} bytes are left out here] {}", head, tail - head.size(),
                     text.substr(tail));
}

std::size_t bytes_of(LogLine const& line) {
  auto const* text = line.entry.content.if_string();
  return line_overhead + (text ? text->size() : json::serialize(line.entry.content).size());
}

std::string piece_key(JobId job, std::int64_t first_serial) {
  return fmt::format("{}{:09}", log_prefix(job), first_serial);
}

std::string encode_piece(std::vector<LogLine> const& lines) {
  json::array out;
  for (auto const& line : lines) {
    auto row = line.entry.wire();
    row.push_back(line.op);
    out.push_back(std::move(row));
  }
  return json::serialize(out);
}

Result<std::vector<LogLine>> decode_piece(store::KeyValue const& stored) {
  auto const rows = TRY(schema::parse(stored.value));
  auto const bad = [&] { return fail(ErrorCode::InternalError, "{} is no log", stored.key); };
  if (!rows.is_array()) return bad();
  std::vector<LogLine> lines;
  for (auto const& row : rows.get_array()) {
    if (!row.is_array() || row.get_array().size() != 5) return bad();
    auto entry = row.get_array();
    auto const* op = entry[4].if_int64();
    if (!op || *op < 0) return bad();
    auto const place = static_cast<std::size_t>(*op);
    entry.pop_back();
    lines.push_back({place, TRY(log_entry_from(entry))});
  }
  return lines;
}

// Goes on from the lines up to `known`; says where some are left out.
void tell(LogLine const& line, std::int64_t& known, std::vector<LogLine>& out) {
  auto const serial = line.entry.serial;
  if (serial <= known) return;
  if (auto const missing = serial - known - 1; missing > 0) {
    auto const text = fmt::format(" - WARNING: {} lines are left out here", missing);
    out.push_back({line.op, {serial - 1, line.entry.time, "message", json::string(text)}});
  }
  out.push_back(line);
  known = serial;
}

}  // namespace

bool JobLog::Piece::is_full() const {
  return bytes >= piece_bytes;
}

JobLog::Piece& JobLog::open_piece() {
  if (last_.empty()) {
    if (!first_.empty() && !first_.back().is_full()) return first_.back();
    if (first_.size() < pieces_kept) return first_.emplace_back();
  } else if (!last_.back().is_full()) {
    return last_.back();
  }
  if (last_.size() == pieces_kept) {
    if (last_.front().is_stored) dropped_.push_back(last_.front().first());
    last_.pop_front();
  }
  return last_.emplace_back();
}

void JobLog::append(LogLine line, bool is_stored) {
  last_serial_ = line.entry.serial;
  auto& piece = open_piece();
  piece.bytes += bytes_of(line);
  piece.is_stored |= is_stored;
  piece.is_changed |= !is_stored;
  piece.lines.push_back(std::move(line));
}

JobLog JobLog::of_ended() {
  JobLog log;
  log.last_serial_ = -1;  // nobody knows
  log.is_forgotten_ = true;
  return log;
}

void JobLog::add(std::size_t op, std::vector<std::int64_t> time, std::string_view text) {
  auto const shown = bounded(text);
  append({op, {last_serial_ + 1, std::move(time), "message", json::string(shown)}}, false);
}

void JobLog::add_entry(std::size_t op, std::vector<std::int64_t> time, std::string type,
                       json::value content) {
  append({op, {last_serial_ + 1, std::move(time), std::move(type), std::move(content)}}, false);
}

// Each stored piece stays a piece: its key is its first serial.
Result<void> JobLog::load(std::vector<store::KeyValue> const& pieces) {
  for (auto const& kv : pieces) {
    Piece piece{.is_stored = true};
    piece.lines = TRY(decode_piece(kv));
    if (piece.lines.empty()) continue;
    for (auto const& line : piece.lines) piece.bytes += bytes_of(line);
    auto const follows = piece.first() == last_serial_ + 1;
    last_serial_ = piece.lines.back().entry.serial;
    if (last_.empty() && follows && first_.size() < pieces_kept) {
      first_.push_back(std::move(piece));
    } else {
      last_.push_back(std::move(piece));
    }
  }
  return {};
}

void JobLog::take_over(Job& job) {
  for (std::size_t i = 0; i < job.ops.size(); ++i) {
    for (auto& entry : std::exchange(job.ops[i].log, {})) append({i, std::move(entry)}, false);
  }
}

std::vector<LogLine> JobLog::after(std::int64_t serial) const {
  std::vector<LogLine> lines;
  auto const take = [&](Piece const& piece) {
    if (piece.lines.back().entry.serial <= serial) return;
    for (auto const& line : piece.lines) tell(line, serial, lines);
  };
  for (auto const& piece : first_) take(piece);
  for (auto const& piece : last_) take(piece);
  return lines;
}

void JobLog::save(JobId job, store::Txn& txn) const {
  for (auto const serial : dropped_) txn.remove(piece_key(job, serial));
  auto const put = [&](Piece const& piece) {
    if (piece.is_changed) txn.put(piece_key(job, piece.first()), encode_piece(piece.lines));
  };
  for (auto const& piece : first_) put(piece);
  for (auto const& piece : last_) put(piece);
}

void JobLog::saved() {
  dropped_.clear();
  auto const mark = [](Piece& piece) {
    piece.is_stored |= piece.is_changed;
    piece.is_changed = false;
  };
  for (auto& piece : first_) mark(piece);
  for (auto& piece : last_) mark(piece);
}

void JobLog::forget() {
  first_ = {};
  last_ = {};
  is_forgotten_ = true;
}

std::string log_prefix(JobId job) {
  return fmt::format("/log/{:012}/", number(job));
}

Result<std::vector<LogLine>> stored_log(store::Store& store, JobId job, std::int64_t serial) {
  std::vector<LogLine> lines;
  for (auto const& kv : TRY(store.range_prefix(log_prefix(job)))) {
    for (auto const& line : TRY(decode_piece(kv))) tell(line, serial, lines);
  }
  return lines;
}

}  // namespace flotte::jobs
