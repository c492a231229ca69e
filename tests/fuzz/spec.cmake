svd_fuzz(spec FILES spec_fuzz.cpp LIBS svd_spec CORPUS corpus/spec RUNS 20000)
