svd_system_test(channels TIMEOUT 900)
