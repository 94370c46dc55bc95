// The probe: says on the serial console what this guest was given, and does what it is told there.
//
// Every report is one line, `probe: KEY JSON`; every command is one line, too (README.md).
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/input.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace {

using Words = std::vector<std::string>;
using Reports = std::map<std::string, std::string>;  // name -> JSON

constexpr std::size_t sector_bytes = 512;
constexpr int look_milliseconds = 50;

// --- Saying

std::string quoted(std::string const& text) {
  std::string out = "\"";
  for (char const c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) >= ' ') out += c;
  }
  return out + "\"";
}

void say(std::string const& key, std::string const& json) {
  auto const line = "probe: " + key + " " + json + "\n";
  for (std::size_t at = 0; at < line.size();) {
    auto const count = ::write(1, line.data() + at, line.size() - at);
    if (count > 0) at += static_cast<std::size_t>(count);
  }
}

void complain(std::string const& message) {
  say("error", "{\"message\":" + quoted(message) + "}");
}

std::string read_file(std::string const& path) {
  std::ifstream file(path);
  std::string text((std::istreambuf_iterator<char>(file)), {});
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

std::int64_t read_number(std::string const& path) {
  return std::strtoll(read_file(path).c_str(), nullptr, 10);
}

std::vector<std::string> names_in(std::string const& directory) {
  std::vector<std::string> names;
  if (auto* open = ::opendir(directory.c_str())) {
    while (auto const* entry = ::readdir(open)) {
      if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
    }
    ::closedir(open);
  }
  std::sort(names.begin(), names.end());
  return names;
}

// --- Looking

std::string disk_report(std::string const& name) {
  auto const base = "/sys/class/block/" + name;
  auto serial = read_file(base + "/serial");
  if (serial.empty()) serial = read_file(base + "/device/serial");
  return "{\"name\":" + quoted(name) +
         ",\"size\":" + std::to_string(read_number(base + "/size") * std::int64_t{sector_bytes}) +
         ",\"serial\":" + quoted(serial) +
         ",\"rotational\":" + (read_number(base + "/queue/rotational") ? "true" : "false") +
         ",\"read_only\":" + (read_number(base + "/ro") ? "true" : "false") + "}";
}

// Opening tells the kernel to look whether there is another medium.
std::string cdrom_report(std::string const& name) {
  constexpr off_t label_at = 32768 + 40;
  std::array<char, 33> label{};
  int const fd = ::open(("/dev/" + name).c_str(), O_RDONLY | O_CLOEXEC);
  bool const has_medium = fd >= 0 && ::pread(fd, label.data(), label.size() - 1, label_at) > 0;
  if (fd >= 0) ::close(fd);
  std::string text(label.data());
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return "{\"name\":" + quoted(name) + ",\"medium\":" + (has_medium ? "true" : "false") +
         ",\"size\":" +
         std::to_string(has_medium ? read_number("/sys/class/block/" + name + "/size") *
                                         std::int64_t{sector_bytes}
                                   : 0) +
         ",\"label\":" + quoted(text) + "}";
}

bool bring_up(std::string const& name) {
  int const fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  std::strncpy(request.ifr_name, name.c_str(), IFNAMSIZ - 1);
  bool is_up = ::ioctl(fd, SIOCGIFFLAGS, &request) == 0;
  if (is_up && !(request.ifr_flags & IFF_UP)) {
    request.ifr_flags |= IFF_UP;
    is_up = ::ioctl(fd, SIOCSIFFLAGS, &request) == 0;
  }
  ::close(fd);
  return is_up;
}

std::string nic_report(std::string const& name) {
  auto const base = "/sys/class/net/" + name;
  bring_up(name);
  std::array<char, 256> driver{};
  auto const length =
      ::readlink((base + "/device/driver").c_str(), driver.data(), driver.size() - 1);
  std::string const path(driver.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
  return "{\"name\":" + quoted(name) + ",\"mac\":" + quoted(read_file(base + "/address")) +
         ",\"carrier\":" + (read_number(base + "/carrier") ? "true" : "false") +
         ",\"mtu\":" + std::to_string(read_number(base + "/mtu")) +
         ",\"driver\":" + quoted(path.substr(path.rfind('/') + 1)) + "}";
}

Reports look(std::string const& kind) {
  Reports seen;
  if (kind == "nic") {
    for (auto const& name : names_in("/sys/class/net")) {
      if (name != "lo") seen[name] = nic_report(name);
    }
    return seen;
  }
  for (auto const& name : names_in("/sys/block")) {
    bool const is_cdrom = name.starts_with("sr");
    bool const is_disk = name.starts_with("vd") || name.starts_with("sd") ||
                         name.starts_with("hd") || name.starts_with("nvme");
    if (kind == "cdrom" && is_cdrom) seen[name] = cdrom_report(name);
    if (kind == "disk" && is_disk) seen[name] = disk_report(name);
  }
  return seen;
}

std::string value_of(std::string const& file, std::string const& key) {
  std::istringstream lines(read_file(file));
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(key)) continue;
    auto const at = line.find(':');
    return at == std::string::npos ? "" : line.substr(std::min(line.size(), at + 2));
  }
  return "";
}

