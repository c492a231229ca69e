svd_system_test(floods TIMEOUT 900)
