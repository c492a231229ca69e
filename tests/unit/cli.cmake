svd_test(cli TIER unit
  FILES cli_habits_test.cpp cli_help_test.cpp cli_log_test.cpp cli_render_test.cpp cli_hostile_test.cpp cli_text_test.cpp cli_trust_test.cpp cli_verbs_test.cpp cli_wait_test.cpp
  LIBS svd_cli svd_spec svd_model svd_base)
