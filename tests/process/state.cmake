svd_test(state TIER process FILES state_test.cpp LIBS svd_kernel svd_files svd_model)
