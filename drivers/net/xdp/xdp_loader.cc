#include "drivers/net/xdp/xdp_loader.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstring>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

#include "drivers/net/xdp/bpf_queries.h"
#include "drivers/net/xdp/file_descriptor.h"
#include "drivers/net/xdp/system_error.h"
#include "drivers/net/xdp/xdp_object.h"

namespace linegate::drivers {
namespace {

constexpr char kProgramName[] = "xsk_def_prog";
constexpr char kGenericInstead[] = "generic_instead";

struct ObjectCloser {
  void operator()(bpf_object* object) const { bpf_object__close(object); }
};
using Object = std::unique_ptr<bpf_object, ObjectCloser>;

struct PinnedMap {
  const char* name;  ///< in the program
  const char* file;  ///< under the interface's pin directory
};
constexpr PinnedMap kMaps[] = {{"lg_ports", "ports"}, {"xsks_map", "sockets"}, {"lg_counters", "counters"}};

/// The last complaint of libbpf, for the error message: the verifier's reason is nowhere else.
thread_local std::string last_libbpf_warning;

int KeepLibbpfWarning(libbpf_print_level level, const char* format, va_list arguments) {
  if (level != LIBBPF_WARN) return 0;
  char text[512];
  std::vsnprintf(text, sizeof text, format, arguments);
  last_libbpf_warning = text;
  while (!last_libbpf_warning.empty() && last_libbpf_warning.back() == '\n') last_libbpf_warning.pop_back();
  return 0;
}

bool SameLayout(const bpf_map* map, int pinned_fd) {
  bpf_map_info info = {};
  uint32_t size = sizeof info;
  return bpf_obj_get_info_by_fd(pinned_fd, &info, &size) == 0 && info.type == uint32_t(bpf_map__type(map)) &&
         info.key_size == bpf_map__key_size(map) && info.value_size == bpf_map__value_size(map) &&
         info.max_entries == bpf_map__max_entries(map) && info.map_flags == bpf_map__map_flags(map);
}

uint32_t AttachFlags(XdpMode mode) {
  return mode == XdpMode::kNative ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE;
}
uint8_t AttachedAs(XdpMode mode) { return mode == XdpMode::kNative ? XDP_ATTACHED_DRV : XDP_ATTACHED_SKB; }

/// What the kernel's bare error number means here (the driver's own words reach netlink users only).
std::string NativeRefusal(int error) {
  std::string reason = std::generic_category().message(error);
  if (error == EOPNOTSUPP) return reason + ": its driver has no XDP";
  if (error == ERANGE) return reason + ": the MTU, or that of its veth peer, is too large for native XDP";
  if (error == ENOSPC) return reason + ": fewer receive queues than its veth peer has transmit queues";
  return reason;
}

struct KeyLess {
  bool operator()(const LgPortKey& a, const LgPortKey& b) const { return std::memcmp(&a, &b, sizeof a) < 0; }
};
using KeySet = std::set<LgPortKey, KeyLess>;

KeySet KeysOf(std::span<const UdpPortClaim> claims) {
  KeySet keys;
  for (const UdpPortClaim& claim : claims) {
    LgPortKey key = {};
    const ByteView bytes = claim.address.bytes();
    std::memcpy(key.address, bytes.data(), bytes.size());
    key.family = uint8_t(claim.address.family());
    for (uint32_t port = claim.first; port <= claim.last; ++port) {
      key.port_be = __builtin_bswap16(uint16_t(port));
      keys.insert(key);
    }
  }
  return keys;
}

KeySet KeysIn(int map_fd) {
  KeySet keys;
  LgPortKey key = {}, next = {};
  for (void* from = nullptr; bpf_map_get_next_key(map_fd, from, &next) == 0; from = &key) {
    key = next;
    keys.insert(key);
  }
  return keys;
}

}  // namespace

struct XdpLoader::State {
  XdpOptions options;
  int interface_index = 0;
  BpffsLifetime pin_lifetime = BpffsLifetime::kHost;
  XdpOrigin origin = XdpOrigin::kAttached;
  std::string pin_directory;
  Object object;
  FileDescriptor link;
  FileDescriptor ports, sockets, counters;
  uint32_t program_id = 0;
  XdpMode mode = XdpMode::kGeneric;
  std::string native_refusal;

