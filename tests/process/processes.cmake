add_executable(stub_engine stub_engine.cpp)
target_link_libraries(stub_engine PRIVATE svd_kernel svd_warnings)
add_executable(report_self report_self.cpp)
target_link_libraries(report_self PRIVATE svd_warnings)
# A keeper with no engine beside it: one that a test was ended before would else go on with the real one.
set(lone_keeper ${CMAKE_CURRENT_BINARY_DIR}/lone/bin/svd)
add_custom_command(OUTPUT ${lone_keeper} DEPENDS svd
                   COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_CURRENT_BINARY_DIR}/lone/bin
                   COMMAND ${CMAKE_COMMAND} -E copy $<TARGET_FILE:svd> ${lone_keeper})
add_custom_target(lone_keeper DEPENDS ${lone_keeper})
svd_test(processes TIER process FILES processes_test.cpp processes_bench.cpp LIBS svd_kernel)
svd_test(strays TIER process FILES strays_test.cpp LIBS svd_kernel)
svd_test(shortage TIER process FILES shortage_test.cpp LIBS svd_kernel)
svd_test(log_file TIER process FILES log_file_test.cpp LIBS svd_kernel svd_files)
svd_test(harden TIER process FILES harden_test.cpp LIBS svd_kernel)
svd_test(keeper TIER process FILES keeper_test.cpp LIBS svd_kernel)
svd_test(keeper_protocol TIER process FILES keeper_protocol_test.cpp LIBS svd_kernel)
foreach(test processes strays harden log_file shortage keeper keeper_protocol)
  add_dependencies(test_${test} lone_keeper stub_engine report_self)
  target_compile_definitions(test_${test} PRIVATE SVD_KEEPER="${lone_keeper}" SVD_STUB_ENGINE="$<TARGET_FILE:stub_engine>"
                             SVD_REPORT_SELF="$<TARGET_FILE:report_self>")
endforeach()
