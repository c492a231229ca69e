svd_test(engine TIER unit FILES engine_apply_test.cpp LIBS svd_engine)
