svd_test(plan TIER unit FILES plan_pure_test.cpp plan_test.cpp LIBS svd_plan)
