svd_test(base TIER unit FILES base_test.cpp directories_test.cpp expand_test.cpp LIBS svd_base svd_model)