std::string cpu_report() {
  return "{\"count\":" + std::to_string(::sysconf(_SC_NPROCESSORS_ONLN)) +
         ",\"model\":" + quoted(value_of("/proc/cpuinfo", "model name")) +
         ",\"flags\":" + quoted(value_of("/proc/cpuinfo", "flags")) + "}";
}

std::string memory_report() {
  return "{\"total_kib\":" +
         std::to_string(
             std::strtoll(value_of("/proc/meminfo", "MemTotal").c_str() +
                              std::strspn(value_of("/proc/meminfo", "MemTotal").c_str(), " "),
                          nullptr, 10)) +
         "}";
}

// What changed since the last look is said.
class Watch {
 public:
  void look_again() {
    for (auto const* kind : {"disk", "nic", "cdrom"}) {
      auto now = look(kind);
      auto& known = known_[kind];
      for (auto const& [name, report] : now) {
        if (known[name] != report) say(kind, report);
      }
      for (auto const& [name, report] : known) {
        if (!now.contains(name)) {
          say(kind, "{\"name\":" + quoted(name) + ",\"gone\":true}");
        }
      }
      known = std::move(now);
    }
    keep("cpu", cpu_report());
    keep("memory", memory_report());
  }
  void say_all() {
    known_.clear();
    single_.clear();
    look_again();
    say("reported", "{}");
  }

 private:
  void keep(std::string const& key, std::string report) {
    if (single_[key] == report) return;
    say(key, report);
    single_[key] = std::move(report);
  }

  std::map<std::string, Reports> known_;
  Reports single_;
};

// --- Disks

std::int64_t boot_milliseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

std::uint64_t checksum(void const* data, std::size_t size) {
  std::uint64_t hash = 14695981039346656037U;  // FNV-1a
  auto const* bytes = static_cast<unsigned char const*>(data);
  for (std::size_t i = 0; i < size; ++i) hash = (hash ^ bytes[i]) * 1099511628211U;
  return hash;
}

struct Record {
  std::uint64_t magic = 0;
  std::uint64_t number = 0;
  std::int64_t milliseconds = 0;
  std::uint64_t sum = 0;

  std::uint64_t expected_sum() const { return checksum(this, offsetof(Record, sum)); }
};

