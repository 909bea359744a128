#pragma once
#include <linux/bpf.h>
#include <linux/if_link.h>

#include <cstdint>
#include <string>

#include "dataplane/base/result.h"

/// What the kernel says about BPF programs and where they are attached.
namespace linegate::drivers {

/// All zero if the descriptor is no program's.
bpf_prog_info ProgramInfo(int program_fd);
/// Empty if there is none of that id.
std::string ProgramName(uint32_t id);

struct Attachment {
  uint32_t program_id = 0;  ///< 0: none; several modes at once report the first found
  uint8_t mode = XDP_ATTACHED_NONE;
};
Result<Attachment> QueryAttachment(int interface_index);

/// Program id that an XDP link holds on `interface_index`; 0 when it hangs on nothing (interface gone) or elsewhere.
uint32_t LinkedProgram(int link_fd, int interface_index);

}  // namespace linegate::drivers
