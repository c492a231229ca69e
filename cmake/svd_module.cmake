# svd_module(plan FILES diff.cpp USES model lifecycle LIBS fmt::fmt): one static library per folder of src/. Only what
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
  add_test(NAME ${T_TIER}.${name} COMMAND test_${name} --durations yes WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}/tests)
  set_tests_properties(${T_TIER}.${name} PROPERTIES LABELS ${T_TIER} TIMEOUT 300)
endfunction()
