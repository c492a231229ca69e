svd_fuzz(keeper REACH root RUNS 200000 FILES keeper_fuzz.cpp LIBS svd_keeper)
svd_fuzz(command REACH author RUNS 50000 MAX 1024 FILES command_fuzz.cpp LIBS svd_keeper)