  std::string PinPath(const char* file) const { return pin_directory + "/" + file; }
  void RemovePins();
  Status Load();
  Status PinMaps();
  int Create(int program_fd, XdpMode in_mode);
  void RememberGenericInstead(bool so);
  Status AttachNew(int program_fd);
  Status AttachOrAdopt();
};

void XdpLoader::State::RemovePins() {
  std::error_code ignored;
  std::filesystem::remove_all(pin_directory, ignored);
}

void XdpLoader::State::RememberGenericInstead(bool so) {
  std::error_code ignored;
  if (so) {
    std::filesystem::create_directory(PinPath(kGenericInstead), ignored);
  } else {
    std::filesystem::remove(PinPath(kGenericInstead), ignored);
  }
}

/// Opens the embedded object, gives it the pinned maps that fit, and has the kernel verify it.
Status XdpLoader::State::Load() {
  libbpf_set_print(KeepLibbpfWarning);
  bpf_object_open_opts open = {};
  open.sz = sizeof open;
  open.object_name = "linegate";
  object.reset(bpf_object__open_mem(XdpObject().data(), XdpObject().size(), &open));
  if (!object) return FailErrno("cannot open the embedded XDP program");
  for (const PinnedMap& pinned : kMaps) {
    bpf_map* map = bpf_object__find_map_by_name(object.get(), pinned.name);
    if (map == nullptr) return Fail(std::string("the embedded XDP program has no map ") + pinned.name);
    FileDescriptor existing(bpf_obj_get(PinPath(pinned.file).c_str()));
    if (!existing.valid()) continue;
    if (!SameLayout(map, existing.get())) {
      // Pinned by another version: its link goes too, as the old program holds the old maps.
      link = FileDescriptor();
      RemovePins();
      return Load();
    }
    if (bpf_map__reuse_fd(map, existing.get()) != 0)
      return FailErrno("cannot reuse pinned map " + PinPath(pinned.file));
  }
  last_libbpf_warning.clear();
  if (int error = bpf_object__load(object.get()); error != 0) {
    return FailErrno("the kernel refuses the XDP program (" + last_libbpf_warning + ")", -error);
  }
  return {};
}

Status XdpLoader::State::PinMaps() {
  std::error_code error;
  std::filesystem::create_directory(pin_directory, error);
  if (error) return Fail(pin_directory + ": " + error.message());
  FileDescriptor* const fds[] = {&ports, &sockets, &counters};
  for (size_t i = 0; i < std::size(kMaps); ++i) {
    const bpf_map* map = bpf_object__find_map_by_name(object.get(), kMaps[i].name);
    *fds[i] = FileDescriptor(dup(bpf_map__fd(map)));
    if (!fds[i]->valid()) return FailErrno("dup");
    const std::string path = PinPath(kMaps[i].file);
    if (access(path.c_str(), F_OK) == 0) continue;
    if (bpf_obj_pin(bpf_map__fd(map), path.c_str()) != 0) return FailErrno("cannot pin " + path);
  }
  return {};
}

/// 0, or the kernel's error number.
int XdpLoader::State::Create(int program_fd, XdpMode in_mode) {
  bpf_link_create_opts create = {};
  create.sz = sizeof create;
  create.flags = AttachFlags(in_mode);
  mode = in_mode;
  const int fd = bpf_link_create(program_fd, interface_index, BPF_XDP, &create);
  if (fd < 0) return errno;
  link = FileDescriptor(fd);
  return 0;
}

Status XdpLoader::State::AttachNew(int program_fd) {
  native_refusal.clear();
  int error = Create(program_fd, options.mode);
  if (error != 0 && options.mode == XdpMode::kNative) {
    native_refusal = NativeRefusal(error);
    error = Create(program_fd, XdpMode::kGeneric);
  }
  if (error != 0) {
    const std::string before = native_refusal.empty() ? "" : " nor in native mode (" + native_refusal + ")";
    return FailErrno("cannot attach the XDP program in generic mode" + before, error);
  }
  RememberGenericInstead(!native_refusal.empty());
  if (bpf_obj_pin(link.get(), PinPath("link").c_str()) != 0)
    return FailErrno("cannot pin " + PinPath("link"));
  return {};
}

Status XdpLoader::State::AttachOrAdopt() {
  link = FileDescriptor(bpf_obj_get(PinPath("link").c_str()));
  auto attached = QueryAttachment(interface_index);
  if (!attached) return MakeUnexpected(std::move(attached).error());
  const uint32_t linked = link.valid() ? LinkedProgram(link.get(), interface_index) : 0;
  bool ours = linked != 0 && linked == attached->program_id;
  if (attached->program_id != 0 && !ours) {
    return Fail("another XDP program is attached: '" + ProgramName(attached->program_id) + "' (id " +
                std::to_string(attached->program_id) + "); remove it first: ip link set dev " +
                options.interface + " xdp off");
  }
  mode = options.mode;
  if (mode == XdpMode::kGeneric) RememberGenericInstead(false);
  if (mode == XdpMode::kNative && access(PinPath(kGenericInstead).c_str(), F_OK) == 0) {
    mode = XdpMode::kGeneric;
    native_refusal = "refused when it was first attached";
  }
  if (link.valid() && (!ours || attached->mode != AttachedAs(mode))) {
    // The interface was recreated under the pin, or the mode is to change: the maps stay, the link goes.
    if (ours) bpf_link_detach(link.get());
    link = FileDescriptor();
    unlink(PinPath("link").c_str());
    ours = false;
  }
  if (Status loaded = Load(); !loaded) return loaded;
  ours = ours && link.valid();
  if (Status pinned = PinMaps(); !pinned) return pinned;
  const int program_fd = bpf_program__fd(bpf_object__find_program_by_name(object.get(), kProgramName));
  const bpf_prog_info fresh = ProgramInfo(program_fd);
  program_id = fresh.id;
  if (!ours) return AttachNew(program_fd);
  origin = XdpOrigin::kAdopted;
  FileDescriptor current(bpf_prog_get_fd_by_id(linked));
  const bpf_prog_info running = current.valid() ? ProgramInfo(current.get()) : bpf_prog_info{};
  if (std::memcmp(running.tag, fresh.tag, sizeof fresh.tag) == 0) {
    program_id = linked;
    return {};
  }
  if (bpf_link_update(link.get(), program_fd, nullptr) != 0)
    return FailErrno("cannot replace our older XDP program");
  return {};
}

XdpLoader::XdpLoader(std::unique_ptr<State> state) : state_(std::move(state)) {}
XdpLoader::XdpLoader(XdpLoader&&) noexcept = default;
XdpLoader& XdpLoader::operator=(XdpLoader&&) noexcept = default;
XdpLoader::~XdpLoader() = default;

Result<XdpLoader> XdpLoader::Attach(const XdpOptions& options) {
  auto state = std::make_unique<State>();
  state->options = options;
  const std::string subject = "interface '" + options.interface + "'";
  state->interface_index =
      options.interface.size() < IF_NAMESIZE ? int(if_nametoindex(options.interface.c_str())) : 0;
  if (state->interface_index == 0) return Fail("network " + subject + " does not exist");
  auto lifetime = MountBpffs(options.bpffs_directory);
  if (!lifetime) return MakeUnexpected(std::move(lifetime).error().WithContext(subject));
  state->pin_lifetime = *lifetime;
  state->pin_directory = options.bpffs_directory + "/" + options.interface;
  if (Status attached = state->AttachOrAdopt(); !attached) {
    return MakeUnexpected(std::move(attached).error().WithContext(subject));
  }
  return XdpLoader(std::move(state));
}

Status XdpLoader::SetPorts(std::span<const UdpPortClaim> claims) {
  const KeySet wanted = KeysOf(claims);
  const std::string subject = "interface '" + state_->options.interface + "'";
  if (wanted.size() > LG_XDP_MAX_PORTS) {
    return Fail(subject + ": " + std::to_string(wanted.size()) +
                " UDP ports are more than the XDP program holds (" + std::to_string(LG_XDP_MAX_PORTS) + ")");
  }
  const KeySet present = KeysIn(state_->ports.get());
  for (const LgPortKey& key : present) {
    if (!wanted.contains(key)) bpf_map_delete_elem(state_->ports.get(), &key);
  }
  const uint8_t on = 1;
  for (const LgPortKey& key : wanted) {
    if (present.contains(key)) continue;
    if (bpf_map_update_elem(state_->ports.get(), &key, &on, BPF_ANY) != 0) {
      return FailErrno(subject + ": cannot add UDP port " + std::to_string(__builtin_bswap16(key.port_be)));
    }
  }
  return {};
}

Status XdpLoader::VerifySocketBound(uint32_t queue) const {
  const std::string subject = "interface '" + state_->options.interface + "'";
  auto attached = QueryAttachment(state_->interface_index);
  if (!attached) return MakeUnexpected(std::move(attached).error().WithContext(subject));
  if (attached->program_id != state_->program_id) {
    return Fail(subject + ": the XDP program attached is '" + ProgramName(attached->program_id) + "' (id " +
                std::to_string(attached->program_id) + ") and not ours (id " +
                std::to_string(state_->program_id) + ")");
  }
  // An XSKMAP cannot be read from user space. Adding a socket of ours "only if absent" tells whether one is
  // there.
  FileDescriptor probe(socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0));
  if (!probe.valid()) return FailErrno(subject + ": cannot open an AF_XDP socket");
  const int value = probe.get();
  if (bpf_map_update_elem(state_->sockets.get(), &queue, &value, BPF_NOEXIST) == 0) {
    bpf_map_delete_elem(state_->sockets.get(), &queue);
    return Fail(subject + ": no AF_XDP socket is bound to receive queue " + std::to_string(queue));
  }
  return errno == EEXIST ? Status()
                         : FailErrno(subject + ": cannot check receive queue " + std::to_string(queue));
}

