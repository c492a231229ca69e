svd_test(cli_process TIER process FILES cli_system_test.cpp LIBS svd_cli svd_model svd_base)
