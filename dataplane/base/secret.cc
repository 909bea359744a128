#include "dataplane/base/secret.h"

#include <cstring>

namespace linegate {

void Wipe(void* data, size_t bytes) {
  if (bytes != 0) explicit_bzero(data, bytes);  // an empty container has no address
}

bool ConstantTimeEqual(ByteView a, ByteView b) {
  if (a.size() != b.size()) return false;
  volatile uint8_t difference = 0;
  for (size_t i = 0; i < a.size(); ++i) difference = uint8_t(difference | (a[i] ^ b[i]));
  return difference == 0;
}

}  // namespace linegate