// A beat is on the disk, record by record in a ring, before the console hears of it.
class Heartbeat {
 public:
  void start(std::string const& disk, std::int64_t period) {
    stop();
    if (!open_ring(disk)) return;
    period_ = std::max<std::int64_t>(period, 1);
    next_ = boot_milliseconds();
    last_ = next_;
    is_running_ = true;
  }
  void stop() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
    is_running_ = false;
  }
  // How long until the next beat; -1: none will come.
  int wait() const {
    if (!is_running_) return -1;
    return static_cast<int>(std::max<std::int64_t>(0, next_ - boot_milliseconds()));
  }
  void beat() {
    auto const now = boot_milliseconds();
    if (!is_running_ || now < next_) return;
    Record record{magic, ++number_, now, 0};
    record.sum = record.expected_sum();
    std::memset(sector(), 0, sector_bytes);
    std::memcpy(sector(), &record, sizeof record);
    if (::pwrite(fd_, sector(), sector_bytes, position(number_)) != sector_bytes) {
      complain(std::string("heartbeat: ") + std::strerror(errno));
      return stop();
    }
    auto const line = "beat " + std::to_string(number_) + " " + std::to_string(now) + "\n";
    (void)!::write(1, line.data(), line.size());
    constexpr std::int64_t late = 3;
    if (now - last_ > late * period_) say("pause", "{\"ms\":" + std::to_string(now - last_) + "}");
    last_ = now;
    // What was missed is not made up for.
    next_ = std::max(next_ + period_, now);
  }
  // Reads back what the last beats, as many as the ring holds, left there.
  void check(std::string const& disk) {
    bool const was_running = is_running_;
    if (fd_ < 0 && !open_ring(disk)) return;
    auto const first = number_ > ring ? number_ - ring + 1 : 1;
    std::string missing;
    std::int64_t max_gap = 0;
    std::int64_t before = 0;
    for (auto number = first; number <= number_; ++number) {
      Record record;
      bool const is_there = ::pread(fd_, sector(), sector_bytes, position(number)) == sector_bytes;
      std::memcpy(&record, sector(), sizeof record);
      if (!is_there || record.magic != magic || record.number != number ||
          record.sum != record.expected_sum()) {
        missing += (missing.empty() ? "" : ",") + std::to_string(number);
        continue;
      }
      if (before > 0) max_gap = std::max(max_gap, record.milliseconds - before);
      before = record.milliseconds;
    }
    say("heartbeat", "{\"first\":" + std::to_string(first) +
                         ",\"last\":" + std::to_string(number_) + ",\"missing\":[" + missing +
                         "],\"max_gap_ms\":" + std::to_string(max_gap) + "}");
    if (!was_running) stop();
  }

 private:
  static constexpr std::uint64_t magic = 0x464c4f5454454254U;
  static constexpr std::uint64_t ring = 16384;  // 8 MiB, under three minutes of beats

  // At the end of the disk as it was when it was first opened: the start may be in use.
  bool open_ring(std::string const& disk) {
    auto const path = "/dev/" + disk;
    fd_ = ::open(path.c_str(), O_RDWR | O_DIRECT | O_DSYNC | O_CLOEXEC);
    std::uint64_t size = 0;
    if (fd_ < 0 || ::ioctl(fd_, BLKGETSIZE64, &size) != 0 || size < 2 * ring * sector_bytes) {
      complain("heartbeat: " + path + " can't be written, or is smaller than 16 MiB");
      stop();
      return false;
    }
    if (disk != disk_) start_ = size / sector_bytes - ring;
    disk_ = disk;
    return true;
  }
  off_t position(std::uint64_t number) const {
    return static_cast<off_t>((start_ + number % ring) * sector_bytes);
  }
  char* sector() { return sector_.data(); }

  alignas(4096) std::array<char, sector_bytes> sector_{};
  std::string disk_;
  std::uint64_t start_ = 0;
  std::uint64_t number_ = 0;
  int fd_ = -1;
  std::int64_t period_ = 10;
  std::int64_t next_ = 0;
  std::int64_t last_ = 0;
  bool is_running_ = false;
};

constexpr std::size_t block_bytes = 1 << 20;

// The pattern of one MiB; the same for the same seed and place.
void make_block(std::vector<std::uint64_t>& block, std::uint64_t seed, std::uint64_t place) {
  auto state = seed * 6364136223846793005U + place + 1;
  for (auto& word : block) {
    state ^= state << 13U;
    state ^= state >> 7U;
    state ^= state << 17U;
    word = state;
  }
}

