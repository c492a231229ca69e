// SPDX-License-Identifier: Apache-2.0
#include "spec/document.h"

#include <algorithm>

namespace svd::spec {

const Entry* Node::find(std::string_view key) const {
  const auto found =
      std::ranges::find_if(entries, [&](const Entry& e) { return e.key != nullptr && e.key->text == key; });
  return found == entries.end() ? nullptr : &*found;
}

void Node::append(Entry entry) {
  height = std::max(height, static_cast<std::uint16_t>(entry.value->height + 1));
  size += entry.value->size;
  entries.push_back(entry);
}

std::size_t KeyIndex::find(std::string_view key) {
  const auto& entries = map_->entries;
  if (entries.size() <= small) {
    const auto* entry = map_->find(key);
    return entry == nullptr ? npos : static_cast<std::size_t>(entry - entries.data());
  }
  for (; indexed_ < entries.size(); ++indexed_) positions_.emplace(entries[indexed_].key->text, indexed_);
  const auto found = positions_.find(key);
  return found == positions_.end() ? npos : found->second;
}

Node& Document::make(Kind kind, Mark mark) {
  auto& node = nodes_.emplace_back();
  node.kind = kind;
  node.mark = mark;
  return node;
}

const Node* Document::overlay(const Node* base, const Node* over) {
  if (over == nullptr) return base;
  if (over->kind == Kind::null) return nullptr;
  if (base == nullptr || base->kind != Kind::map || over->kind != Kind::map) return over;
  auto& merged = make(Kind::map, over->mark);
  KeyIndex in_base{*base};
  KeyIndex in_over{*over};
  merged.entries.reserve(base->entries.size() + over->entries.size());
  for (const auto& [key, value] : base->entries) {
    const auto at = in_over.find(key->text);
    if (at == KeyIndex::npos) {
      merged.append({key, value});
      continue;
    }
    const auto& winner = over->entries[at];
    const auto* both = overlay(value, winner.value);
    merged.append(
        {winner.key, both != nullptr ? both : winner.value});  // its null says that it is taken away
  }
  for (const auto& entry : over->entries)
    if (in_base.find(entry.key->text) == KeyIndex::npos) merged.append(entry);
  return &merged;
}

}  // namespace svd::spec
