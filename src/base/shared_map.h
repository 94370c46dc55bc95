// SharedMap: an ordered map whose copies share what they have in common. A copy costs nothing, a
// change costs as many nodes as the tree is deep, and readers of older copies never notice.
//
// A tree balanced by weight (Adams 1992; the parameters are those of Hirai and Yamamoto 2011), of
// nodes that never change. Values; a const one may be read from any thread.
#pragma once

#include <array>
#include <cstddef>
#include <iterator>
#include <memory>
#include <utility>

#include "base/result.h"

namespace flotte {

template <class Key, class Value>
class SharedMap {
  struct Node;
  using Link = std::shared_ptr<Node const>;

 public:
  using key_type = Key;
  using mapped_type = Value;
  using value_type = std::pair<Key const, Value>;

  // In the order of the keys. Valid as long as any map that has the entry.
  class const_iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = SharedMap::value_type;
    using difference_type = std::ptrdiff_t;
    using pointer = value_type const*;
    using reference = value_type const&;

    const_iterator() = default;
    reference operator*() const { return path_[depth_ - 1]->entry; }
    pointer operator->() const { return &**this; }
    const_iterator& operator++() {
      auto const* right = path_[--depth_]->right.get();
      for (; right; right = right->left.get()) push(right);
      return *this;
    }
    const_iterator operator++(int) {
      auto before = *this;
      ++*this;
      return before;
    }
    friend bool operator==(const_iterator const& a, const_iterator const& b) {
      return a.top() == b.top();
    }

   private:
    friend class SharedMap;
    void push(Node const* node) {
      CHECK(depth_ < path_.size());
      path_[depth_++] = node;
    }
    Node const* top() const { return depth_ == 0 ? nullptr : path_[depth_ - 1]; }

    // The entry that it stands on, and below it those whose turn comes later. No tree that fits in
    // memory is deeper.
    static constexpr std::size_t depth_max = 96;
    std::array<Node const*, depth_max> path_{};
    std::size_t depth_ = 0;
  };
  using iterator = const_iterator;

  std::size_t size() const { return size_of(root_); }
  bool empty() const { return !root_; }

  const_iterator begin() const {
    const_iterator at;
    for (auto const* node = root_.get(); node; node = node->left.get()) at.push(node);
    return at;
  }
  const_iterator end() const { return {}; }

  template <class Wanted>
  const_iterator find(Wanted const& wanted) const {
    auto const at = lower_bound(wanted);
    return at == end() || wanted < at->first ? end() : at;
  }
  template <class Wanted>
  bool contains(Wanted const& wanted) const {
    return find(wanted) != end();
  }
  // It must be there.
  Value const& at(Key const& key) const {
    auto const found = find(key);
    CHECK(found != end());
    return found->second;
  }
  // The first that is not less.
  template <class Wanted>
  const_iterator lower_bound(Wanted const& wanted) const {
    const_iterator at;
    for (auto const* node = root_.get(); node;) {
      if (node->entry.first < wanted) {
        node = node->right.get();
      } else {
        at.push(node);
        node = node->left.get();
      }
    }
    return at;
  }
  // How many keys are less.
  template <class Wanted>
  std::size_t rank(Wanted const& wanted) const {
    std::size_t less = 0;
    for (auto const* node = root_.get(); node;) {
      if (node->entry.first < wanted) {
        less += size_of(node->left) + 1;
        node = node->right.get();
      } else {
        node = node->left.get();
      }
    }
    return less;
  }

  void insert_or_assign(Key key, Value value) {
    root_ = with(root_, {std::move(key), std::move(value)});
  }
  // One that isn't there is no error.
  void erase(Key const& key) {
    if (contains(key)) root_ = without(root_, key);
  }

 private:
  struct Node {
    value_type entry;
    std::size_t size;
    Link left;
    Link right;
  };

  static constexpr std::size_t delta = 3;
  static constexpr std::size_t ratio = 2;

  static std::size_t size_of(Link const& link) { return link ? link->size : 0; }
  static std::size_t weight(Link const& link) { return size_of(link) + 1; }

  static Link join(value_type entry, Link left, Link right) {
    auto const size = size_of(left) + size_of(right) + 1;
    return std::make_shared<Node const>(
        Node{std::move(entry), size, std::move(left), std::move(right)});
  }

  // One of the two has one node more or less than when they were in balance.
  static Link balanced(value_type entry, Link const& left, Link const& right) {
    if (weight(right) > delta * weight(left)) {
      auto const& inner = right->left;
      if (weight(inner) < ratio * weight(right->right)) {
        return join(right->entry, join(std::move(entry), left, inner), right->right);
      }
      return join(inner->entry, join(std::move(entry), left, inner->left),
                  join(right->entry, inner->right, right->right));
    }
    if (weight(left) > delta * weight(right)) {
      auto const& inner = left->right;
      if (weight(inner) < ratio * weight(left->left)) {
        return join(left->entry, left->left, join(std::move(entry), inner, right));
      }
      return join(inner->entry, join(left->entry, left->left, inner->left),
                  join(std::move(entry), inner->right, right));
    }
    return join(std::move(entry), left, right);
  }

  static Link with(Link const& tree, value_type entry) {
    if (!tree) return join(std::move(entry), nullptr, nullptr);
    if (entry.first < tree->entry.first) {
      return balanced(tree->entry, with(tree->left, std::move(entry)), tree->right);
    }
    if (tree->entry.first < entry.first) {
      return balanced(tree->entry, tree->left, with(tree->right, std::move(entry)));
    }
    return join(std::move(entry), tree->left, tree->right);
  }

  // The key is there.
  static Link without(Link const& tree, Key const& key) {
    if (key < tree->entry.first) {
      return balanced(tree->entry, without(tree->left, key), tree->right);
    }
    if (tree->entry.first < key) {
      return balanced(tree->entry, tree->left, without(tree->right, key));
    }
    if (!tree->left) return tree->right;
    if (!tree->right) return tree->left;
    auto const* next = tree->right.get();
    while (next->left) next = next->left.get();
    return balanced(next->entry, tree->left, without(tree->right, next->entry.first));
  }

  Link root_;
};

}  // namespace flotte
