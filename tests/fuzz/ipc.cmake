svd_fuzz(ipc FILES ipc_fuzz.cpp LIBS svd_ipc CORPUS corpus/ipc RUNS 50000)
