// SPDX-License-Identifier: Apache-2.0
// Arguments of a call as any client can send them: of the right types or not. The first bytes choose what is
// appended, the rest is its texts.
#include <sys/socket.h>

#include <array>
#include <string>

#include "base/text.h"
#include "bus/wire.h"
#include "fuzz/fuzz.h"

using namespace svd;
using namespace svd::bus;
using fuzz::require;

namespace {

// A connection that never gets further than its first word: messages need one to be made.
sd_bus* unconnected_bus() {
  std::array<int, 2> pair{};
  sd_bus* bus = nullptr;
  require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair.data()) == 0);
  require(sd_bus_new(&bus) >= 0 && sd_bus_set_fd(bus, pair[0], pair[0]) >= 0 && sd_bus_start(bus) >= 0);
  return bus;
}

void append_option(Writer& out, fuzz::Input& input) {
  out.entry("sv", [&](Writer& pair) {
    static constexpr std::array names{"directory", "profile", "env_files", "environment"};
    const auto which = input.number<std::uint8_t>();
    pair.string(which % 5 < names.size() ? names[which % 5] : std::string{input.line()});
    switch (input.number<std::uint8_t>() % 4) {
      case 0:
        return pair.variant("s", [&](Writer& value) { value.string(std::string{input.line()}); });
      case 1:
        return pair.variant("as", [&](Writer& value) { value.strings({std::string{input.line()}}); });
      case 2:
        return pair.variant("u", [&](Writer& value) { value.u32(input.number<std::uint32_t>()); });
      default:
        return pair.variant("a{ss}", [&](Writer& value) {
          value.array("{ss}", [&](Writer& map) {
            for (int i = input.number<std::uint8_t>() % 3; i > 0; --i)
              map.entry("ss", [&](Writer& both) {
                both.string(std::string{input.line()});
                both.string(std::string{input.line()});
              });
          });
        });
    }
  });
}

void append_any(Writer& out, fuzz::Input& input) {
  switch (input.number<std::uint8_t>() % 8) {
    case 0:
      return out.u32(input.number<std::uint32_t>());
    case 1:
      return out.u64(input.number<std::uint64_t>());
    case 2:
      return out.boolean(input.number<std::uint8_t>() % 2 == 1);
    case 3:
      return out.strings({std::string{input.line()}, std::string{input.line()}});
    case 4:
      return out.array("{sv}", [&](Writer& options) {
        for (int i = input.number<std::uint8_t>() % 5; i > 0; --i) append_option(options, input);
      });
    case 5:
      return out.i32(input.number<std::int32_t>());
    default:
      return out.string(std::string{input.line()});
  }
}

MessagePtr make(fuzz::Input input) {
  static sd_bus* const bus = unconnected_bus();
  sd_bus_message* raw = nullptr;
  require(sd_bus_message_new_method_call(bus, &raw, "org.svd1", "/org/svd1", "org.svd1.Manager", "Apply") >=
          0);
  MessagePtr message{raw};
  Writer out{raw};
  for (int i = 0; i < 6 && !input.empty(); ++i) append_any(out, input);
  require(out.error() == 0 && sd_bus_message_seal(raw, 1, 0) >= 0);
  return message;
}

void rewind(const MessagePtr& message) { require(sd_bus_message_rewind(message.get(), 1) >= 0); }

void check(const Source& source) {
  require(source.file.empty() || source.file.starts_with('/'));
  require(source.directory.empty() || source.directory.starts_with('/'));
  for (const auto& [path, content] : source.env_files) require(path.starts_with('/'));
}

}  // namespace

FUZZ_TARGET(calls) {
  const auto message = make(fuzz::Input{bytes});
  rewind(message);
  if (const auto source = read_source(message.get())) check(*source);
  rewind(message);
  if (const auto text = read_string(message.get())) require(find_invalid_utf8(*text) == std::string::npos);
  rewind(message);
  if (const auto texts = read_strings(message.get())) require(texts->size() <= 2);
  rewind(message);
  static_cast<void>(read_u32(message.get()));
  rewind(message);
  static_cast<void>(read_u64(message.get()));
  rewind(message);
  static_cast<void>(read_i32(message.get()));
  rewind(message);
  static_cast<void>(read_bool(message.get()));
  rewind(message);
  static_cast<void>(read_kill_target(message.get()));
}
