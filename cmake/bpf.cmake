# BPF programs: compiled by clang and made into a header with the program inside (a skeleton of libbpf).
find_program(CLANG clang REQUIRED)
find_program(BPFTOOL bpftool PATHS /usr/sbin /sbin REQUIRED)

add_custom_target(bpf_skeletons) # all of them, for scripts/lint, which builds nothing else

# NAME.bpf.c in the current folder becomes NAME.skel.h in the current binary folder.
function(bpf_skeleton name)
  set(object ${CMAKE_CURRENT_BINARY_DIR}/${name}.bpf.o)
  set(skeleton ${CMAKE_CURRENT_BINARY_DIR}/${name}.skel.h)
  add_custom_command(OUTPUT ${object}
    COMMAND ${CLANG} -O2 -g -Wall -Werror -target bpf -mcpu=v3 -I${PROJECT_SOURCE_DIR}
            -I/usr/include/${CMAKE_LIBRARY_ARCHITECTURE} -MD -MT ${object} -MF ${object}.d
            -c ${CMAKE_CURRENT_SOURCE_DIR}/${name}.bpf.c -o ${object}
    MAIN_DEPENDENCY ${name}.bpf.c DEPFILE ${object}.d VERBATIM)
  add_custom_command(OUTPUT ${skeleton}
    COMMAND ${BPFTOOL} gen skeleton ${object} name ${name}_bpf > ${skeleton}
    MAIN_DEPENDENCY ${object} VERBATIM)
  add_custom_target(${name}_skeleton DEPENDS ${skeleton})
  add_dependencies(bpf_skeletons ${name}_skeleton)
endfunction()