void fill(std::string const& disk, std::uint64_t seed, std::uint64_t mebibytes) {
  int const fd = ::open(("/dev/" + disk).c_str(), O_WRONLY | O_CLOEXEC);
  std::vector<std::uint64_t> block(block_bytes / sizeof(std::uint64_t));
  bool is_good = fd >= 0;
  for (std::uint64_t place = 0; is_good && place < mebibytes; ++place) {
    make_block(block, seed, place);
    is_good = ::write(fd, block.data(), block_bytes) == static_cast<ssize_t>(block_bytes);
  }
  is_good = is_good && ::fsync(fd) == 0;
  if (fd >= 0) ::close(fd);
  if (!is_good) return complain("fill: /dev/" + disk + ": " + std::strerror(errno));
  say("filled", "{\"disk\":" + quoted(disk) + ",\"mib\":" + std::to_string(mebibytes) + "}");
}

void sum(std::string const& disk, std::uint64_t mebibytes) {
  int const fd = ::open(("/dev/" + disk).c_str(), O_RDONLY | O_CLOEXEC);
  // What is in memory is not what is on the disk.
  if (fd >= 0) ::ioctl(fd, BLKFLSBUF, 0);
  std::vector<std::uint64_t> block(block_bytes / sizeof(std::uint64_t));
  std::uint64_t hash = 0;
  for (std::uint64_t place = 0; place < mebibytes; ++place) {
    if (fd < 0 || ::read(fd, block.data(), block_bytes) != static_cast<ssize_t>(block_bytes)) {
      complain("sum: /dev/" + disk + ": " + std::strerror(errno));
      if (fd >= 0) ::close(fd);
      return;
    }
    hash = hash * 31 + checksum(block.data(), block_bytes);
  }
  ::close(fd);
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(hash));
  say("sum", "{\"disk\":" + quoted(disk) + ",\"sum\":" + quoted(text.data()) + "}");
}

// --- Commands

[[noreturn]] void leave(int how) {
  ::sync();
  ::reboot(how);
  ::_exit(1);
}

void shell(std::string const& line) {
  std::fflush(stdout);
  auto* pipe = ::popen((line + " 2>&1").c_str(), "r");
  if (!pipe) return complain("sh: can't start it");
  std::array<char, 4096> text{};
  while (std::fgets(text.data(), text.size(), pipe)) {
    std::string out(text.data());
    if (!out.empty() && out.back() == '\n') out.pop_back();
    say("out", "{\"line\":" + quoted(out) + "}");
  }
  int const status = ::pclose(pipe);
  say("exit", "{\"code\":" + std::to_string(WIFEXITED(status) ? WEXITSTATUS(status) : 128) + "}");
}

// ADDRESS/PREFIX on a NIC, the first one where none is named.
void set_address(std::string const& address, std::string nic) {
  if (nic.empty()) {
    auto const nics = look("nic");
    if (nics.empty()) return complain("ip: there is no NIC");
    nic = nics.begin()->first;
  }
  shell("ip address add '" + address + "' dev '" + nic + "'");
}

std::string second_disk_or_first() {
  auto const disks = look("disk");
  if (disks.empty()) return "vda";
  return disks.size() > 1 ? std::next(disks.begin())->first : disks.begin()->first;
}

class Probe {
 public:
  [[noreturn]] void run() {
    open_buttons();
    say("ready", "{\"boot_ms\":" + std::to_string(boot_milliseconds()) +
                     ",\"cmdline\":" + quoted(read_file("/proc/cmdline")) + "}");
    watch_.say_all();
    prompt();
    auto next_look = boot_milliseconds();
    for (;;) {
      auto const until_beat = heartbeat_.wait();
      wait_for_input(until_beat < 0 ? look_milliseconds : std::min(until_beat, look_milliseconds));
      heartbeat_.beat();
      if (boot_milliseconds() < next_look) continue;
      watch_.look_again();
      next_look = boot_milliseconds() + look_milliseconds;
    }
  }

 private:
  static void prompt() { (void)!::write(1, "probe login: ", std::strlen("probe login: ")); }

