# Warnings are errors for our code; hardening and sanitizers are for the whole build.
# A supervisor's time is the kernel's, its memory is mostly its own text: -Os makes the engine a third smaller than -O2
# (2.5 MB of PSS with nothing to supervise instead of 3.4) and no slower where it was measured.
set(CMAKE_C_FLAGS_RELEASE "-Os -DNDEBUG")
set(CMAKE_CXX_FLAGS_RELEASE "-Os -DNDEBUG")
add_library(svd_warnings INTERFACE)
if(NOT SVD_FUZZ)  # g++ is the judge; clang only builds what is fuzzed
  target_compile_options(svd_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wswitch-enum -Wnon-virtual-dtor
                                                -Wundef -Werror)
  # g++ 12 at -O2 sees uninitialised members of the alternatives that a std::variant or tl::expected does not hold.
  target_compile_options(svd_warnings INTERFACE -Wno-maybe-uninitialized)
endif()
add_compile_definitions(_GLIBCXX_ASSERTIONS SVD_VERSION="${PROJECT_VERSION}")
add_compile_options(-fstack-protector-strong -ffunction-sections -fdata-sections)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
add_link_options(-Wl,--gc-sections -Wl,-z,relro,-z,now)
if(SVD_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
elseif(SVD_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
elseif(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo" OR CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-clash-protection -fcf-protection)
  # Our code is made for both halves of Intel's CET. The linker says so of a program only if all that goes into it does, and Debian's
  # start code (Scrt1.o) does not: it has no ENDBR64, so indirect branches cannot be tracked; a shadow stack needs nothing of it.
  if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
    add_link_options(-Wl,-z,shstk)
  endif()
endif()
include(CheckPIESupported)
check_pie_supported()
