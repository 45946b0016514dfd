target_link_libraries(${test} PRIVATE attnscope_cuda_emulation)
set(timeout 300)
