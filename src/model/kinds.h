// The kinds of objects of a configuration beside its settings, a row each: what one is called,
// where it lies in the store, its UUID. Cluster, ConfigStore and its edits are made from these rows
// (CONTRIBUTING.md, "Recipes"). Values; use from any thread.
#pragma once

#include <memory>
#include <string_view>
#include <tuple>
#include <type_traits>

#include "base/shared_map.h"
#include "model/instance.h"
#include "model/network.h"
#include "model/node.h"

namespace flotte::model {

template <class T>
struct Kind;

// Of a kind whose objects have a UUID of that type.
template <class T, class UuidType>
struct HasUuid {
  using Id = UuidType;
  static Id const& id(T const& object) { return object.uuid; }
};

template <>
struct Kind<Node> : HasUuid<Node, NodeId> {
  static constexpr std::string_view title = "Node";
  static constexpr std::string_view directory = "nodes";
};
template <>
struct Kind<Group> : HasUuid<Group, GroupId> {
  static constexpr std::string_view title = "Node group";
  static constexpr std::string_view directory = "groups";
};
template <>
struct Kind<Instance> : HasUuid<Instance, InstanceId> {
  static constexpr std::string_view title = "Instance";
  static constexpr std::string_view directory = "instances";
};
template <>
struct Kind<Network> : HasUuid<Network, NetworkId> {
  static constexpr std::string_view title = "Network";
  static constexpr std::string_view directory = "networks";
};
template <>
struct Kind<DetachedDisk> {
  using Id = DiskId;
  static constexpr std::string_view title = "Detached disk";
  static constexpr std::string_view directory = "disks";
  static Id const& id(DetachedDisk const& detached) { return detached.disk.uuid; }
};

template <class... T>
struct KindList {};
using Kinds = KindList<Node, Group, Instance, DetachedDisk, Network>;

template <class T>
using IdOf = typename Kind<T>::Id;
template <class T>
using Ptr = std::shared_ptr<T const>;
template <class T>
using Objects = SharedMap<IdOf<T>, Ptr<T>>;

// A value of each kind: `of<Node>()`.
template <template <class T> class Of, class List = Kinds>
class EachKind;
template <template <class T> class Of, class... T>
class EachKind<Of, KindList<T...>> {
 public:
  template <class Wanted>
  Of<Wanted>& of() {
    return std::get<place<Wanted>()>(values_);
  }
  template <class Wanted>
  Of<Wanted> const& of() const {
    return std::get<place<Wanted>()>(values_);
  }

 private:
  template <class Wanted>
  static constexpr std::size_t place() {
    std::size_t at = 0;
    bool is_found = false;
    ((is_found = is_found || std::is_same_v<Wanted, T>, at += is_found ? 0 : 1), ...);
    return at;
  }

  std::tuple<Of<T>...> values_;
};

// Calls `what.operator()<T>()` for each kind T, in their order.
void for_each_kind(auto const& what) {
  [&]<class... T>(KindList<T...>) { (what.template operator()<T>(), ...); }(Kinds());
}

// Of which kind a UUID is.
template <class Id, class List = Kinds>
struct KindOfId;
template <class Id, class T, class... More>
struct KindOfId<Id, KindList<T, More...>>
    : std::conditional_t<std::is_same_v<Id, IdOf<T>>, std::type_identity<T>,
                         KindOfId<Id, KindList<More...>>> {};
template <class Id>
struct KindOfId<Id, KindList<>> {};
template <class Id>
using ObjectOf = typename KindOfId<Id>::type;

}  // namespace flotte::model
