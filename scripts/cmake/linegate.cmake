# Build rules shared by every folder: one library per module (the rows of docs/architecture.md "Modules"),
# warnings as errors, foreign headers as SYSTEM and PRIVATE to the module that owns them.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(GTest REQUIRED)

add_library(lg_options INTERFACE)
target_include_directories(lg_options INTERFACE ${CMAKE_SOURCE_DIR})
# -Wno-restrict: GCC 12 reports every optimised `"literal" + std::string` (GCC bug 105651).
target_compile_options(lg_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Werror -fno-strict-aliasing
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
if(LINEGATE_SANITIZE)
  target_compile_options(lg_options INTERFACE -fsanitize=${LINEGATE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(lg_options INTERFACE -fsanitize=${LINEGATE_SANITIZE})
endif()
if(LINEGATE_FUZZ)
  target_compile_options(lg_options INTERFACE -fsanitize=fuzzer-no-link,address,undefined)
  target_link_options(lg_options INTERFACE -fsanitize=address,undefined)
endif()

# lg_library(NAME SOURCES a.cc ... [PUBLIC lib ...] [PRIVATE lib ...])
# A library of headers alone gives no SOURCES.
function(lg_library NAME)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  if(ARG_SOURCES)
    add_library(${NAME} STATIC ${ARG_SOURCES})
    target_link_libraries(${NAME} PUBLIC lg_options ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE})
  else()
    add_library(${NAME} INTERFACE)
    target_link_libraries(${NAME} INTERFACE lg_options ${ARG_PUBLIC})
  endif()
endfunction()

# lg_foreign(NAME pkg-config-module ...): a foreign library as an imported target whose headers are SYSTEM.
function(lg_foreign NAME)
  if(NOT TARGET ${NAME})
    pkg_check_modules(${NAME}_pc REQUIRED IMPORTED_TARGET ${ARGN})
    add_library(${NAME} INTERFACE)
    target_include_directories(${NAME} SYSTEM INTERFACE ${${NAME}_pc_INCLUDE_DIRS})
    target_compile_options(${NAME} INTERFACE ${${NAME}_pc_CFLAGS_OTHER})
    target_link_libraries(${NAME} INTERFACE ${${NAME}_pc_LINK_LIBRARIES})
  endif()
endfunction()

# lg_test(NAME LABEL label SOURCES a_test.cc ... LIBS lib ...): one GoogleTest binary per module, run by ctest.
function(lg_test NAME)
  cmake_parse_arguments(ARG "" "LABEL" "SOURCES;LIBS" ${ARGN})
  add_executable(${NAME} ${ARG_SOURCES})
  # What is tested is optimised; the tests themselves only have to build quickly.
  target_compile_options(${NAME} PRIVATE $<$<CONFIG:Release>:-O1>)
  target_link_libraries(${NAME} PRIVATE lg_options ${ARG_LIBS} GTest::gmock GTest::gtest GTest::gtest_main)
  add_test(NAME ${NAME} COMMAND ${NAME})
  set_tests_properties(${NAME} PROPERTIES LABELS "${ARG_LABEL}" TIMEOUT 120)
endfunction()

# lg_fuzz(NAME SOURCES x_fuzz.cc LIBS lib ...): libFuzzer target in the fuzz preset, else a program that replays tests/fuzz/corpus/NAME.
function(lg_fuzz NAME)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  if(LINEGATE_FUZZ)
    add_executable(${NAME} ${ARG_SOURCES})
    target_link_options(${NAME} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(${NAME} ${ARG_SOURCES} ${CMAKE_SOURCE_DIR}/tests/fuzz/replay_main.cc)
    add_test(NAME ${NAME} COMMAND ${NAME} ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${NAME})
    set_tests_properties(${NAME} PROPERTIES LABELS fuzz TIMEOUT 120)
  endif()
  target_link_libraries(${NAME} PRIVATE lg_options ${ARG_LIBS})
endfunction()
