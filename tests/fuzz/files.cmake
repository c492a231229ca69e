svd_fuzz(cut REACH app RUNS 100000 MAX 600 FILES cut_fuzz.cpp LIBS svd_files)
svd_fuzz(rotate REACH app RUNS 1000 FILES rotate_fuzz.cpp LIBS svd_logtool)
svd_fuzz(forward REACH app RUNS 5000 FILES forward_fuzz.cpp LIBS svd_logtool)
