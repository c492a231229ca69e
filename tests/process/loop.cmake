svd_test(loop TIER process FILES loop_test.cpp LIBS svd_loop)
