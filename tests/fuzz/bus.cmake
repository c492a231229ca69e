# Not svd_bus: clang 14 does not compile all of it.
svd_fuzz(bus REACH stranger RUNS 200000 FILES bus_fuzz.cpp ${src}/bus/match.cpp ${src}/bus/paths.cpp LIBS svd_model PkgConfig::SYSTEMD)
svd_fuzz(calls REACH stranger RUNS 20000 FILES calls_fuzz.cpp ${src}/bus/wire.cpp ${src}/bus/paths.cpp LIBS svd_model PkgConfig::SYSTEMD)
