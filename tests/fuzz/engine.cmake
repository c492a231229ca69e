# Not svd_engine: clang 14 does not compile all of it.
svd_fuzz(state REACH root RUNS 20000 FILES state_fuzz.cpp ${src}/engine/saving/read.cpp ${src}/engine/saving/write.cpp LIBS svd_kernel)
svd_fuzz(pattern REACH stranger RUNS 20000 MAX 1024 FILES pattern_fuzz.cpp ${src}/engine/requests/pattern.cpp LIBS svd_base)
