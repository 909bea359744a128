#include "drivers/net/xdp/bpf_queries.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cstring>

#include "drivers/net/xdp/file_descriptor.h"
#include "drivers/net/xdp/system_error.h"

namespace linegate::drivers {

bpf_prog_info ProgramInfo(int program_fd) {
  bpf_prog_info info = {};
  uint32_t size = sizeof info;
  if (bpf_obj_get_info_by_fd(program_fd, &info, &size) != 0) info = {};
  return info;
}

std::string ProgramName(uint32_t id) {
  FileDescriptor fd(bpf_prog_get_fd_by_id(id));
  const bpf_prog_info info = fd.valid() ? ProgramInfo(fd.get()) : bpf_prog_info{};
  return std::string(info.name, strnlen(info.name, sizeof info.name));
}

Result<Attachment> QueryAttachment(int interface_index) {
  bpf_xdp_query_opts query = {};
  query.sz = sizeof query;
  if (int error = bpf_xdp_query(interface_index, 0, &query); error < 0) {
    return FailErrno("cannot ask which XDP program is attached", -error);
  }
  Attachment attachment;
  attachment.mode = query.attach_mode;
  for (uint32_t id : {query.prog_id, query.drv_prog_id, query.skb_prog_id, query.hw_prog_id}) {
    if (attachment.program_id == 0) attachment.program_id = id;
  }
  return attachment;
}

uint32_t LinkedProgram(int link_fd, int interface_index) {
  bpf_link_info info = {};
  uint32_t size = sizeof info;
  if (bpf_obj_get_info_by_fd(link_fd, &info, &size) != 0) return 0;
  if (info.type != BPF_LINK_TYPE_XDP || info.xdp.ifindex != uint32_t(interface_index)) return 0;
  return info.prog_id;
}

}  // namespace linegate::drivers
