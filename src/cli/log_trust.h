// SPDX-License-Identifier: Apache-2.0
// Which entries of the journal are an instance's own. SYSLOG_IDENTIFIER is whatever the sender says, so it
// selects and proves nothing; what proves is what journald and the kernel add: _UID, _SYSTEMD_CGROUP and
// _TRANSPORT (trusted fields, systemd.journal-fields(7)).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace svd::cli {

struct JournalTrust {
  std::vector<std::uint32_t> daemon;  // who svd runs as
  std::vector<std::uint32_t> app;     // who the app runs as; empty: as svd
  std::string cgroup;                 // that svd was given, "/system.slice/svd.service"; empty: not known
};

struct JournalOrigin {
  std::string uid;        // as _UID has it; empty: nobody's word
  std::string cgroup;     // empty: the process had gone when journald looked
  std::string transport;  // "stdout", "journal", "syslog", "kernel", "driver"
};

// The instance in whose cgroup below `given` a process is: "shop:web/0" for
// "GIVEN/svd-0123abcd/shop:web/0.17/…". Empty: in none of them.
[[nodiscard]] std::string instance_of_cgroup(std::string_view cgroup, std::string_view given);

// The cgroup tells, where the process was in one of an instance. Else it is root's or svd's own user's word
// (the writer of `logs: { fields: true }` is such a process), or came over a stream from the app's user: a
// process that is gone before journald looks has no cgroup. Root and oneself are always believed.
[[nodiscard]] bool is_said_by(const JournalOrigin& origin, std::string_view instance,
                              const JournalTrust& trust);

// What is true of a daemon on this host. `user`: as the app's spec has it. What cannot be found is left out.
[[nodiscard]] JournalTrust find_journal_trust(const std::string& user, std::uint64_t keeper);

}  // namespace svd::cli
