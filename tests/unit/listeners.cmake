svd_test(listeners_parts TIER unit FILES listeners_test.cpp LIBS svd_kernel)
