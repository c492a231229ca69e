svd_fuzz(bus FILES bus_fuzz.cpp LIBS svd_bus CORPUS corpus/bus RUNS 200000)
