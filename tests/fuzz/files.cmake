svd_fuzz(cut REACH app RUNS 100000 MAX 600 FILES cut_fuzz.cpp LIBS svd_files)
