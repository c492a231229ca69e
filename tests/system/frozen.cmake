svd_system_test(frozen TIMEOUT 900)
svd_system_test(inherited)
