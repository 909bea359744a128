#include "drivers/crypto/ipsec_mb_manager.h"

#include <cstdlib>
#include <string>

#include "dataplane/base/secret.h"

namespace linegate::crypto {
namespace {

constexpr size_t kAlignment = 64;

/// What the code path executes: initialising it runs the library's self-test with those very instructions.
uint64_t NeededFeatures(IpsecMbInstructionSet instructions) {
  switch (instructions) {
    case IpsecMbInstructionSet::kBest:
    case IpsecMbInstructionSet::kSse:
      return IMB_CPUFLAGS_SSE;
    case IpsecMbInstructionSet::kAvx:
      return IMB_CPUFLAGS_AVX;
    case IpsecMbInstructionSet::kAvx2:
      return IMB_CPUFLAGS_AVX2;
    case IpsecMbInstructionSet::kAvx512:
      return IMB_CPUFLAGS_AVX512;
  }
  return UINT64_MAX;
}

void Initialise(IMB_MGR* manager, IpsecMbInstructionSet instructions) {
  switch (instructions) {
    case IpsecMbInstructionSet::kBest:
      return init_mb_mgr_auto(manager, nullptr);
    case IpsecMbInstructionSet::kSse:
      return init_mb_mgr_sse(manager);
    case IpsecMbInstructionSet::kAvx:
      return init_mb_mgr_avx(manager);
    case IpsecMbInstructionSet::kAvx2:
      return init_mb_mgr_avx2(manager);
    case IpsecMbInstructionSet::kAvx512:
      return init_mb_mgr_avx512(manager);
  }
}

}  // namespace

void IpsecMbManagerDeleter::operator()(IMB_MGR* manager) const noexcept {
  Wipe(manager, imb_get_mb_mgr_size());
  std::free(manager);
}

Result<IpsecMbManager> MakeIpsecMbManager(IpsecMbInstructionSet instructions) {
  // Memory of our own and not alloc_mb_mgr, so that it can be wiped.
  void* memory = nullptr;
  if (posix_memalign(&memory, kAlignment, imb_get_mb_mgr_size()) != 0) return Fail("no memory for ipsec-mb");
  IpsecMbManager manager(imb_set_pointers_mb_mgr(memory, 0, 1));
  LG_FATAL(manager.get() == memory);
  // Below AES-NI the library computes AES from tables in memory: slow, and its timing depends on the key.
  if ((manager->features & IMB_CPUFLAGS_SSE) != IMB_CPUFLAGS_SSE) {
    return Fail("ipsec-mb: the processor has no AES instructions");
  }
  const uint64_t needed = NeededFeatures(instructions);
  if ((manager->features & needed) != needed) {
    return Fail("ipsec-mb: the processor lacks the instructions asked for");
  }
  Initialise(manager.get(), instructions);
  if (const int error = imb_get_errno(manager.get()); error != 0) {
    return Fail(std::string("ipsec-mb: ") + imb_get_strerror(error));
  }
  if (manager->used_arch < IMB_ARCH_SSE) return Fail("ipsec-mb: the processor has no AES instructions");
  if ((manager->features & IMB_FEATURE_SELF_TEST) != 0 &&
      (manager->features & IMB_FEATURE_SELF_TEST_PASS) == 0) {
    return Fail("ipsec-mb: its self-test failed");
  }
  return manager;
}

const char* InstructionSetName(const IMB_MGR& manager) {
  switch (manager.used_arch) {
    case IMB_ARCH_SSE:
      return "SSE";
    case IMB_ARCH_AVX:
      return "AVX";
    case IMB_ARCH_AVX2:
      return "AVX2";
    case IMB_ARCH_AVX512:
      return "AVX512";
    default:
      return "unknown";
  }
}

}  // namespace linegate::crypto
