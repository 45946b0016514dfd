# Warnings, sanitizers, ccache: what every target of the project is compiled with.
find_program(ATTNSCOPE_CCACHE ccache)
if(ATTNSCOPE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${ATTNSCOPE_CCACHE})
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${ATTNSCOPE_CCACHE})
endif()

add_library(attnscope_options INTERFACE)
target_include_directories(attnscope_options INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/generated)
target_compile_options(attnscope_options INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Werror>
  $<$<COMPILE_LANGUAGE:CUDA>:--Werror=all-warnings -Xcompiler=-Wall>)
if(ATTNSCOPE_MARCH)
  target_compile_options(attnscope_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-march=${ATTNSCOPE_MARCH}>)
endif()
if(ATTNSCOPE_SANITIZE)
  add_compile_options(-fsanitize=${ATTNSCOPE_SANITIZE} -fno-omit-frame-pointer -g1)
  add_link_options(-fsanitize=${ATTNSCOPE_SANITIZE})
  # GCC 12 takes the checks that sanitizers insert for reads of uninitialised variants and overlapping strings.
  target_compile_options(attnscope_options INTERFACE
    $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CXX_COMPILER_ID:GNU>>:-Wno-maybe-uninitialized -Wno-restrict>)
  if(ATTNSCOPE_SANITIZE MATCHES undefined)
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
endif()
