// SPDX-License-Identifier: Apache-2.0
#include "bus/guard.h"

#include <cerrno>

#include "base/text.h"
#include "bus/paths.h"

namespace svd::bus {
namespace {

const char* name_of(std::errc code, Invalid invalid) {
  switch (static_cast<int>(code)) {
    case ESRCH:
      return "org.svd1.Error.NotFound";
    case EPERM:
    case EACCES:
      return SD_BUS_ERROR_ACCESS_DENIED;
    case ENOBUFS:
      return SD_BUS_ERROR_LIMITS_EXCEEDED;
    case EBADMSG:
      return SD_BUS_ERROR_INVALID_ARGS;
    case EINVAL:
      return invalid == Invalid::file ? "org.svd1.Error.InvalidFile" : SD_BUS_ERROR_INVALID_ARGS;
    default:
      return "org.svd1.Error.Failed";
  }
}

}  // namespace

int set_error(sd_bus_error* into, const Error& error, Invalid invalid) {
  const bool clean = find_invalid_utf8(error.text) == std::string_view::npos;
  const std::string text = clean ? error.text : printable(error.text);
  return sd_bus_error_set(into, name_of(error.code, invalid), text.c_str());
}

int set_internal_error(sd_bus_error* into, const char* what) noexcept {
  return sd_bus_error_setf(into, "org.svd1.Error.Failed", "internal error: %s", what);
}

Result<> Call::reply(const Begun& begun) {
  changed();
  return reply([&](Writer& out) { out.object(path_of(begun.change)); });
}

Result<> Call::send(sd_bus_message* answer, const Writer& out) {
  if (out.error() < 0) return fail_errno(-out.error(), "cannot compose a reply");
  connection.charge(out.bytes());
  if (const int r = sd_bus_send(connection.bus(), answer, nullptr); r < 0)
    return fail_errno(-r, "cannot send a reply");
  return {};
}

}  // namespace svd::bus
