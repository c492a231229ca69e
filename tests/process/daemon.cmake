svd_test(daemon_places TIER process FILES daemon_places_test.cpp LIBS svd_daemon)
