svd_fuzz(spec REACH author RUNS 20000 DATA corpus/spec FILES spec_fuzz.cpp LIBS svd_spec)
svd_fuzz(env REACH app RUNS 50000 FILES env_fuzz.cpp LIBS svd_spec)
svd_fuzz(units REACH author RUNS 100000 MAX 64 FILES units_fuzz.cpp LIBS svd_base)
