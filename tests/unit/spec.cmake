svd_test(spec TIER unit
  FILES spec_cluster_test.cpp spec_compare_test.cpp spec_corpus_test.cpp spec_decode_test.cpp spec_docs_test.cpp spec_hostile_test.cpp spec_render_test.cpp spec_values_test.cpp
  LIBS svd_spec svd_model svd_base)

# Writes what is generated from the field table: svd-gen-docs write SOURCE_DIR.
add_executable(svd-gen-docs ${CMAKE_CURRENT_SOURCE_DIR}/spec_gen_docs.cpp)
target_link_libraries(svd-gen-docs PRIVATE svd_spec svd_warnings)

# A validator that shares no code with ours must agree on the corpus.
add_test(NAME unit.spec_schema COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/spec_schema_test.py ${PROJECT_SOURCE_DIR})
set_tests_properties(unit.spec_schema PROPERTIES LABELS unit TIMEOUT 60 SKIP_RETURN_CODE 77)
