# SVD_SIM_SEED=n replays one history, SVD_SIM_HISTORIES=n runs more of them.
svd_test(simulation TIER unit FILES simulation_test.cpp LIBS svd_engine)
