svd_test(confinement TIER process FILES confinement_test.cpp LIBS svd_kernel)
