// SPDX-License-Identifier: Apache-2.0
#include "spec/gate.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <array>
#include <istream>
#include <streambuf>
#include <string>

#include "spec/spec.h"

namespace svd::spec {
namespace {

// Lets the parser read the text where it is.
class ViewBuffer : public std::streambuf {
 public:
  explicit ViewBuffer(std::string_view text) {
    auto* begin = const_cast<char*>(text.data());  // streambuf's get area is never written to
    setg(begin, begin, begin + text.size());
  }
};

// Thrown through the parser when going on would cost too much; the complaint has been made.
struct Stop {};

// yaml-cpp counts from 0; a mark that it does not know is -1.
Mark to_mark(const YAML::Mark& mark) {
  return mark.line < 0
             ? Mark{}
             : Mark{static_cast<std::uint32_t>(mark.line) + 1, static_cast<std::uint32_t>(mark.column) + 1};
}

// Builds the tree from the parser's events and counts what it costs.
class Builder final : public YAML::EventHandler {
 public:
  Builder(Document& document, Complaints& complaints) : document_{document}, complaints_{complaints} {}

  [[nodiscard]] Mark last_quoted() const { return last_quoted_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (document_.root != nullptr)
      stop(to_mark(mark), "a second document starts here: a file holds one ecosystem");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    // An empty value is reported where the next token stands; its key's place says more.
    Mark at = to_mark(mark);
    if (!open_.empty() && open_.back().key != nullptr) at = open_.back().key->mark;
    complete(count(document_.make(Kind::null, at)), anchor);
    last_quoted_ = {};
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto at = to_mark(mark);
    if (++aliases_ > max_aliases) stop(at, "more than " + std::to_string(max_aliases) + " aliases");
    const auto* target = anchor < anchors_.size() ? anchors_[anchor] : nullptr;
    if (target == nullptr) stop(at, "this alias refers to the value that it is a part of");
    auto& copy = document_.make(Kind::null, at);
    copy = *target;
    copy.mark = at;  // a complaint about the value belongs where it is used
    if (open_.size() + copy.height > max_depth) too_deep(at);
    complete(count(copy), 0);
    last_quoted_ = {};
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    const auto at = to_mark(mark);
    auto& node = document_.make(Kind::scalar, at);
    node.plain = tag == "?" || tag.empty();
    node.text = value;
    if (!node.plain && tag != "!") refuse_tag(at, tag);
    if (value.find('\0') != std::string::npos)
      complaints_.add(at, path(), "a NUL byte cannot be part of a value");
    last_quoted_ = node.plain ? Mark{} : at;
    complete(count(node), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    start(Kind::sequence, to_mark(mark), tag, anchor);
  }
  void OnSequenceEnd() override { finish(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    start(Kind::map, to_mark(mark), tag, anchor);
  }
  void OnMapEnd() override {
    merge_keys(*open_.back().node);
    finish();
  }

 private:
  struct Open {
    Node* node;
    YAML::anchor_t anchor;
    const Node* key = nullptr;  // of a map: read, its value not yet
    bool key_is_bad = false;
    KeyIndex keys;
  };

  [[noreturn]] void stop(Mark at, std::string why) {
    complaints_.add(at, path(), std::move(why));
    throw Stop{};
  }
  [[noreturn]] void too_deep(Mark at) {
    stop(at, "nested deeper than " + std::to_string(max_depth) + " levels");
  }

  // "apps.web.env": the open containers' pending keys.
  std::string path() const {
    std::string text;
    for (const auto& open : open_) {
      if (open.key != nullptr) text += (text.empty() ? "" : ".") + Place{nullptr, open.key->text}.str();
    }
    return text;
  }

  void refuse_tag(Mark at, std::string tag) {
    constexpr std::string_view core = "tag:yaml.org,2002:";  // what the parser makes of "!!"
    if (tag.starts_with(core)) tag.replace(0, core.size(), "!!");
    complaints_.add(at, path(),
                    "a tag (" + in_quotes(tag) + ") has no meaning here; to make a text, use quotes");
  }

  // Keys are not counted: there are no more of them than values.
  Node& count(Node& node) {
    const bool is_key = !open_.empty() && open_.back().node->kind == Kind::map && open_.back().key == nullptr;
    count_ += is_key ? 0 : node.size;
    if (count_ > max_nodes)
      stop(node.mark, "more than " + std::to_string(max_nodes) + " values, aliases counted in full");
    return node;
  }

  void start(Kind kind, Mark at, const std::string& tag, YAML::anchor_t anchor) {
    if (open_.size() >= max_depth) too_deep(at);
    auto& node = count(document_.make(kind, at));
    if (!tag.empty() && tag != "?" && tag != "!") refuse_tag(at, tag);
    open_.push_back({&node, anchor, nullptr, false, KeyIndex{node}});
    remember(anchor, nullptr);  // known, but not to be referred to before it is complete
  }

  void finish() {
    auto& node = *open_.back().node;
    const auto anchor = open_.back().anchor;
    open_.pop_back();
    complete(node, anchor);
  }

  void remember(YAML::anchor_t anchor, const Node* node) {
    if (anchor == 0) return;
    if (anchors_.size() <= anchor) anchors_.resize(anchor + 1, nullptr);
    anchors_[anchor] = node;
  }

  void complete(Node& node, YAML::anchor_t anchor) {
    remember(anchor, &node);
    if (open_.empty()) {
      document_.root = &node;
    } else if (open_.back().node->kind == Kind::sequence) {
      open_.back().node->append({nullptr, &node});
    } else if (open_.back().key == nullptr) {
      take_key(node);
    } else {
      auto& top = open_.back();
      if (!top.key_is_bad) top.node->append({top.key, &node});
      top.key = nullptr;
    }
  }

  void take_key(const Node& key) {
    auto& top = open_.back();
    const auto before = key.kind == Kind::scalar ? top.keys.find(key.text) : KeyIndex::npos;
    top.key_is_bad = true;
    if (key.kind != Kind::scalar) complaints_.add(key.mark, path(), "a key must be a text");
    top.key = &key;
    if (key.kind != Kind::scalar) return;
    if (before == KeyIndex::npos) {
      top.key_is_bad = false;
      return;
    }
    if (complaints_.full()) return;
    const auto line = std::to_string(top.node->entries[before].key->mark.line);
    complaints_.add(key.mark, path(), "duplicate key, it is on line " + line + " already");
  }

  // `<<: *base` or `<<: [*one, *two]`: keys that the map does not have itself; of two, the first one's.
  void merge_keys(Node& map) {
    const auto at = open_.back().keys.find("<<");
    if (at == KeyIndex::npos || !map.entries[at].key->plain) return;
    const auto merge = map.entries[at];
    map.entries.erase(map.entries.begin() + static_cast<std::ptrdiff_t>(at));
    map.size -= merge.value->size;
    KeyIndex keys{map};
    if (merge.value->kind == Kind::map) return merge_map(map, keys, *merge.value);
    if (merge.value->kind != Kind::sequence) return bad_merge(*merge.value);
    for (const auto& item : merge.value->entries) {
      if (item.value->kind == Kind::map)
        merge_map(map, keys, *item.value);
      else
        bad_merge(*item.value);
    }
  }
  static void merge_map(Node& map, KeyIndex& keys, const Node& from) {
    for (const auto& entry : from.entries)
      if (keys.find(entry.key->text) == KeyIndex::npos) map.append(entry);
  }
  void bad_merge(const Node& value) {
    complaints_.add(value.mark, path(), "'<<' takes an alias of a map, or a list of them");
  }

  Document& document_;
  Complaints& complaints_;
  std::vector<Open> open_;
  std::vector<const Node*> anchors_;
  std::size_t count_ = 0;
  std::size_t aliases_ = 0;
  Mark last_quoted_;  // place of the last value, if it was quoted
};

std::size_t offset_of(std::string_view text, Mark mark) {
  std::size_t start = 0;
  for (std::uint32_t line = 1; line < mark.line; ++line) start = text.find('\n', start) + 1;
  return start + mark.column - 1;
}

// yaml-cpp takes the end of the file for a closing quote if a line ended before it.
bool is_closed(std::string_view text) {
  constexpr std::string_view blanks = " \n\t";  // between an anchor or a tag and the value
  while (text.starts_with('&') || text.starts_with('!')) {
    text.remove_prefix(std::min(text.find_first_of(blanks), text.size()));
    text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
  }
  if (text.empty() || (text[0] != '"' && text[0] != '\'')) return true;  // a block scalar
  const char quote = text[0];
  for (std::size_t i = 1; i < text.size(); ++i) {
    const bool is_pair = quote == '\'' && text.substr(i).starts_with("''");
    if (is_pair || (quote == '"' && text[i] == '\\'))
      ++i;
    else if (text[i] == quote)
      return true;
  }
  return false;
}

struct Wording {
  std::string_view parser;
  std::string_view ours;
};
// What the parser says is often about its own state; these say what to do.
constexpr std::array wordings{
    Wording{"illegal map value",
            "a ':' where no value can be: put the text in quotes, or check the indentation"},
    Wording{"end of map not found", "the indentation does not fit the lines above"},
    Wording{"end of sequence not found", "the indentation does not fit the lines above"},
    Wording{"illegal block entry", "a list item where none can be: check the indentation"},
    Wording{"end of map flow not found", "a '{' that is not closed, or a ',' that is missing"},
    Wording{"end of sequence flow not found", "a '[' that is not closed, or a ',' that is missing"},
    Wording{"illegal EOF in scalar", "a quote that is never closed"},
    Wording{"unknown token", "a value cannot start with this character: put it in quotes"},
    Wording{"the referenced anchor is not defined", "no anchor of that name above"},
    Wording{"illegal tab when looking for indentation", "a tab in the indentation: YAML wants spaces"},
};

std::string worded(const YAML::ParserException& error, std::string_view text, Mark at) {
  if (at.line > 0) {
    const auto line = text.substr(offset_of(text, {at.line, 1}));
    const auto indentation = line.substr(0, line.find_first_not_of(" \t"));
    if (indentation.find('\t') != std::string_view::npos)
      return "a tab in the indentation: YAML wants spaces";
  }
  for (const auto& wording : wordings)
    if (error.msg.starts_with(wording.parser)) return std::string{wording.ours};  // yaml-cpp 0.8 adds details
  return "not valid YAML: " + error.msg;
}

}  // namespace

bool parse_yaml(std::string_view text, Document& document, Complaints& complaints) try {
  Builder builder{document, complaints};
  ViewBuffer buffer{text};
  std::istream stream{&buffer};
  YAML::Parser parser{stream};
  try {
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::ParserException& error) {
    const auto at = to_mark(error.mark);
    complaints.add(at, "", worded(error, text, at));
    return false;
  }
  if (document.root == nullptr) {
    complaints.add(Mark{}, "", "the file is empty: it needs at least 'apps:'");
    return false;
  }
  if (const auto last = builder.last_quoted();
      last.line > 0 && !is_closed(text.substr(offset_of(text, last)))) {
    complaints.add(last, "", "a quote that is never closed");
    return false;
  }
  return true;
} catch (const Stop&) {
  return false;
}

}  // namespace svd::spec
