# attnscope_registry(target file macro folder): writes generated/<file> with one MACRO(id) line for each
# <id>.cpp in the folder, in alphabetical order. Identifiers drop the dashes: transformer-xl -> transformer_xl.
function(attnscope_registry target file macro folder)
  file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.cpp)
  set(lines "// Generated from the files in ${folder}\n")
  string(REPLACE "${CMAKE_SOURCE_DIR}/" "" lines "${lines}")
  foreach(source ${sources})
    get_filename_component(id ${source} NAME_WE)
    string(APPEND lines "${macro}(${id})\n")
  endforeach()
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/${file} CONTENT "${lines}")
endfunction()
