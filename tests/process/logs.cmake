svd_test(logs_cut TIER process FILES logs_cut_test.cpp LIBS svd_logtool svd_files)
