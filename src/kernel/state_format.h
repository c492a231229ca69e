// SPDX-License-Identifier: Apache-2.0
// How a state file looks. A person can read it, a program can trust it:
//
//   svd-state revision 1 4711 9ae0daaf      kind, version, bytes after this line, their CRC-32 (RFC 1952)
//   ecosystem 4                             a field: its name, the bytes of its value
//   shop                                    the value, any bytes, and a line end
//
// A file is taken as a whole or not at all: every byte of it is under the checksum or must be exactly as it
// would be written.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "engine/ports.h"

namespace svd {

[[nodiscard]] std::string format_runtime(std::string_view runtime);
[[nodiscard]] std::string format_revision(const Revision& revision);

// Errors: illegal_byte_sequence: damaged or cut short; not_supported: written by a newer svd. The text is the
// reason alone
// ("it is damaged"), for the caller to put into a sentence.
[[nodiscard]] Result<std::string> parse_runtime(std::string_view file);
[[nodiscard]] Result<Revision> parse_revision(std::string_view file);

}  // namespace svd
