svd_fuzz(keeper FILES keeper_fuzz.cpp LIBS svd_keeper CORPUS corpus/keeper RUNS 500000)
