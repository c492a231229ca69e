add_executable(probe probe.c)
set_target_properties(probe PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
target_compile_options(probe PRIVATE -Wall -Wextra -Werror)
svd_system_test(command)

# crun's containers; what a container engine's filter refuses is refused by libseccomp.
add_executable(deny deny.c)
set_target_properties(deny PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
target_compile_options(deny PRIVATE -Wall -Wextra -Werror)
target_link_libraries(deny PRIVATE PkgConfig::SECCOMP)
svd_system_test(container TIMEOUT 900)
