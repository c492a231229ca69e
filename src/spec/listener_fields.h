// SPDX-License-Identifier: Apache-2.0
// `listen`: a map of names to listeners, with a table of keys of their own.
#pragma once

#include "spec/fields.h"

namespace svd::spec {

// The row "listen" of the table of fields.
[[nodiscard]] Field listeners_field();

// "tcp=0.0.0.0:8080 backlog=511": what is not the default. For one line about a listener.
[[nodiscard]] std::string show_listener(const Listener& listener);

}  // namespace svd::spec
