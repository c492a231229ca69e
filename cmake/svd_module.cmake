# svd_module(plan FILES diff.cpp USES model lifecycle): one static library per folder of src/. Only what
# USES and LIBS name can be linked, so the folder graph cannot grow a cycle by accident (tests/layers.py checks the rest).
function(svd_module name)
  cmake_parse_arguments(M "" "" "FILES;USES;LIBS" ${ARGN})
  list(TRANSFORM M_USES PREPEND svd_)
  if(M_FILES)
    add_library(svd_${name} STATIC ${M_FILES})
    set(scope PUBLIC)
    target_link_libraries(svd_${name} PRIVATE svd_warnings)
  else()
    add_library(svd_${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(svd_${name} ${scope} ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(svd_${name} ${scope} ${M_USES} ${M_LIBS})
endfunction()

# svd_test(spec TIER unit FILES a_test.cpp LIBS svd_spec): one Catch2 binary, its cases found by ctest under the label TIER.
# The working directory is the source tree's tests/, so that golden and corpus files are found.
function(svd_test name)
  cmake_parse_arguments(T "" "TIER" "FILES;LIBS" ${ARGN})
  add_executable(test_${name} ${T_FILES})
  target_include_directories(test_${name} PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(test_${name} PRIVATE ${T_LIBS} svd_warnings Catch2::Catch2WithMain)
  # What is tested is optimised; of the tests themselves the time to compile is what counts.
  target_compile_options(test_${name} PRIVATE $<$<CONFIG:Release,RelWithDebInfo>:-O1> $<$<CONFIG:RelWithDebInfo>:-g1> -Wno-unused-result)
  add_test(NAME ${T_TIER}.${name} COMMAND test_${name} --durations yes WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}/tests)
  set_tests_properties(${T_TIER}.${name} PROPERTIES LABELS ${T_TIER} TIMEOUT 300)
  # The same test of a second, sanitized build (tests/run): one ctest run then covers both.
  if(SVD_SANITIZE_DIR)
    add_test(NAME sanitize.${T_TIER}.${name} COMMAND ${SVD_SANITIZE_DIR}/tests/${T_TIER}/test_${name} --durations yes
             WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}/tests)
    set_tests_properties(sanitize.${T_TIER}.${name} PROPERTIES LABELS sanitize TIMEOUT 600)
  endif()
endfunction()

# svd_fuzz(notify REACH stranger RUNS 50000 FILES notify_fuzz.cpp LIBS svd_kernel): one fuzz target, whose corpus is
# tests/corpus/NAME. REACH is the least of those who can choose its input: stranger (any local user), app, author (of a file),
# root. Where SVD_FUZZ is on (clang) it is a libFuzzer program, and its test makes a bounded number of runs; what libFuzzer
# finds goes to the build tree. Else it becomes a part of test_corpus (tests/unit/corpus.cmake), which replays the corpus.
# DATA: another folder below tests/ that serves as corpus. MAX: the longest input, in bytes.
function(svd_fuzz name)
  cmake_parse_arguments(F "" "REACH;RUNS;DATA;MAX" "FILES;LIBS" ${ARGN})
  if(NOT F_DATA)
    set(F_DATA corpus/${name})
  endif()
  if(NOT F_MAX)
    set(F_MAX 4096)
  endif()
  list(TRANSFORM F_FILES PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/ REGEX "^[a-z_]+\\.cpp$")
  set_property(GLOBAL APPEND PROPERTY SVD_FUZZ_TARGETS "${name} ${F_REACH} ${F_DATA} ${F_MAX}")
  set_property(GLOBAL APPEND PROPERTY SVD_FUZZ_FILES ${F_FILES})
  set_property(GLOBAL APPEND PROPERTY SVD_FUZZ_LIBS ${F_LIBS})
  if(SVD_FUZZ)
    add_executable(fuzz_${name} ${F_FILES} ${PROJECT_SOURCE_DIR}/tests/fuzz/memory.cpp)
    target_compile_definitions(fuzz_${name} PRIVATE SVD_LIBFUZZER)
    target_include_directories(fuzz_${name} PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/tests)
    target_link_libraries(fuzz_${name} PRIVATE ${F_LIBS} svd_warnings)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    add_dependencies(fuzzers fuzz_${name})
    svd_fuzz_run(${name} ${CMAKE_CURRENT_BINARY_DIR})
  elseif(SVD_FUZZ_DIR)
    svd_fuzz_run(${name} ${SVD_FUZZ_DIR}/tests/fuzz)
  endif()
endfunction()

macro(svd_fuzz_run name directory)
  set(found ${CMAKE_CURRENT_BINARY_DIR}/found_${name})
  file(MAKE_DIRECTORY ${found} ${PROJECT_SOURCE_DIR}/tests/${F_DATA})
  add_test(NAME fuzz.${name} COMMAND ${directory}/fuzz_${name} -runs=${F_RUNS} -max_len=${F_MAX} -max_total_time=60 -rss_limit_mb=1024
           -timeout=5 -artifact_prefix=${found}/ ${found} ${PROJECT_SOURCE_DIR}/tests/${F_DATA})
  set_tests_properties(fuzz.${name} PROPERTIES LABELS fuzz TIMEOUT 300)
endmacro()
