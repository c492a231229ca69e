svd_test(logs_cut TIER process FILES logs_cut_test.cpp LIBS svd_logtool svd_files)
svd_test(logs_driver TIER process FILES logs_driver_test.cpp LIBS svd_kernel svd_files svd_loop)
target_compile_definitions(test_logs_driver PRIVATE SVD_LOGTOOL="$<TARGET_FILE:logtool>")
add_dependencies(test_logs_driver logtool)
