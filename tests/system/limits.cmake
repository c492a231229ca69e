svd_system_test(limits)
