# SVD_SIM_SEED=n replays one history, SVD_SIM_HISTORIES=n runs more of them (SVD_SIM_FIRST=n: from there), SVD_SIM_PIN=1 pins the
# calls of the usual ones anew.
svd_test(simulation TIER unit FILES simulation_test.cpp LIBS svd_engine)
