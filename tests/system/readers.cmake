svd_system_test(readers)
