// SPDX-License-Identifier: Apache-2.0
#include "engine/requests/pattern.h"

#include <algorithm>
#include <string>

#include "base/text.h"

namespace svd {
namespace {

using Instruction = Pattern::Instruction;
using Kind = Instruction::Kind;
using Code = std::vector<Instruction>;

std::int32_t length(const Code& code) { return static_cast<std::int32_t>(code.size()); }

void append(Code& to, const Code& more) { to.insert(to.end(), more.begin(), more.end()); }

// Recursive descent; the first complaint ends it. Depth is bounded by the length of the pattern.
class Compiler {
 public:
  explicit Compiler(std::string_view text) : rest_{text} {}

  Code compile() {
    auto code = alternatives();
    if (!rest_.empty()) complain("unmatched )");
    code.push_back({Kind::match});
    return code;
  }
  [[nodiscard]] const std::string& complaint() const { return complaint_; }
  std::vector<Pattern::Set> take_sets() { return std::move(sets_); }

 private:
  void complain(std::string text) {
    if (complaint_.empty()) complaint_ = std::move(text);
    rest_ = {};
  }
  char take() {
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }
  [[nodiscard]] bool at(char c) const { return !rest_.empty() && rest_.front() == c; }

  Code alternatives() {
    auto left = sequence();
    if (!at('|')) return left;
    take();
    const auto right = alternatives();
    Code code{{Kind::split, 1, length(left) + 2}};
    append(code, left);
    code.push_back({Kind::jump, length(right) + 1});
    append(code, right);
    return code;
  }

  Code sequence() {
    Code code;
    while (!rest_.empty() && !at('|') && !at(')')) append(code, repeated());
    return code;
  }

  Code repeated() {
    auto code = single();
    while (at('*') || at('+') || at('?')) {
      const char how = take();
      const auto size = length(code);
      Code more;
      if (how != '+') more.push_back({Kind::split, 1, how == '*' ? size + 2 : size + 1});
      append(more, code);
      if (how == '*') more.push_back({Kind::jump, -(size + 1)});
      if (how == '+') more.push_back({Kind::split, -size, 1});
      code = std::move(more);
    }
    return code;
  }

  Code single() {
    const char c = take();
    switch (c) {
      case '(': {
        auto code = alternatives();
        if (at(')'))
          take();
        else
          complain("unmatched (");
        return code;
      }
      case '[':
        return set();
      case '.':
        return one_of(Pattern::Set{}.set());
      case '^':
        return {{Kind::at_begin}};
      case '$':
        return {{Kind::at_end}};
      case '*':
      case '+':
      case '?':
        complain("nothing to repeat");
        return {};
      case '\\':
        if (rest_.empty()) {
          complain("it ends in \\");
          return {};
        }
        return literal(take());
      default:
        return literal(c);
    }
  }

  Code literal(char c) { return one_of(Pattern::Set{}.set(static_cast<std::uint8_t>(c))); }

  Code one_of(const Pattern::Set& set) {
    sets_.push_back(set);
    return {{Kind::one_of, 0, 0, static_cast<std::uint32_t>(sets_.size() - 1)}};
  }

  Code set() {
    Pattern::Set set;
    const bool inverted = at('^');
    if (inverted) take();
    for (bool first = true; !rest_.empty() && (first || !at(']')); first = false) {
      const auto low = static_cast<std::uint8_t>(take());
      auto high = low;
      if (rest_.size() >= 2 && rest_[0] == '-' && rest_[1] != ']') {
        take();
        high = static_cast<std::uint8_t>(take());
      }
      for (unsigned c = low; c <= high; ++c) set.set(c);
    }
    if (rest_.empty()) {
      complain("unmatched [");
      return {};
    }
    take();
    return one_of(inverted ? ~set : set);
  }

  std::string_view rest_;
  std::string complaint_;
  std::vector<Pattern::Set> sets_;
};

// All places that the program is at, side by side.
class Matcher {
 public:
  explicit Matcher(const Code& program) : program_{program}, seen_(program.size(), 0) {}

  // Adds what is reachable from `start` without a character; true when that is the end.
  bool add(std::size_t start, bool at_begin, bool at_end) {
    stack_.assign(1, start);
    while (!stack_.empty()) {
      const auto here = stack_.back();
      stack_.pop_back();
      if (seen_[here] == round_) continue;
      seen_[here] = round_;
      const auto go = [&](std::int32_t by) {
        stack_.push_back(static_cast<std::size_t>(static_cast<std::int64_t>(here) + by));
      };
      const auto& instruction = program_[here];
      switch (instruction.kind) {
        case Kind::match:
          return true;
        case Kind::one_of:
          places_.push_back(here);
          break;
        case Kind::split:
          go(instruction.first);
          go(instruction.second);
          break;
        case Kind::jump:
          go(instruction.first);
          break;
        case Kind::at_begin:
          if (at_begin) go(1);
          break;
        case Kind::at_end:
          if (at_end) go(1);
          break;
      }
    }
    return false;
  }

  std::vector<std::size_t> next_round() {
    ++round_;
    return std::exchange(places_, {});
  }

 private:
  const Code& program_;
  std::vector<std::size_t> seen_, stack_, places_;
  std::size_t round_ = 1;
};

}  // namespace

Result<Pattern> Pattern::parse(std::string_view text) {
  const auto cannot = [&](const std::string& why) {
    return fail(std::errc::invalid_argument,
                "cannot use the pattern /" + printable(text.substr(0, 80)) + "/: " + why);
  };
  if (text.size() > max_length)
    return cannot("it is longer than " + std::to_string(max_length) + " characters");
  Compiler compiler{text};
  Pattern out;
  out.program_ = compiler.compile();
  if (!compiler.complaint().empty()) return cannot(compiler.complaint());
  out.sets_ = compiler.take_sets();
  return out;
}

bool Pattern::search(std::string_view text) const {
  Matcher matcher{program_};
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (matcher.add(0, i == 0, i == text.size())) return true;  // a match may begin anywhere
    if (i == text.size()) break;
    for (const auto place : matcher.next_round())
      if (sets_[program_[place].set].test(static_cast<std::uint8_t>(text[i])) &&
          matcher.add(place + 1, false, i + 1 == text.size()))
        return true;
  }
  return false;
}

}  // namespace svd
