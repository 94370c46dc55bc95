// The words of the domain as enums, with Ganeti's wire names. Values; use from any thread.
#pragma once

#include <string_view>
#include <utility>

#include "schema/schema.h"

namespace flotte::model {

enum class AdminState { Up, Down, Offline };
enum class AdminStateSource { Admin, User };
enum class DiskTemplate { Diskless, File, SharedFile, Plain, Blockdev, Drbd, Rbd, Ext, Gluster };
enum class HypervisorKind { Kvm, Fake };
enum class DiskMode { ReadWrite, ReadOnly };

}  // namespace flotte::model

namespace flotte::schema {

template <>
struct EnumNames<model::AdminState> {
  static constexpr std::string_view type_name = "one of up, down, offline";
  static constexpr std::pair<model::AdminState, std::string_view> names[] = {
      {model::AdminState::Up, "up"},
      {model::AdminState::Down, "down"},
      {model::AdminState::Offline, "offline"}};
};

template <>
struct EnumNames<model::AdminStateSource> {
  static constexpr std::string_view type_name = "one of admin, user";
  static constexpr std::pair<model::AdminStateSource, std::string_view> names[] = {
      {model::AdminStateSource::Admin, "admin"}, {model::AdminStateSource::User, "user"}};
};

template <>
struct EnumNames<model::DiskTemplate> {
  static constexpr std::string_view type_name =
      "one of blockdev, diskless, drbd, ext, file, gluster, plain, rbd, sharedfile";
  static constexpr std::pair<model::DiskTemplate, std::string_view> names[] = {
      {model::DiskTemplate::Diskless, "diskless"},
      {model::DiskTemplate::File, "file"},
      {model::DiskTemplate::SharedFile, "sharedfile"},
      {model::DiskTemplate::Plain, "plain"},
      {model::DiskTemplate::Blockdev, "blockdev"},
      {model::DiskTemplate::Drbd, "drbd"},
      {model::DiskTemplate::Rbd, "rbd"},
      {model::DiskTemplate::Ext, "ext"},
      {model::DiskTemplate::Gluster, "gluster"}};
};

template <>
struct EnumNames<model::HypervisorKind> {
  static constexpr std::string_view type_name = "one of fake, kvm";
  static constexpr std::pair<model::HypervisorKind, std::string_view> names[] = {
      {model::HypervisorKind::Kvm, "kvm"}, {model::HypervisorKind::Fake, "fake"}};
};

template <>
struct EnumNames<model::DiskMode> {
  static constexpr std::string_view type_name = "one of rw, ro";
  static constexpr std::pair<model::DiskMode, std::string_view> names[] = {
      {model::DiskMode::ReadWrite, "rw"}, {model::DiskMode::ReadOnly, "ro"}};
};

}  // namespace flotte::schema
