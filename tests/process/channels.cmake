svd_test(channels TIER process FILES channels_test.cpp channels_access_test.cpp channels_budget_test.cpp channels_gate_test.cpp channels_letters_test.cpp channels_passing_test.cpp
         LIBS svd_kernel)
target_compile_definitions(test_channels PRIVATE SVD_KEEPER="$<TARGET_FILE:svd>")
