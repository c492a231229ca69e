# The libraries we use, found under one name whatever the distribution's version calls them. Differences between versions
# end here (targets) and in one small header each (tests/support/catch.h, src/cli/sdbus_compat.h).
find_package(PkgConfig REQUIRED)
find_package(tl-expected REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(CLI11 REQUIRED)
find_package(sdbus-c++ REQUIRED)
pkg_check_modules(SYSTEMD REQUIRED IMPORTED_TARGET libsystemd)
pkg_check_modules(SECCOMP REQUIRED IMPORTED_TARGET libseccomp)

# yaml-cpp 0.7 calls its target yaml-cpp; 0.8 has the name in a namespace and warns about the plain one.
if(NOT TARGET yaml-cpp::yaml-cpp)
  set_target_properties(yaml-cpp PROPERTIES IMPORTED_GLOBAL TRUE)
  add_library(yaml-cpp::yaml-cpp ALIAS yaml-cpp)
endif()

# The static yaml-cpp where there is one: the shared one would bring a shared C++ runtime into programs that carry their own,
# and pages and relocations of both into the daemon.
find_library(YAML_CPP_STATIC libyaml-cpp.a)
mark_as_advanced(YAML_CPP_STATIC)
add_library(svd_yaml INTERFACE)
target_link_libraries(svd_yaml INTERFACE $<IF:$<BOOL:${YAML_CPP_STATIC}>,${YAML_CPP_STATIC},yaml-cpp::yaml-cpp>)

# Catch2 2 and 3 both package Catch2::Catch2WithMain; what differs is the headers.
if(SVD_TESTS)
  find_package(Catch2 REQUIRED)
endif()
