svd_test(bus TIER bus
  FILES harness.cpp calls_test.cpp clients_test.cpp contract_test.cpp hostile_test.cpp access_test.cpp signals_test.cpp system_bus_test.cpp
  LIBS svd_bus SDBusCpp::sdbus-c++)
