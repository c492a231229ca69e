// SPDX-License-Identifier: Apache-2.0
#include "kernel/syscall_filter.h"

#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <set>

#include "base/unique_fd.h"

namespace svd {
namespace {

struct Release {
  void operator()(void* filter) const noexcept { seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, Release>;

// System calls by number; of a group, those that this architecture has not are left out.
class Numbers {
 public:
  Result<> add(std::string_view name) {
    if (name.starts_with('@')) return add_group(name);
    const int number = seccomp_syscall_resolve_name(std::string{name}.c_str());
    if (number == __NR_SCMP_ERROR) return fail(std::errc::invalid_argument, std::string{name});
    if (number >= 0) numbers_.insert(number);
    return {};
  }
  [[nodiscard]] const std::set<int>& all() const { return numbers_; }

 private:
  Result<> add_group(std::string_view name) {
    const auto members = syscall_group(name);
    if (members.empty()) return fail(std::errc::invalid_argument, std::string{name});
    for (const auto member : members)
      (void)add(member);  // a name of a newer kernel: not known here, so never called
    return {};
  }
  std::set<int> numbers_;
};

Result<std::string> export_program(void* filter) {
  const UniqueFd file{::memfd_create("svd-filter", MFD_CLOEXEC)};
  if (!file) return fail_errno(errno, "cannot make a filter");
  if (const int r = seccomp_export_bpf(filter, file.get()); r < 0)
    return fail_errno(-r, "cannot make a filter");
  const auto size = ::lseek(file.get(), 0, SEEK_END);
  std::string program(static_cast<std::size_t>(size), '\0');
  if (::pread(file.get(), program.data(), program.size(), 0) != size)
    return fail_errno(EIO, "cannot make a filter");
  return program;
}

}  // namespace

Result<std::string> syscall_filter(const std::vector<std::string>& list, Otherwise otherwise) {
  const bool denies = !list.empty() && list.front().starts_with('~');
  Numbers numbers;
  if (!denies) SVD_CHECK(numbers.add("@default"));
  for (std::size_t i = 0; i < list.size(); ++i)
    SVD_CHECK(
        numbers.add(denies && i == 0 ? std::string_view{list[i]}.substr(1) : std::string_view{list[i]}));
  const std::uint32_t refusal = otherwise == Otherwise::kill ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ERRNO(ENOSYS);
  const Filter filter{seccomp_init(denies ? SCMP_ACT_ALLOW : refusal)};
  if (!filter) return fail(std::errc::not_enough_memory, "cannot make a filter");
  // no_new_privs is a step of its own; lookups by a binary tree (libseccomp 2.5) instead of one after the
  // other.
  seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_NNP, 0);
  seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  for (const int number : numbers.all())
    if (const int r = seccomp_rule_add(filter.get(), denies ? refusal : SCMP_ACT_ALLOW, number, 0); r < 0)
      return fail_errno(-r, "cannot make a filter");
  return export_program(filter.get());
}

}  // namespace svd