Result<XdpCounters> XdpLoader::ReadCounters() const {
  const int cpus = libbpf_num_possible_cpus();
  if (cpus < 1) return FailErrno("cannot count CPUs", -cpus);
  std::vector<uint64_t> per_cpu(static_cast<size_t>(cpus));
  XdpCounters counters = {};
  for (uint32_t i = 0; i < counters.size(); ++i) {
    if (bpf_map_lookup_elem(state_->counters.get(), &i, per_cpu.data()) != 0) {
      return FailErrno("interface '" + state_->options.interface + "': cannot read XDP counters");
    }
    for (uint64_t count : per_cpu) counters[i] += count;
  }
  return counters;
}

void XdpLoader::Release(const std::string& bpffs_directory, const std::string& interface) {
  const std::string pin_directory = bpffs_directory + "/" + interface;
  FileDescriptor link(bpf_obj_get((pin_directory + "/link").c_str()));
  if (link.valid()) bpf_link_detach(link.get());
  std::error_code ignored;
  std::filesystem::remove_all(pin_directory, ignored);
  UnmountBpffsIfUnused(bpffs_directory);
}

BpffsLifetime XdpLoader::pin_lifetime() const { return state_->pin_lifetime; }
XdpOrigin XdpLoader::origin() const { return state_->origin; }
XdpMode XdpLoader::mode() const { return state_->mode; }
const std::string& XdpLoader::native_refusal() const { return state_->native_refusal; }
const std::string& XdpLoader::interface() const { return state_->options.interface; }

Status XdpLoader::Detach() {
  // Detached at once, whoever else may still hold the link (bpftool).
  if (bpf_link_detach(state_->link.get()) != 0 && errno != ENOENT && errno != ENOLINK) {
    return FailErrno("interface '" + state_->options.interface + "': cannot detach the XDP program");
  }
  state_->link = FileDescriptor();
  state_->RemovePins();
  UnmountBpffsIfUnused(state_->options.bpffs_directory);
  return {};
}

std::string_view XdpModeName(XdpMode mode) { return mode == XdpMode::kNative ? "native" : "generic"; }

std::string_view XdpCounterName(LgXdpCounter counter) {
  static constexpr std::string_view kNames[] = {
#define LG_XDP_NAME(symbol, name, text) name,
      LG_XDP_COUNTERS(LG_XDP_NAME)
#undef LG_XDP_NAME
  };
  return kNames[counter];
}

}  // namespace linegate::drivers
