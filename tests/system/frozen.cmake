svd_system_test(frozen TIMEOUT 900)
