svd_test(state TIER process FILES state_both_test.cpp state_memory_test.cpp state_test.cpp LIBS svd_kernel svd_files svd_model)
