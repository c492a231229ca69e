svd_test(keeper_parts TIER unit FILES keeper_test.cpp LIBS svd_keeper svd_kernel)
svd_test(keeper_command TIER unit FILES keeper_command_test.cpp LIBS svd_keeper)
