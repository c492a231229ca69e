add_executable(svd-gen-docs ${CMAKE_CURRENT_SOURCE_DIR}/spec_gen_docs.cpp)
target_link_libraries(svd-gen-docs PRIVATE svd_spec svd_warnings)