  void wait_for_input(int milliseconds) {
    std::vector<pollfd> wanted{{0, POLLIN, 0}};
    for (auto const& [name, fd] : buttons_) wanted.push_back({fd, POLLIN, 0});
    if (::poll(wanted.data(), wanted.size(), milliseconds) <= 0) return;
    if (wanted[0].revents) read_commands();
    for (std::size_t i = 1; i < wanted.size(); ++i) {
      input_event event{};
      if (!wanted[i].revents || ::read(wanted[i].fd, &event, sizeof event) != sizeof event)
        continue;
      if (event.type == EV_KEY && event.code == KEY_POWER && event.value == 1) {
        say("power_button", "{}");
        leave(RB_POWER_OFF);
      }
    }
  }

  void open_buttons() {
    for (auto const& name : names_in("/dev/input")) {
      if (!name.starts_with("event")) continue;
      int const fd = ::open(("/dev/input/" + name).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
      if (fd >= 0) buttons_[name] = fd;
    }
  }

  void read_commands() {
    std::array<char, 4096> bytes{};
    auto const count = ::read(0, bytes.data(), bytes.size());
    for (ssize_t i = 0; i < count; ++i) {
      char const c = bytes[static_cast<std::size_t>(i)];
      if (c != '\n' && c != '\r') {
        line_ += c;
        continue;
      }
      auto const line = std::exchange(line_, {});
      if (!line.empty()) obey(line);
    }
  }

  void obey(std::string const& line) {
    std::istringstream stream(line);
    Words words{std::istream_iterator<std::string>(stream), {}};
    if (words.empty()) return;
    auto const word = [&](std::size_t i) { return i < words.size() ? words[i] : std::string(); };
    auto const number = [&](std::size_t i, std::uint64_t otherwise) {
      return i < words.size() ? std::strtoull(words[i].c_str(), nullptr, 10) : otherwise;
    };
    auto const rest =
        line.size() > words[0].size() ? line.substr(line.find(words[0]) + words[0].size()) : "";
    auto const& verb = words[0];
    if (verb == "report") {
      watch_.say_all();
    } else if (verb == "echo") {
      say("echo", "{\"text\":" + quoted(rest.empty() ? "" : rest.substr(1)) + "}");
    } else if (verb == "heartbeat" && word(1) == "start") {
      heartbeat_.start(words.size() > 2 ? words[2] : second_disk_or_first(),
                       static_cast<std::int64_t>(number(3, 10)));
    } else if (verb == "heartbeat" && word(1) == "stop") {
      heartbeat_.stop();
      say("heartbeat", "{\"running\":false}");
    } else if (verb == "heartbeat" && word(1) == "check") {
      heartbeat_.check(words.size() > 2 ? words[2] : second_disk_or_first());
    } else if (verb == "fill" && words.size() == 4) {
      fill(words[1], number(2, 0), number(3, 0));
    } else if (verb == "sum" && words.size() == 3) {
      sum(words[1], number(2, 0));
    } else if (verb == "ip" && words.size() > 1) {
      set_address(words[1], word(2));
    } else if (verb == "sh") {
      shell(rest);
    } else if (verb == "poweroff") {
      leave(RB_POWER_OFF);
    } else if (verb == "reboot") {
      leave(RB_AUTOBOOT);
    } else if (verb == "crash") {
      std::ofstream("/proc/sysrq-trigger") << "c";
    } else if (verb == "help") {
      say("help",
          quoted("report, echo TEXT, heartbeat start [DISK] [MS], heartbeat stop, heartbeat "
                 "check [DISK], fill DISK SEED MIB, sum DISK MIB, ip ADDRESS/PREFIX [NIC], "
                 "sh COMMAND, poweroff, reboot, crash"));
    } else {
      complain("'" + line + "' is no command, or lacks something; see help");
    }
  }

  Watch watch_;
  Heartbeat heartbeat_;
  std::map<std::string, int> buttons_;
  std::string line_;
};

// No echo, nothing translated but the end of a line.
void set_terminal() {
  termios terminal{};
  if (::tcgetattr(0, &terminal) != 0) return;
  ::cfmakeraw(&terminal);
  ::cfsetspeed(&terminal, B115200);
  ::tcsetattr(0, TCSANOW, &terminal);
}

}  // namespace

int main() {
  set_terminal();
  Probe().run();
}
