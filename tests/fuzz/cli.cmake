svd_fuzz(logs REACH app RUNS 1000 FILES logs_fuzz.cpp LIBS svd_cli svd_ipc)
svd_fuzz(time REACH app RUNS 100000 MAX 700 FILES time_fuzz.cpp LIBS svd_cli)
svd_fuzz(text REACH app RUNS 50000 FILES text_fuzz.cpp LIBS svd_cli svd_ipc)
svd_fuzz(replies REACH stranger RUNS 20000 FILES replies_fuzz.cpp LIBS svd_cli svd_ipc)
