# Every fuzz target (tests/fuzz) over its corpus: what was found once is looked for in each build.
get_property(files GLOBAL PROPERTY SVD_FUZZ_FILES)
get_property(libs GLOBAL PROPERTY SVD_FUZZ_LIBS)
list(REMOVE_DUPLICATES files)
list(REMOVE_DUPLICATES libs)
svd_test(corpus TIER unit FILES corpus_test.cpp ${PROJECT_SOURCE_DIR}/tests/fuzz/memory.cpp ${files} LIBS ${libs})
target_compile_definitions(test_corpus PRIVATE SVD_FUZZ_TARGETS="${PROJECT_BINARY_DIR}/tests/fuzz/targets")
