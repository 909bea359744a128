#include "drivers/net/xdp/xdp_object.h"

// LG_XDP_OBJECT_FILE is set by the build; libbpf wants the image aligned like an ELF header.
asm(".pushsection .rodata\n"
    ".balign 16\n"
    "lg_xdp_object_begin:\n"
    ".incbin \"" LG_XDP_OBJECT_FILE
    "\"\n"
    "lg_xdp_object_end:\n"
    ".byte 0\n"
    ".popsection\n");

extern "C" const uint8_t lg_xdp_object_begin[];
extern "C" const uint8_t lg_xdp_object_end[];

namespace linegate::drivers {

ByteView XdpObject() { return {lg_xdp_object_begin, lg_xdp_object_end}; }

}  // namespace linegate::drivers
