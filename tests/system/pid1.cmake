add_executable(probe probe.c)
set_target_properties(probe PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
target_compile_options(probe PRIVATE -Wall -Wextra -Werror)
svd_system_test(command)
