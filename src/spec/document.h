// SPDX-License-Identifier: Apache-2.0
// The tree between the YAML parser and the decoder: values with their place, aliases and merge keys already
// expanded.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "spec/complaints.h"

namespace svd::spec {

enum class Kind : std::uint8_t { null, scalar, sequence, map };

struct Node;

struct Entry {
  const Node* key = nullptr;  // null in a sequence
  const Node* value = nullptr;
};

// Nodes are shared: two aliases of one anchor have the same children. Nothing changes a node once it is
// complete.
struct Node {
  Kind kind = Kind::null;
  bool plain = false;        // a scalar without quotes
  std::uint16_t height = 0;  // levels below this one
  std::uint32_t size =
      1;  // values in this subtree, itself included and aliases counted in full; keys are not counted
  Mark mark;
  std::string text;  // of a scalar
  std::vector<Entry> entries;

  // Value of a key in a map, or nullptr.
  [[nodiscard]] const Entry* find(std::string_view key) const;
  void append(Entry entry);
};

// Finds keys in a map; stays quick when a map has 100,000 of them, and costs nothing when it has five.
class KeyIndex {
 public:
  explicit KeyIndex(const Node& map) : map_{&map} {}
  // Position in map.entries, or npos.
  [[nodiscard]] std::size_t find(std::string_view key);

  static constexpr std::size_t npos = ~std::size_t{0};

 private:
  static constexpr std::size_t small = 16;
  const Node* map_;
  std::size_t indexed_ = 0;  // entries that `positions_` covers
  std::unordered_map<std::string_view, std::size_t> positions_;
};

// Owns the nodes of one file and those that merging makes.
class Document {
 public:
  [[nodiscard]] Node& make(Kind kind, Mark mark);

  // `over` laid upon `base`, deep for maps: a key of `over` wins, and its null, which stays there, takes the
  // value away. Either may be nullptr; the result is nullptr when nothing is left. Never changes its
  // arguments.
  [[nodiscard]] const Node* overlay(const Node* base, const Node* over);

  const Node* root = nullptr;

 private:
  std::deque<Node> nodes_;
};

}  // namespace svd::spec
