#pragma once
#include <intel-ipsec-mb.h>

#include <memory>

#include "dataplane/base/result.h"
#include "drivers/crypto/ipsec_mb_transform.h"

namespace linegate::crypto {

/// Wipes the library's scheduler state, which holds copies of key material, before it is freed.
struct IpsecMbManagerDeleter {
  void operator()(IMB_MGR* manager) const noexcept;
};
using IpsecMbManager = std::unique_ptr<IMB_MGR, IpsecMbManagerDeleter>;

/// Errors: no memory, the processor lacks the instructions, the library's self-test failed.
Result<IpsecMbManager> MakeIpsecMbManager(IpsecMbInstructionSet instructions);

/// "AVX512": what the manager really runs.
const char* InstructionSetName(const IMB_MGR& manager);

}  // namespace linegate::crypto
