#include "drivers/net/dpdk_pool.h"

#include <rte_errno.h>
#include <rte_mbuf.h>

#include <string>

namespace linegate::drivers {
namespace {
constexpr unsigned kCachePerLcore = 256;
}

Result<DpdkPool> DpdkPool::Create(size_t buffers) {
  rte_mempool* pool = rte_pktmbuf_pool_create("linegate", unsigned(buffers), kCachePerLcore, 0,
                                              RTE_PKTMBUF_HEADROOM + kBufferBytes, SOCKET_ID_ANY);
  if (pool == nullptr) {
    return Fail("cannot allocate " + std::to_string(buffers) + " packet buffers: " + rte_strerror(rte_errno));
  }
  return DpdkPool(pool);
}

size_t DpdkPool::free_count() const { return rte_mempool_avail_count(pool_.get()); }

void DpdkPool::Deleter::operator()(rte_mempool* pool) const { rte_mempool_free(pool); }

}  // namespace linegate::drivers
