svd_test(bus_names TIER unit FILES bus_match_test.cpp bus_paths_test.cpp LIBS svd_bus)
