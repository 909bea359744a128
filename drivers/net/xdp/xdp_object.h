#pragma once
#include "dataplane/base/byte_view.h"

namespace linegate::drivers {

/// The compiled linegate_xdp.bpf.c (an ELF object with BTF), embedded in the binary so that program and
/// loader are always of one build.
ByteView XdpObject();

}  // namespace linegate::drivers
