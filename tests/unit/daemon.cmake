svd_test(daemon TIER unit FILES daemon_test.cpp journal_fields_test.cpp LIBS svd_daemon)
