// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace svd::keeper {

// One line on stderr: "svd: <what>", with ": <errno text>" when err is not 0. Never blocks for long and never
// fails.
void note(const char* what, int err = 0) noexcept;
// The same with a number: "svd: <what> <number>".
void note_number(const char* what, long number) noexcept;

}  // namespace svd::keeper
