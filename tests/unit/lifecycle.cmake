svd_test(lifecycle TIER unit FILES lifecycle_test.cpp lifecycle_restart_test.cpp LIBS svd_lifecycle)
