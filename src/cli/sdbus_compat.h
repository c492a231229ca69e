// SPDX-License-Identifier: Apache-2.0
// The differences between sdbus-c++ 1.2 (Debian 12) and 2.x (Debian 13); nothing else knows which one it is.
#pragma once

#include <sdbus-c++/sdbus-c++.h>

#include <memory>
#include <string>

namespace svd::cli::compat {

#if __has_include(<sdbus-c++/VTableItems.h>)  // came with 2.0

inline std::unique_ptr<sdbus::IProxy> proxy(sdbus::IConnection& connection, const std::string& service,
                                            const std::string& path) {
  return sdbus::createProxy(connection, sdbus::ServiceName{service}, sdbus::ObjectPath{path});
}
inline void finish_registration(sdbus::IProxy&) {}  // 2.x subscribes in call()
inline bool process_one(sdbus::IConnection& connection) { return connection.processPendingEvent(); }

#else

inline std::unique_ptr<sdbus::IProxy> proxy(sdbus::IConnection& connection, const std::string& service,
                                            const std::string& path) {
  return sdbus::createProxy(connection, service, path);
}
inline void finish_registration(sdbus::IProxy& proxy) { proxy.finishRegistration(); }
inline bool process_one(sdbus::IConnection& connection) { return connection.processPendingRequest(); }

#endif

}  // namespace svd::cli::compat
