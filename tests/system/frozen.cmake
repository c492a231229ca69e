svd_system_test(frozen TIMEOUT 900)
# It mostly waits for deadlines, and measures nothing.
set_tests_properties(system.frozen PROPERTIES RUN_SERIAL OFF)
svd_system_test(inherited)
