svd_test(ipc TIER unit FILES ipc_json_test.cpp ipc_frames_test.cpp ipc_cluster_test.cpp ipc_primary_test.cpp ipc_router_test.cpp
                             ipc_node_options_test.cpp ipc_rotation_test.cpp
         LIBS svd_ipc)
