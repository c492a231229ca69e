svd_test(limits TIER unit FILES limits_test.cpp controllers_test.cpp passed_test.cpp stored_names_test.cpp LIBS svd_kernel)
