svd_test(plan TIER unit FILES plan_test.cpp LIBS svd_plan)
