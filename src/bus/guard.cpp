// SPDX-License-Identifier: Apache-2.0
#include "bus/guard.h"

#include <cerrno>

#include "bus/paths.h"
#include "bus/wire.h"

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
  return sd_bus_error_set(into, name_of(error.code, invalid), fit_for_bus(error.text).c_str());
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
