svd_fuzz(ipc REACH app RUNS 20000 MAX 30000 FILES ipc_fuzz.cpp LIBS svd_ipc)
svd_fuzz(json REACH app RUNS 50000 FILES json_fuzz.cpp LIBS svd_ipc)
svd_fuzz(primary REACH root RUNS 20000 FILES primary_fuzz.cpp LIBS svd_ipc)
svd_fuzz(node_options REACH author RUNS 50000 FILES node_options_fuzz.cpp LIBS svd_ipc)
