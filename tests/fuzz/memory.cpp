// SPDX-License-Identifier: Apache-2.0
// Counts what is allocated, for fuzz::within(): of AddressSanitizer's allocator by its hooks, else by
// operator new. One thread.
#include <cstdlib>

#include "fuzz/fuzz.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SVD_ASAN
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SVD_ASAN
#endif

#ifdef SVD_ASAN
#include <sanitizer/allocator_interface.h>
#else
#include <malloc.h>

#include <new>
#endif

namespace {

std::size_t held = 0, before = 0, most = 0;

void count(std::size_t size) {
  held += size;
  if (held > most) most = held;
}

#ifdef SVD_ASAN
const int hooked = __sanitizer_install_malloc_and_free_hooks(
    [](const volatile void*, std::size_t size) { count(size); },
    [](const volatile void* memory) {
      held -= __sanitizer_get_allocated_size(const_cast<const void*>(memory));
    });
#endif

}  // namespace

void svd::fuzz::start_counting() { before = most = held; }
std::size_t svd::fuzz::most_held() { return most - before; }

#ifndef SVD_ASAN
void* operator new(std::size_t size) {
  void* const memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) std::abort();
  count(::malloc_usable_size(memory));
  return memory;
}

void operator delete(void* memory) noexcept {
  if (memory != nullptr) held -= ::malloc_usable_size(memory);
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }
#endif
