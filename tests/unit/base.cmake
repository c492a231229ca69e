svd_test(base TIER unit FILES base_test.cpp LIBS svd_base svd_model)
