// SPDX-License-Identifier: Apache-2.0
// Addresses of sockets. Names are never looked up: what is bound must not depend on who answers.
#include <arpa/inet.h>

#include <array>
#include <charconv>

#include "base/text.h"
#include "spec/forms.h"

namespace svd::spec {
namespace {

// Text before and after the colon of the port; nothing where there is no colon.
struct Parts {
  std::optional<std::string_view> address;
  std::string_view port;
  bool bracketed = false;
};

Parts split(std::string_view text) {
  if (text.starts_with('[')) {
    const auto end = text.find("]:");
    if (end == std::string_view::npos) return {text, "", true};
    return {text.substr(1, end - 1), text.substr(end + 2), true};
  }
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return {std::nullopt, text, false};
  return {text.substr(0, colon), text.substr(colon + 1), false};
}

std::uint16_t parse_port(std::string_view text) {  // 0: none
  std::uint16_t port = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), port);
  return parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size() && text[0] != '0' ? port : 0;
}

// The address as everybody writes it ("::1" for "0:0::1"); empty: it is none of this family.
std::string canonical(int family, std::string_view text) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  std::array<char, INET6_ADDRSTRLEN> shown{};
  if (inet_pton(family, std::string{text}.c_str(), bytes.data()) != 1) return "";
  const auto* done = inet_ntop(family, bytes.data(), shown.data(), shown.size());
  return done == nullptr ? "" : done;
}

std::optional<Endpoint> parse_endpoint(std::string_view text) {
  const auto parts = split(text);
  const auto port = parts.port.empty() ? std::uint16_t{0} : parse_port(parts.port);
  if (port == 0) return std::nullopt;
  if (!parts.address || (parts.address->empty() && !parts.bracketed)) return Endpoint{"", port};
  auto address = canonical(parts.bracketed ? AF_INET6 : AF_INET, *parts.address);
  if (address.empty() || address.starts_with("::ffff:")) return std::nullopt;
  return Endpoint{std::move(address), port};
}

std::string endpoint_hint(const Node& node) {
  if (node.kind != Kind::scalar) return "";
  const auto parts = split(node.text);
  if (!parts.address) return canonical(AF_INET, node.text).empty() ? "" : ": the port is missing";
  const auto address = *parts.address;
  if (parts.bracketed) {
    if (address.starts_with('[')) return ": the port is missing";
    const auto v6 = canonical(AF_INET6, address);
    return v6.starts_with("::ffff:") ? ": write " + v6.substr(7) + " without brackets" : "";
  }
  if (address == "localhost") return ": names are not looked up, write 127.0.0.1 or [::1]";
  if (address == "*") return ": leave the address out for all of them";
  if (!canonical(AF_INET6, address).empty() || !canonical(AF_INET6, node.text).empty())
    return ": put an IPv6 address in brackets, and the port behind";
  const bool is_name = address.find_first_of("abcdefghijklmnopqrstuvwxyz") != std::string_view::npos;
  return is_name ? ": names are not looked up, write the number" : "";
}

bool means_all(const Endpoint& endpoint) {
  return endpoint.address.empty() || endpoint.address == "0.0.0.0" || endpoint.address == "::";
}

std::string show_endpoint(const Endpoint& endpoint) {
  const bool is_v6 = endpoint.address.find(':') != std::string::npos;
  return (is_v6 ? "[" + endpoint.address + "]" : endpoint.address) + ":" + std::to_string(endpoint.port);
}

Json endpoint_schema() {
  return Json::object({{"type", Json::array({"string", "integer"})},
                       {"pattern", "^((\\[[0-9A-Fa-f:.]+\\]|[0-9.]+)?:)?[1-9][0-9]{0,4}$|\\$\\{"},
                       {"minimum", std::int64_t{1}},
                       {"maximum", std::int64_t{65535}}});
}

std::optional<std::string> read_abstract(const Node& node, const Place& place, Reading& reading,
                                         std::size_t longest) {
  if (node.text.size() > 1 && node.text.size() <= longest) return node.text;
  reading.complaints.add(node.mark, place,
                         "an abstract name has 1 to " + std::to_string(longest - 1) + " bytes after the '@'");
  return std::nullopt;
}

}  // namespace

Form<Endpoint> endpoint(EndpointUse use) {
  const bool connects = use == EndpointUse::connect;
  const std::string words = connects ? "a numeric address and a port, such as \"127.0.0.1:8080\" or "
                                       "\"[::1]:8080\", or a port of 127.0.0.1"
                                     : "a numeric address and a port, such as \"0.0.0.0:8080\" or "
                                       "\"[::1]:8080\", or a port";
  auto read = [=](const Node& node, const Place& place, Reading& reading) -> std::optional<Endpoint> {
    const auto given = reading.expanded(node, place);
    if (!given) return std::nullopt;
    auto value = given->kind == Kind::scalar ? parse_endpoint(given->text) : std::nullopt;
    if (value && connects && value->address.empty()) value->address = "127.0.0.1";
    if (value && !(connects && means_all(*value))) return value;
    const auto hint = value ? ": nobody can be reached at an address that means all" : endpoint_hint(node);
    reading.refuse(node, place, words, hint);
    return std::nullopt;
  };
  return {words, endpoint_schema(), read, show_endpoint};
}

Form<std::string> socket_address() {
  constexpr std::size_t longest = 107;  // sun_path, less the final NUL or with the first one
  const std::string words = "a path, or @ and an abstract name";
  auto read = [=, file = path()](const Node& node, const Place& place,
                                 Reading& reading) -> std::optional<std::string> {
    const auto given = reading.expanded(node, place);
    if (!given) return std::nullopt;
    if (given->kind == Kind::scalar && given->text.starts_with('@'))
      return read_abstract(*given, place, reading, longest);
    auto value = file.read(*given, place, reading);
    if (!value || value->size() <= longest) return value;
    reading.complaints.add(node.mark, place,
                           "the path of a socket has at most " + std::to_string(longest) + " bytes, " +
                               in_quotes(node.text == given->text ? *value : node.text) + " has " +
                               std::to_string(value->size()));
    return std::nullopt;
  };
  return {words, path().schema, read, [](const std::string& value) { return value; }};
}

}  // namespace svd::spec
