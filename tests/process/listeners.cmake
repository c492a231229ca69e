svd_test(listeners TIER process FILES listeners_test.cpp listeners_unix_test.cpp listeners_move_test.cpp steering_test.cpp LIBS svd_kernel)
target_compile_definitions(test_listeners PRIVATE SVD_KEEPER="$<TARGET_FILE:svd>")
