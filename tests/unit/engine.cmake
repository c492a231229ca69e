svd_test(engine TIER unit
  FILES engine_apply_test.cpp engine_change_test.cpp engine_depends_test.cpp engine_essential_test.cpp engine_limits_test.cpp engine_lost_revisions_test.cpp engine_lost_state_test.cpp engine_persist_test.cpp engine_ready_test.cpp engine_request_test.cpp engine_restore_test.cpp engine_rollout_test.cpp engine_saved_test.cpp
        engine_select_test.cpp engine_sockets_test.cpp engine_view_test.cpp
  LIBS svd_engine)
