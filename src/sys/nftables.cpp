#include "sys/nftables.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>

namespace flotte::sys {
namespace {

constexpr std::size_t message_bytes_max = 8192;
constexpr timeval answer_timeout{.tv_sec = 5, .tv_usec = 0};

template <class T>
void append(std::string& message, T const& value) {
  message.append(reinterpret_cast<char const*>(&value), sizeof value);
}

// Attributes and messages are padded to four bytes, texts end with a zero.
void append_text(std::string& message, std::uint16_t type, std::string const& text) {
  auto const bytes = sizeof(nlattr) + text.size() + 1;
  append(message, nlattr{.nla_len = static_cast<std::uint16_t>(bytes), .nla_type = type});
  message.append(text.c_str(), text.size() + 1);
  message.append(NLA_ALIGN(bytes) - bytes, '\0');
}

std::string question(std::string const& table, std::string const& chain) {
  std::string body;
  append(body, nfgenmsg{.nfgen_family = NFPROTO_NETDEV, .version = NFNETLINK_V0, .res_id = 0});
  append_text(body, NFTA_CHAIN_TABLE, table);
  append_text(body, NFTA_CHAIN_NAME, chain);
  std::string message;
  append(message, nlmsghdr{.nlmsg_len = static_cast<std::uint32_t>(sizeof(nlmsghdr) + body.size()),
                           .nlmsg_type = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETCHAIN,
                           .nlmsg_flags = NLM_F_REQUEST,
                           .nlmsg_seq = 1,
                           .nlmsg_pid = 0});
  return message + body;
}

std::optional<std::uint32_t> rules_in(std::string_view answer) {
  nlmsghdr header{};
  if (answer.size() < sizeof header) return std::nullopt;
  std::memcpy(&header, answer.data(), sizeof header);
  auto const is_chain = header.nlmsg_type == ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWCHAIN);
  if (!is_chain || header.nlmsg_len > answer.size()) return std::nullopt;
  auto rest = answer.substr(0, header.nlmsg_len);
  rest.remove_prefix(std::min(rest.size(), NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(nfgenmsg))));
  while (rest.size() >= sizeof(nlattr)) {
    nlattr attribute{};
    std::memcpy(&attribute, rest.data(), sizeof attribute);
    std::uint32_t value = 0;
    if (attribute.nla_len < sizeof attribute || attribute.nla_len > rest.size()) break;
    if ((attribute.nla_type & NLA_TYPE_MASK) == NFTA_CHAIN_USE &&
        attribute.nla_len >= sizeof attribute + sizeof value) {
      std::memcpy(&value, rest.data() + sizeof attribute, sizeof value);
      return ntohl(value);
    }
    rest.remove_prefix(std::min<std::size_t>(rest.size(), NLA_ALIGN(attribute.nla_len)));
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::uint32_t> netdev_chain_rules(std::string const& table,
                                                std::string const& chain) {
  int const fd = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
  if (fd < 0) return std::nullopt;
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &answer_timeout, sizeof answer_timeout);
  auto const asked = question(table, chain);
  std::array<char, message_bytes_max> answer{};
  auto const sent = ::send(fd, asked.data(), asked.size(), 0);
  auto const got = sent < 0 ? sent : ::recv(fd, answer.data(), answer.size(), 0);
  ::close(fd);
  if (got <= 0) return std::nullopt;
  return rules_in({answer.data(), static_cast<std::size_t>(got)});
}

}  // namespace flotte::sys
